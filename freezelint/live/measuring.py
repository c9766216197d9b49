"""What a training step costs before and after corrections: time and peak memory, on the very objects.

A step is a closure over the user's own model and optimizer, so both sides run on these: everything is put
back after each block of steps.

*Time*: blocks of steps before and after the corrections alternate (before, after, after, before, …), so
that a machine that grows slower or faster does so for both; each block begins from the same state and random
numbers with a step that is not timed. Told are the medians of all steps, and what each pair of blocks saved.

*Peak memory*: what parameters, buffers, gradients and optimizer state take when the step begins, and the most
that the step has allocated on top of that. On CUDA the allocator tells the latter
(`torch.cuda.max_memory_allocated`). The CPU's allocator keeps no such count, so every storage that an
operation of torch returns is followed until it is freed: activations that autograd keeps, gradients, new
state and intermediate results are in it, what single operations need inside themselves is not. Neither
counts what else is in the process.
"""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from statistics import median
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from freezelint.costs import Measurement
from freezelint.evidence import Trace
from freezelint.finding import Finding
from freezelint.live.applying import apply, can_apply
from freezelint.live.applying.objects import Objects
from freezelint.live.keeping import Kept
from freezelint.live.stepping import completed, optimizers_in, with_inner

_ROUNDS = 5
_BLOCK = 0.3  # seconds that a block of steps is to take, where steps are quick
_MOST_STEPS = 20  # of one block
# The fault of which is its cost: told apart from what the other corrections save.
_COSTS = ("FRZ301",)


def measure(
    trace: Trace,
    findings: Sequence[Finding],
    objects: Objects,
    model: nn.Module,
    optimizer: Any,
    step: Callable[[], Any],
    *,
    unsafe: bool = True,
) -> tuple[Measurement, ...]:
    """Take steps before and after the corrections of these findings; all is left as it was.

    The first measurement is of all corrections together; a second one of those whose fault is their cost,
    where there are others too. None where nothing can be corrected. Takes between 20 and 300 steps.
    """
    every = [finding for finding in findings if can_apply(finding, unsafe=unsafe)]
    costly = [finding for finding in every if finding.code in _COSTS]
    wanted = [every, costly] if costly and len(costly) < len(every) else [every]
    measurements = []
    for corrected in filter(None, wanted):
        correct = _corrector(trace, corrected, objects, unsafe)
        codes = tuple(sorted({finding.code for finding in corrected}))
        measurements.append(_Measuring(model, optimizer, step, correct).run(codes))
    return tuple(measurements)


def _corrector(
    trace: Trace, findings: Sequence[Finding], objects: Objects, unsafe: bool
) -> Callable[[], object]:
    return lambda: apply(findings, trace, objects, unsafe=unsafe)


