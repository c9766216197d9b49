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


class FindingsError(AssertionError):
    """Raised by `Report.raise_for_findings`; its text is the report."""


class Report:
    """What an audit found: iterable over its findings, printable, with the evidence in `trace`.

    While the `watch` that made it is still open, it holds what was seen so far.
    """

    def __init__(self, trace: Callable[[], Trace], select: Sequence[str] | None = None) -> None:
        self._trace = trace
        self._select = select
        self._closed: Trace | None = None

    @property
    def trace(self) -> Trace:
        """The evidence (`freezelint.evidence.Trace`)."""
        return self._closed if self._closed is not None else self._trace()

    @property
    def findings(self) -> list[Finding]:
        """The findings at the default selection, or at the one that was asked for."""
        from freezelint.judge import judge
        from freezelint.registry import rules
        from freezelint.selection import Selection

        selected = Selection(tuple(self._select) if self._select else None).codes(rules())
        return [finding for finding in judge([self.trace]) if finding.code in selected]

    def close(self) -> None:
        """Keep the evidence as it is now."""
        self._closed = self._trace()

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

        return render(Outcome(tuple(self.findings), (self.trace,)), "full", Style())

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
    recorder = _recorder()
    report = Report(recorder.trace, select)
    with recorder:
        recorder.watch(model, optimizer)
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

    `step()` does one forward and one backward pass. Where it does not call `optimizer.step()`, the audit
    does, and `zero_grad()` after it. `steps` such steps are taken; the second shows what only a second can
    (state, weights moved by hand). Parameters, buffers, gradients, optimizer state and groups, flags, modes
    and random number generators are then put back, also when `step` raises, whose exception is passed on.
    Costs host memory for one copy of what a step can change.
    """
    recorder = _recorder(steps)
    report = Report(recorder.trace, select)
    kept = Kept(model, optimizer)
    try:
        with recorder:
            recorder.watch(model, optimizer)
            try:
                with kept.guard:
                    take_steps(recorder, optimizer, step, steps)
            finally:
                report.close()
    finally:
        kept.restore()
    return report


def take_steps(recorder: Recorder, optimizer: Optimizer, step: Callable[[], Any], steps: int) -> None:
    """Call `step` so often, stepping the optimizer where it does not do so itself."""
    for _ in range(steps):
        before = recorder.journal.steps
        step()
        if recorder.journal.steps == before:
            optimizer.step()
            optimizer.zero_grad()


def _recorder(steps: int = 2) -> Recorder:
    location = user_location()
    return Recorder(location.path if location else "<session>", LiveSettings(steps=steps))
