"""FRZ201: an optimizer holds parameters that are frozen."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import OptimizerState, Step, Trace
from freezelint.facts import is_frozen, is_toggled, subjects
from freezelint.finding import Fault, Related
from freezelint.wording import line, parameters_named


def check(trace: Trace) -> Iterator[Fault]:
    """Silent for toggles within an iteration, and wherever the script still has an unfreeze ahead of it."""
    if trace.pending_unfreezes:
        return
    for step in trace.completed:
        if step.stepping:
            yield from _frozen_in(trace, step, step.stepping)


def _frozen_in(trace: Trace, step: Step, state: OptimizerState) -> Iterator[Fault]:
    held = [p for group in state.groups for p in group.parameters if trace.parameters[p].attached]
    frozen = [p for p in held if is_frozen(step, p) and not is_toggled(trace, p)]
    if not frozen or len(frozen) == len(held):
        return
    optimizer = trace.optimizers[state.optimizer]
    cause = trace.location(step.parameters[frozen[0]].cause)
    where = f" (frozen on {line(cause)})" if cause else ""
    yield Fault(
        f"{optimizer.class_name} holds {parameters_named(trace, frozen)}, which cannot train{where}; "
        "give it the trainable parameters only",
        trace.location(optimizer.built),
        subjects(trace, frozen),
        (Related(cause, "frozen here"),) if cause else (),
        {"frozen": len(frozen), "held": len(held)},
    )
