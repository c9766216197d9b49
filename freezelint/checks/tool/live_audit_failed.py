"""FRZ003: the live audit could not reach a training step."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.checks.heads import replaced_wrong_attribute
from freezelint.checks.optimizers import nothing_to_train, scheduler_misses_group
from freezelint.evidence import Failure, Step, Trace
from freezelint.facts import is_trainable, subjects
from freezelint.finding import Fault
from freezelint.wording import plural

_ADVICE = {
    "crash": "make the script run by itself, or use `--hermetic` if it lacks data, weights or network",
    "exit": "give the script the arguments it needs after `--`",
    "timeout": "allow more time with `--timeout`, or give the script less to do before its first step",
    "killed": "run the script by itself to see whether it runs out of memory",
    "no-step": "check the script that trains, with the arguments after `--` that make it train",
    "no-graph": "compute the loss from trainable parameters, outside `no_grad` and without `detach`",
    "empty-optimizer": "hand the optimizer the parameters that are to be trained",
    "bad-factory": "return `(model, optimizer, step)` from the factory",
}


def check(trace: Trace) -> Iterator[Fault]:
    """Silent where another rule already says why there was nothing to step."""
    failure = trace.failure
    if failure is None or _is_explained(trace, failure):
        return
    what = " ".join(failure.message.split()).rstrip(".") or "it stopped for an unknown reason"
    where = f" (line {failure.location.line})" if failure.location else ""
    # Where a stand-in is missing the message itself tells what to do.
    advice = failure.advice.rstrip(".") or _ADVICE.get(failure.kind, "")
    yield Fault(
        f"{_progress(trace)}: {what}{where}{f'; {advice}' if advice else ''}",
        failure.location,
        evidence={"kind": failure.kind, "steps": trace.steps_done},
    )


def _progress(trace: Trace) -> str:
    if trace.completed:
        return f"the audit ended after {plural(trace.steps_done, 'training step')}"
    return "no training step was reached"


def _is_explained(trace: Trace, failure: Failure) -> bool:
    """Whether FRZ206 (exhausted iterator), FRZ208 (a schedule that misses a group), FRZ209 (nothing to train)
    or FRZ408 (a head that never runs) tells the cause of this failure.
    """
    if failure.kind == "crash":
        last = scheduler_misses_group.failed_step(trace)
        told = last is not None and last is trace.events[-1]
        return told and any(True for _ in scheduler_misses_group.check(trace))
    if failure.kind not in ("no-graph", "empty-optimizer"):
        return False
    if trace.events_of("iterator-exhausted"):
        return True
    return any(True for _ in nothing_to_train.check(trace)) or _trains_only_what_never_runs(trace)


def _trains_only_what_never_runs(trace: Trace) -> bool:
    unused = {name for fault in replaced_wrong_attribute.check(trace) for name in fault.subjects}
    step = trace.steps[-1] if trace.steps else None
    return bool(unused) and step is not None and unused.issuperset(_trainable(trace, step))


def _trainable(trace: Trace, step: Step) -> tuple[str, ...]:
    return subjects(trace, (p for p in step.parameters if is_trainable(step, p)))
