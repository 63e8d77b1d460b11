"""Reference schemes: the weights as they are, in a floating-point type of the usual width."""

import torch

from evaluation.schemes.base import Scheme

fp32 = Scheme(torch.float32)
bf16 = Scheme(torch.bfloat16)
fp16 = Scheme(torch.float16)
