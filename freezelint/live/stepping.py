"""Taking steps with what a user calls an optimizer: one of torch's, or an object around one or several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.optim import Optimizer

from freezelint.live.patching import Patches
from freezelint.live.recorder import Recorder


def optimizers_in(candidate: Any) -> list[Optimizer]:
    """The outermost torch optimizers that this is or holds: itself, or those among its attributes."""
    return [candidate] if isinstance(candidate, Optimizer) else list(inner_optimizers(candidate))


def inner_optimizers(candidate: Any) -> Iterator[Optimizer]:
    """The torch optimizers among the attributes of an object (SAM's `base_optimizer`), and in lists there."""
    for value in list(getattr(candidate, "__dict__", {}).values()):
        for each in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(each, Optimizer):
                yield each


def is_optimizer(candidate: Any) -> bool:
    """Whether this can be stepped, and torch's hooks will tell of it."""
    methods = (getattr(candidate, name, None) for name in ("step", "zero_grad"))
    return all(map(callable, methods)) and bool(optimizers_in(candidate))


def take_steps(recorder: Recorder, optimizer: Any, step: Callable[[], Any], steps: int) -> None:
    """Call `step` so often. Where it leaves stepping to its caller, step the optimizer, then clear gradients.

    A call that came to nothing (a `GradScaler` skips a step whose gradients overflowed) is a step of the
    user's too: to step then would train on infinite gradients.
    """
    calls = 0
    patches = Patches()

    def count(owner: Any) -> None:
        def called(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            return original(*args, **kwargs)

        original = patches.replace(owner, "step", called)

    try:
        # A learning rate schedule puts a `step` of its own on the instance.
        owner = optimizer if "step" in getattr(optimizer, "__dict__", {}) else type(optimizer)
        if hasattr(owner, "step"):  # else it is passed on to an optimizer inside, which the journal hears of
            count(owner)
        count(torch.amp.GradScaler)
        for _ in range(steps):
            before = calls, recorder.journal.steps
            step()
            if (calls, recorder.journal.steps) == before:
                optimizer.step()
                optimizer.zero_grad()
    finally:
        patches.undo()
