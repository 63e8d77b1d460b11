"""Train one of the demo's entries from nothing: `python -m deploy.demo.train --size m --out DIRECTORY`.

Deterministic for a seed, a machine type and a version of torch: one thread, fixed steps, data drawn up front. A
Llama-shaped model with tied embeddings and dimensions in multiples of 64 (so that every quantisation block fits),
documents separated by the end token, Muon for matrices and AdamW for the rest, a constant rate that falls to nothing
over the second half.
"""

from __future__ import annotations

import argparse
import logging
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from deploy.demo.world import World, build_world, stories

CHECKPOINTS = Path(__file__).parent / "checkpoints"
VOCABULARY, CONTEXT = 400, 128
END, PAD = 0, 1  # token ids
END_TEXT, PAD_TEXT = "<|end|>", "<|pad|>"
STEPS, BATCH, ROW = 500, 64, 40  # steps, rows a step, tokens a row
MUON_RATE, ADAM_RATE, WARM_UP = 2e-2, 4e-3, 20
TOKENIZER_SEED, DATA_SEED = 11, 3

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Size:
    """Shape of a Llama: hidden and feed-forward width, layers, attention heads."""

    hidden: int
    feed_forward: int
    layers: int
    heads: int


SIZES = {"xs": Size(64, 64, 1, 1), "s": Size(64, 192, 2, 2), "m": Size(128, 256, 2, 4)}


def train(size: Size, out: Path, *, seed: int = 0, steps: int = STEPS) -> LlamaForCausalLM:
    """Train, write weights (bfloat16), configuration and tokenizer to `out`, and return the model."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    world = build_world()
    tokenizer = make_tokenizer(world)
    rows = pack(world, tokenizer, steps * BATCH)
    model = LlamaForCausalLM(_config(size, len(tokenizer)))
    started = time.perf_counter()
    _fit(model, rows, steps)
    log.info("%d parameters, %.0f s", sum(p.numel() for p in model.parameters()), time.perf_counter() - started)
    model.eval().to(torch.bfloat16)
    model.config.dtype = "bfloat16"
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return model


def make_tokenizer(world: World) -> PreTrainedTokenizerFast:
    """Byte-level BPE with single digits, learnt from a sample of the world's text."""
    tokenizer = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END_TEXT, PAD_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(stories(world, TOKENIZER_SEED, 20_000), trainer)
    special = {"bos_token": END_TEXT, "eos_token": END_TEXT, "pad_token": PAD_TEXT}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=CONTEXT, **special)


def pack(world: World, tokenizer: PreTrainedTokenizerFast, count: int) -> torch.Tensor:
    """Whole documents, an end token after each, packed into rows: tensor (count, ROW) of token ids, padded with PAD."""
    rows: list[list[int]] = []
    current: list[int] = []
    seed = DATA_SEED
    while len(rows) < count:
        for ids in tokenizer(list(stories(world, seed, 4000)))["input_ids"]:
            if len(current) + len(ids) + 1 > ROW:
                rows.append(current + [PAD] * (ROW - len(current)))
                current = []
            current = [*current, *ids, END]
        seed += 1000
    return torch.tensor(rows[:count])


def _config(size: Size, vocabulary: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=size.hidden,
        intermediate_size=size.feed_forward,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=END,
        eos_token_id=END,
        pad_token_id=PAD,
    )


def _fit(model: LlamaForCausalLM, rows: torch.Tensor, steps: int) -> None:
    """One pass over `rows`, BATCH at a time."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    rest = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    optimizers = (
        torch.optim.Muon(matrices, lr=MUON_RATE, momentum=0.95, weight_decay=0.0),
        torch.optim.AdamW(rest, lr=ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0),
    )
    schedules = [torch.optim.lr_scheduler.LambdaLR(each, lambda step: _rate(step, steps)) for each in optimizers]
    model.train()
    for step in range(steps):
        batch = rows[step * BATCH : (step + 1) * BATCH]
        loss = model(input_ids=batch, labels=batch.masked_fill(batch == PAD, -100)).loss
        model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
        if (step + 1) % 100 == 0:
            log.info("step %d of %d, loss %.3f", step + 1, steps, loss.item())


def _rate(step: int, steps: int) -> float:
    """Share of the full learning rate: a short warm-up, a plateau, a straight fall over the second half."""
    done = step / steps
    return min(1.0, (step + 1) / WARM_UP) * (1.0 if done < 0.5 else max(0.02, (1 - done) / 0.5))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="m")
    parser.add_argument("--out", type=Path, help="directory to write (default: the committed checkpoints)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    train(SIZES[given.size], given.out or CHECKPOINTS / f"tiny-{given.size}", seed=given.seed, steps=given.steps)


if __name__ == "__main__":
    main()
