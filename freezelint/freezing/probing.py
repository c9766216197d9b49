"""Linear probing, then fine-tuning: the head first, then everything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from freezelint.freezing.gradual import GradualUnfreezing
from freezelint.freezing.patterns import inner
from freezelint.freezing.structure import Block, blocks


def linear_probe_then_finetune(
    model: nn.Module,
    optimizer: Optimizer,
    *,
    probe_epochs: int,
    ratio: float = 0.1,
    norms: Literal["follow", "frozen"] = "follow",
    schedule: LRScheduler | Sequence[LRScheduler] | None = None,
    sample: Any = None,
) -> GradualUnfreezing:
    """Train the head alone for `probe_epochs` epochs, then everything (LP-FT), in one optimizer.

        optimizer = torch.optim.AdamW(model.fc.parameters(), lr=1e-3)
        schedule = freezing.warmup_cosine(optimizer, total_steps, warmup_steps=100)
        stages = freezing.linear_probe_then_finetune(model, optimizer, probe_epochs=5, schedule=schedule)
        for epoch in range(epochs):
            stages.begin_epoch(epoch)
            model.train()
            ...  # as with GradualUnfreezing

    A head that starts at random sends gradients into the body that distort its features; one that was trained
    on the fixed features first does not. `optimizer` holds the head: the model's last block, part of it,
    or several last blocks. All else is frozen here, norm layers in eval, and opened as a single group named
    "body", at `ratio` times the head's own rate (before any schedule). The probe should come near to the best
    head that there is; the rate of the second stage is to be tuned, a tenth is where to begin.

    The result is a `GradualUnfreezing` with one stage: `begin_epoch`, `advance`, `state_dict`,
    `load_state_dict`, a warm-up of its own for each stage by a `RatioSchedule`, and `norms`, which is as
    there. Raises `ValueError` as that does, for `probe_epochs` below 1 and a ratio out of (0, 1].

    Source: Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features and Underperform
    Out-of-Distribution", ICLR.
    """
    if probe_epochs < 1:
        raise ValueError(f"probe_epochs is a number of epochs, at least 1, and is {probe_epochs}")
    if not 0 < ratio <= 1:
        raise ValueError(f"ratio is the body's rate over the head's, in (0, 1], and is {ratio}")
    model = inner(model)
    return GradualUnfreezing(
        model,
        optimizer,
        decay=ratio,
        every=probe_epochs,
        norms=norms,
        schedule=schedule,
        blocks=_body_and_head(blocks(model, sample), optimizer),
    )


def _body_and_head(found: list[Block], optimizer: Optimizer) -> list[Block]:
    """All that the optimizer does not hold as one block, and the last blocks of which it holds something."""
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    first = len(found)
    while first and any(id(p) in held for p in found[first - 1].parameters.values()):
        first -= 1
    everything = {name: p for block in found for name, p in block.parameters.items()}
    if first == len(found) or all(id(p) in held for p in everything.values()):
        return found  # GradualUnfreezing says what is wrong
    return [
        Block(
            "body",
            tuple(name for block in found[:first] for name in block.modules),
            {name: p for name, p in everything.items() if id(p) not in held},
        ),
        Block(
            found[-1].name,
            tuple(name for block in found[first:] for name in block.modules),
            {name: p for name, p in everything.items() if id(p) in held},
        ),
    ]
