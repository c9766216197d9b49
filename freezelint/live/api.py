"""`freezelint.watch` and `freezelint.audit`: the live audit from inside a program, a notebook or a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from torch import nn
from torch.optim import Optimizer

from freezelint.costs import Measurement
from freezelint.evidence import Trace
from freezelint.finding import Finding
from freezelint.live.applying import Correction, apply
from freezelint.live.applying.objects import Objects
from freezelint.live.devices import placed
from freezelint.live.keeping import Kept
from freezelint.live.reading.places import user_location
from freezelint.live.recorder import Recorder
from freezelint.live.settings import LiveSettings
from freezelint.live.stepping import is_optimizer, optimizers_in, take_steps

_MOST_ROUNDS = 3
_UNDONE = "the next step shows it again: something in the step undoes the correction"


class FindingsError(AssertionError):
    """Raised by `Report.raise_for_findings`; its text is the report."""


class Report:
    """What an audit found: iterable over its findings, printable, with the evidence in `trace`.

    While the `watch` that made it is still open, it holds what was seen so far. It refers to the models and
    optimizers weakly, and to no tensor.
    """

    def __init__(
        self,
        trace: Callable[[], Trace],
        chosen: Callable[[Trace], Sequence[Finding]],
        objects: Callable[[], Objects],
    ) -> None:
        self._trace, self._objects = trace, objects
        self._chosen = chosen
        self.applied: tuple[Correction, ...] = ()

    @property
    def trace(self) -> Trace:
        """The evidence (`freezelint.evidence.Trace`)."""
        return self._trace()

    @property
    def findings(self) -> list[Finding]:
        """The findings at the default selection, or at the one that was asked for."""
        return list(self._chosen(self.trace))

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """What a step costs before and after the corrections, where `measure` was asked for: all of them
        together, then unused gradients (FRZ301) alone where there is more to correct.
        """
        return self.trace.measurements

    def apply(self, *, unsafe: bool = True) -> list[Correction]:
        """Correct the model and the optimizer, in this process, as the findings say; what was done, and
        refused with its reason, for each finding. `applied` keeps it.

        - Frozen norm layers go to eval and stay there through any later `train()` (FRZ101 to 103), as
          `freezelint.freezing.freeze` does it.
        - Frozen parameters leave their groups, with their state (FRZ201, 202), and lose stale gradients.
        - Missing ones join the group of their nearest siblings (FRZ203, 210), or take the place of what they
          replaced (FRZ204). Groups are neither added nor removed nor moved, so that schedules and whoever
          else counts groups go on; one that has lost everything stays, empty.
        - What no optimizer trains is frozen (FRZ301), a frozen new head unfrozen (FRZ402), and flags that did
          not take are set (FRZ501, 502), each with all that belongs to it.

        Other parameters, their state and the random numbers are not touched. With `unsafe=False` what decides
        for the author (FRZ103, FRZ210) is refused. Faults that lie in the code are refused: correct the code.
        The findings stay, for they tell what was seen; what a correction uncovers shows in the next audit.
        """
        return self._correct(self.findings, unsafe=unsafe)

    def _correct(self, findings: Sequence[Finding], *, unsafe: bool = True) -> list[Correction]:
        corrections = apply(findings, self.trace, self._objects(), unsafe=unsafe)
        self.applied += tuple(corrections)
        return corrections

    def close(self) -> None:
        """Keep the evidence as it is now, and nothing of what was watched."""
        trace, objects = self.trace, self._objects()
        self._trace, self._objects = lambda: trace, lambda: objects

    def _measure(self, model: nn.Module, optimizer: Any, step: Callable[[], Any]) -> None:
        """Put what the corrections save into the evidence."""
        from freezelint.live.measuring import measure

        seen = self.trace
        measurements = measure(seen, self.findings, self._objects(), model, optimizer, step)
        trace = replace(seen, measurements=measurements)
        self._trace = lambda: trace

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
    model: nn.Module,
    optimizer: Optimizer | None = None,
    *,
    select: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
) -> Iterator[Report]:
    """Watch the training steps that run inside the `with` block, as they are, and report what freezing bugs
    they show.

        with freezelint.watch(model, optimizer) as report:
            train_one_epoch(model, optimizer, loader)
        print(report)
        report.apply()

    Holds no copy of the model. The first two steps are looked at, and each one before which a flag or a mode
    changed. `select` and `ignore` list codes, prefixes or names of rules; the default is every error and
    warning.
    """
    optimizers = _watched_optimizers(model, optimizer)
    recorder = _recorder()
    report = Report(recorder.trace, selected(select, ignore), lambda: Objects(recorder, model))
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
    ignore: Sequence[str] = (),
    measure: bool = False,
    apply: bool = False,
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

    With `measure` about 20 to 300 more steps are taken, before and after what is found is corrected, to tell
    what the corrections save (`Report.measurements`); all is put back. With `apply` the model and the
    optimizer are then corrected for good (`Report.apply`), and audited anew, so that what one correction
    brings to light is corrected too; the report is that of the first audit, `Report.applied` tells it all.
    """
    chosen = selected(select, ignore)
    report = audited(model, optimizer, step, chosen, steps=steps)
    if measure:
        report._measure(model, optimizer, step)
    if apply:
        _apply(report, lambda: audited(model, optimizer, step, chosen, steps=steps))
    return report