class _Measuring:
    """Measures one set of corrections."""

    def __init__(
        self, model: nn.Module, optimizer: Any, step: Callable[[], Any], correct: Callable[[], object]
    ) -> None:
        self._model, self._optimizer, self._step = model, optimizer, step
        self._correct = correct
        self._steps = 0
        tensors = (*model.parameters(), *model.buffers())
        self._cuda = sorted({t.device.index or 0 for t in tensors if t.device.type == "cuda"})

    def run(self, codes: tuple[str, ...]) -> Measurement:
        """Take all the steps; everything is put back, also when one raises."""
        kept = Kept(self._model, self._optimizer, everything=True)
        hook = register_optimizer_step_post_hook(self._stepped)
        try:
            with completed(self._optimizer, self._step, lambda: self._steps) as complete:
                before, after = self._times(complete, kept)
                peak = self._peak(complete, kept, corrected=False)
                lower = self._peak(complete, kept, corrected=True)
        finally:
            hook.remove()
            kept.restore()
        return Measurement(
            codes,
            median(second for block in before for second in block),
            median(second for block in after for second in block),
            tuple(1 - median(a) / median(b) for b, a in zip(before, after, strict=True)),
            peak,
            lower,
            "cuda" if self._cuda else "cpu",
        )

    def _stepped(self, *_: Any) -> None:
        self._steps += 1

    def _times(self, complete: Callable[[], None], kept: Kept) -> tuple[list[list[float]], list[list[float]]]:
        """The seconds of each step of each block, before and after the corrections."""
        self._begin(kept, corrected=False)
        self._timed(complete)  # the first step of all also loads what torch loads late
        once = self._timed(complete)
        steps = max(1, min(_MOST_STEPS, round(_BLOCK / max(once, 1e-9))))
        times: tuple[list[list[float]], list[list[float]]] = ([], [])
        for number in range(_ROUNDS if once < 1 else _ROUNDS - 2):
            for corrected in (False, True) if number % 2 == 0 else (True, False):
                self._begin(kept, corrected)
                complete()
                times[corrected].append([self._timed(complete) for _ in range(steps)])
        return times

    def _begin(self, kept: Kept, corrected: bool) -> None:
        """The state that a block begins with."""
        kept.restore()
        if corrected:
            self._correct()
        gc.collect()

    def _timed(self, complete: Callable[[], None]) -> float:
        self._synchronize()
        collecting = gc.isenabled()
        gc.disable()
        try:
            start = time.perf_counter()
            complete()
            self._synchronize()
            return time.perf_counter() - start
        finally:
            if collecting:
                gc.enable()

    def _synchronize(self) -> None:
        for device in self._cuda:
            torch.cuda.synchronize(device)

    def _peak(self, complete: Callable[[], None], kept: Kept, corrected: bool) -> int:
        """Peak bytes of the second step of a block: by then gradients and state are there."""
        self._begin(kept, corrected)
        complete()
        return self._peak_on_cuda(complete) if self._cuda else self._peak_on_cpu(complete)

    def _peak_on_cuda(self, complete: Callable[[], None]) -> int:
        self._synchronize()
        start = {device: torch.cuda.memory_allocated(device) for device in self._cuda}
        for device in self._cuda:
            torch.cuda.reset_peak_memory_stats(device)
        resident = sum(_storages(self._living()).values())
        complete()
        self._synchronize()
        return resident + sum(
            torch.cuda.max_memory_allocated(device) - start[device] for device in self._cuda
        )

    def _peak_on_cpu(self, complete: Callable[[], None]) -> int:
        alive = _Alive(self._living())
        with alive:
            complete()
        return alive.peak

    def _living(self) -> Iterator[torch.Tensor]:
        """What the step begins with."""
        for parameter in self._model.parameters():
            yield parameter
            if parameter.grad is not None:
                yield parameter.grad
        yield from self._model.buffers()
        for optimizer in with_inner(optimizers_in(self._optimizer)):
            for group in optimizer.param_groups:
                yield from group["params"]
                yield from (p.grad for p in group["params"] if p.grad is not None)
            yield from _tensors_in(optimizer.state)


class _Alive(TorchDispatchMode):
    """Follows the storages that there are, and those that operations return, until they are freed."""

    def __init__(self, tensors: Iterable[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._sizes: dict[int, int] = {}
        self._now = 0
        self.peak = 0
        for tensor in tensors:
            self._follow(tensor)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in tree_leaves(result):
            if isinstance(each, torch.Tensor):
                self._follow(each)
        return result

    def _follow(self, tensor: torch.Tensor) -> None:
        storage = _storage(tensor)
        if storage is None or storage._cdata in self._sizes:
            return
        key = storage._cdata
        self._sizes[key] = storage.nbytes()
        self._now += self._sizes[key]
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._freed, key)

    def _freed(self, key: int) -> None:
        self._now -= self._sizes.pop(key)


def _storage(tensor: torch.Tensor) -> torch.UntypedStorage | None:
    """The memory of a tensor; None where it has none of its own (wrappers, sparse tensors)."""
    with suppress(RuntimeError, NotImplementedError):
        return tensor.untyped_storage()
    return None


def _storages(tensors: Iterable[torch.Tensor]) -> dict[int, int]:
    """How many bytes each storage behind these tensors has."""
    found = (_storage(tensor) for tensor in tensors)
    return {storage._cdata: storage.nbytes() for storage in found if storage is not None}


def _tensors_in(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors_in(item)
