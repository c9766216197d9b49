"""A 70-billion parameter Llama, audited in a process without memory for it: `--device fake`.

python -m tests.benchmarks.fake_llama
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SHAPE = {
    "vocab_size": 128256,
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
}


def build() -> tuple[Any, Any, Callable[[], None]]:
    """The factory: a frozen body in bfloat16, a new head over it, AdamW over the whole model."""
    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification

    with torch.device("meta"):
        model = LlamaForSequenceClassification(LlamaConfig(num_labels=2, pad_token_id=0, **SHAPE))
    model.to(torch.bfloat16).train()
    model.model.requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)  # the frozen body too: FRZ201
    tokens = torch.ones(1, 128, dtype=torch.int64, device="meta")
    labels = torch.ones(1, dtype=torch.int64, device="meta")

    def step() -> None:
        model(input_ids=tokens, labels=labels).loss.backward()

    return model, optimizer, step


def main() -> None:
    command = [sys.executable, "-m", "freezelint", "check", "--device", "fake", f"{Path(__file__)}:build"]
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begin
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(done.stdout, done.stderr, sep="\n")
    print(
        f"exit status {done.returncode}; {seconds:.1f} s by the clock, "
        f"{used.ru_utime + used.ru_stime:.1f} s of processor time, {used.ru_maxrss / 2**20:.2f} GB at most"
    )


if __name__ == "__main__":
    main()
