"""FRZ304: reentrant gradient checkpointing over inputs that require no grad gives the parameters inside
no gradient."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Event, Step, Trace
from freezelint.facts import subjects
from freezelint.finding import Fault
from freezelint.wording import parameters_named


def check(trace: Trace) -> Iterator[Fault]:
    """The module must have run in such a checkpoint, and what it holds for training must have got no
    gradient in any step."""
    for step in trace.completed:
        cut = [p for p in _held_by_the_stepping(step) if _is_cut(trace, step, p)]
        if cut:
            yield _fault(trace, step, cut)
            return


def _held_by_the_stepping(step: Step) -> list[int]:
    groups = step.stepping.groups if step.stepping else ()
    return list(dict.fromkeys(p for group in groups for p in group.parameters))


def _is_cut(trace: Trace, step: Step, parameter: int) -> bool:
    place, state = trace.owners.get(parameter), step.parameters.get(parameter)
    owner = None if place is None else step.module(*place)
    if owner is None or state is None or not (owner.ran and owner.cut_by_checkpoint):
        return False
    others = [s.parameters[parameter].gradient for s in trace.completed if parameter in s.parameters]
    return state.trainable is True and all(gradient == "none" for gradient in others)


def _fault(trace: Trace, step: Step, cut: list[int]) -> Fault:
    event = _checkpoint(trace, step)
    built = trace.optimizers[step.stepping.optimizer].built if step.stepping else None
    return Fault(
        f"{parameters_named(trace, cut)} never train: they run inside a reentrant checkpoint none of whose "
        "inputs requires grad, so "
        "they get no gradient; checkpoint with `use_reentrant=False`, or call `enable_input_require_grads()`",
        event.location if event else trace.location(built),
        subjects(trace, cut),
        evidence={"parameters": len(cut)},
    )


def _checkpoint(trace: Trace, step: Step) -> Event | None:
    """The first such checkpoint that ran before the step."""
    before = trace.events[: step.event]
    return next((event for event in before if event.kind == "checkpointed"), None)
