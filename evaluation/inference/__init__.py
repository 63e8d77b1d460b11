"""The impure half: torch, devices and HTTP endpoints. Nothing in the web process imports it.

The variables must be set before transformers and lm_eval are imported, hence here; what the operator set is kept. The
same holds for what libraries say while they are imported.
"""

import os

from evaluation.inference import libraries

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # we encode in one thread; forks would deadlock
os.environ.setdefault("DISABLE_MULTIPROC", "1")  # lm_eval would fork for its metrics
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
libraries.listen()
