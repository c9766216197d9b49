"""Taking steps with what a user calls an optimizer: one of torch's, or an object around one or several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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


def with_inner(optimizers: Iterable[Optimizer]) -> list[Optimizer]:
    """These, and what they wrap: SAM's base optimizer has groups and a state of its own."""
    found: dict[int, Optimizer] = {}
    pending = list(optimizers)
    while pending:
        optimizer = pending.pop(0)
        if id(optimizer) not in found:
            found[id(optimizer)] = optimizer
            pending += inner_optimizers(optimizer)
    return list(found.values())


def take_steps(recorder: Recorder, optimizer: Any, step: Callable[[], Any], steps: int) -> None:
    """Take so many complete steps under observation."""
    with completed(optimizer, step, lambda: recorder.journal.steps) as complete:
        for _ in range(steps):
            complete()


@contextmanager
def completed(
    optimizer: Any, step: Callable[[], Any], seen: Callable[[], int]
) -> Iterator[Callable[[], None]]:
    """`step`, made whole: where it leaves stepping to its caller, the optimizer steps, then gradients are
    cleared. `seen` counts the steps that torch's hooks have told of.

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

    def complete() -> None:
        before = calls, seen()
        step()
        if (calls, seen()) == before:
            optimizer.step()
            optimizer.zero_grad()

    try:
        # A learning rate schedule puts a `step` of its own on the instance.
        owner = optimizer if "step" in getattr(optimizer, "__dict__", {}) else type(optimizer)
        if hasattr(owner, "step"):  # else it is passed on to an optimizer inside, which the hooks tell of
            count(owner)
        count(torch.amp.GradScaler)
        yield complete
    finally:
        patches.undo()