def audited(
    model: nn.Module,
    optimizer: Any,
    step: Callable[[], Any],
    chosen: Callable[[Trace], Sequence[Finding]],
    *,
    steps: int,
    device: str | None = None,
) -> Report:
    """One audit, reporting what is chosen; on a `device`, what `step` places on a GPU goes where it says
    (`freezelint.live.devices.placed`).
    """
    optimizers = _watched_optimizers(model, optimizer)
    if not is_optimizer(optimizer):
        raise TypeError(f"optimizer must have `step` and `zero_grad`, and is {_kind(optimizer)}")
    if not callable(step):
        raise TypeError(f"step must be a function that takes one training step, and is {_kind(step)}")
    recorder = _recorder(steps)
    report = Report(recorder.trace, chosen, lambda: Objects(recorder, model))
    kept = Kept(model, optimizer)
    try:
        with nullcontext() if device is None else placed(device, recorder.note), recorder:
            _watch(recorder, model, optimizers)
            try:
                with kept.guard:
                    take_steps(recorder, optimizer, step, steps)
            finally:
                report.close()
    finally:
        kept.restore()
    return report


def selected(select: Sequence[str] | None, ignore: Sequence[str]) -> Callable[[Trace], Sequence[Finding]]:
    """Gives the findings of the rules that are selected. Raises BadInputError for a selector that selects
    nothing.
    """
    from freezelint.judge import judge
    from freezelint.registry import rules
    from freezelint.selection import Selection

    codes = Selection(tuple(select) if select else None, tuple(ignore)).codes(rules())
    return lambda trace: [finding for finding in judge([trace]) if finding.code in codes]


def _apply(report: Report, audit_again: Callable[[], Report]) -> None:
    """Correct, and look again: what that brings to light is corrected too, what comes back is told."""
    told: set[object] = set()
    found = report
    for _ in range(_MOST_ROUNDS):
        fresh = [finding for finding in found.findings if _key(finding) not in told]
        corrections = found._correct(fresh)
        if found is not report:
            report.applied += tuple(corrections)
        told.update(map(_key, fresh))
        corrected = {_key(each.finding) for each in corrections if each.done}
        if not corrected:
            return
        found = audit_again()
        back = [finding for finding in found.findings if _key(finding) in corrected]
        report.applied += tuple(Correction(each, refused=(_UNDONE,)) for each in back)


def _key(finding: Finding) -> object:
    return finding.code, finding.subjects


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
