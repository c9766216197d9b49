"""`freezelint.watch` and `freezelint.audit`: the live audit from inside a program, a notebook or a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.optim import Optimizer

from freezelint.evidence import Trace
from freezelint.finding import Finding
from freezelint.live.keeping import Kept
from freezelint.live.reading.places import user_location
from freezelint.live.recorder import Recorder
from freezelint.live.settings import LiveSettings
from freezelint.live.stepping import is_optimizer, optimizers_in, take_steps


class FindingsError(AssertionError):
    """Raised by `Report.raise_for_findings`; its text is the report."""


class Report:
    """What an audit found: iterable over its findings, printable, with the evidence in `trace`.

    While the `watch` that made it is still open, it holds what was seen so far.
    """

    def __init__(self, trace: Callable[[], Trace], select: Sequence[str] | None = None) -> None:
        self._trace: Callable[[], Trace] | None = trace
        self._select = select
        self._closed: Trace | None = None

    @property
    def trace(self) -> Trace:
        """The evidence (`freezelint.evidence.Trace`)."""
        if self._trace is not None:
            return self._trace()
        assert self._closed is not None
        return self._closed

    @property
    def findings(self) -> list[Finding]:
        """The findings at the default selection, or at the one that was asked for."""
        from freezelint.judge import judge
        from freezelint.registry import rules
        from freezelint.selection import Selection

        selected = Selection(tuple(self._select) if self._select else None).codes(rules())
        return [finding for finding in judge([self.trace]) if finding.code in selected]

    def close(self) -> None:
        """Keep the evidence as it is now, and nothing of what was watched."""
        self._closed, self._trace = self.trace, None

    def raise_for_findings(self) -> None:
        """Raise `FindingsError` with the report as its text, unless there is nothing to report."""
        if self.findings:
            raise FindingsError(f"\n{self}")

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __bool__(self) -> bool:
        """A report is always true: `if report.findings` asks whether there are any."""
        return True

    def __str__(self) -> str:
        from freezelint.report import Outcome, Style, render

        return render(Outcome.of_traces(self.findings, [self.trace]), "full", Style())

    __repr__ = __str__


@contextmanager
def watch(
    model: nn.Module, optimizer: Optimizer | None = None, *, select: Sequence[str] | None = None
) -> Iterator[Report]:
    """Watch the training steps that run inside the `with` block, as they are, and report what freezing bugs
    they show.

        with freezelint.watch(model, optimizer) as report:
            train_one_epoch(model, optimizer, loader)
        print(report)

    Holds no copy of the model. The first two steps are looked at, and each one before which a flag or a mode
    changed. `select` lists codes, prefixes or names of rules; the default is every error and warning.
    """
    optimizers = _watched_optimizers(model, optimizer)
    recorder = _recorder()
    report = Report(recorder.trace, select)
    with recorder:
        _watch(recorder, model, optimizers)
        try:
            yield report
        finally:
            report.close()


def audit(
    model: nn.Module,
    optimizer: Optimizer,
    step: Callable[[], Any],
    *,
    steps: int = 2,
    select: Sequence[str] | None = None,
) -> Report:
    """Run `step` under observation and report what freezing bugs it shows, leaving everything as it was.

    `step()` does one forward and one backward pass. Where it calls neither `optimizer.step()` nor that of a
    `GradScaler`, the audit steps, and calls `zero_grad()` after it. `steps` such steps are taken; the second
    shows what only a second can (state, weights moved by hand). Parameters, buffers, gradients, optimizer
    state and groups, flags, modes and random number generators are then put back, also when `step` raises,
    whose exception is passed on. What else `step` changes stays as `step` left it: the scale of a
    `GradScaler`, a learning rate schedule's count, a data loader's position. A lazy module must have seen a
    batch before, else `freezelint.errors.BadInputError` is raised. Costs host memory for one copy of what a
    step can change.
    """
    optimizers = _watched_optimizers(model, optimizer)
    if not is_optimizer(optimizer):
        raise TypeError(f"optimizer must have `step` and `zero_grad`, and is {_kind(optimizer)}")
    if not callable(step):
        raise TypeError(f"step must be a function that takes one training step, and is {_kind(step)}")
    recorder = _recorder(steps)
    report = Report(recorder.trace, select)
    kept = Kept(model, optimizer)
    try:
        with recorder:
            _watch(recorder, model, optimizers)
            try:
                with kept.guard:
                    take_steps(recorder, optimizer, step, steps)
            finally:
                report.close()
    finally:
        kept.restore()
    return report


def _watched_optimizers(model: object, optimizer: object) -> list[Optimizer]:
    """The optimizers to look at; `TypeError` where the arguments are something else."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, and is {_kind(model)}")
    found = optimizers_in(optimizer)
    if not found and optimizer is not None:
        raise TypeError(
            "optimizer must be a torch.optim.Optimizer, or an object with one among its attributes, and is "
            f"{_kind(optimizer)}: pass the optimizer that steps"
        )
    return found


def _kind(value: object) -> str:
    return "None" if value is None else f"of class {type(value).__name__}"


def _watch(recorder: Recorder, model: nn.Module, optimizers: Sequence[Optimizer]) -> None:
    recorder.watch(model)
    for optimizer in optimizers:
        recorder.optimizers.known(optimizer)


def _recorder(steps: int = 2) -> Recorder:
    location = user_location()
    return Recorder(location.path if location else "<session>", LiveSettings(steps=steps))
