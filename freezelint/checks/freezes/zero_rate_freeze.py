"""FRZ509: a learning rate of zero is used as a freeze."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Group, Location, Optimizer, Step, Trace
from freezelint.facts import subjects
from freezelint.finding import Fault
from freezelint.wording import parameters_named, size


def check(trace: Trace) -> Iterator[Fault]:
    """The rate must be zero in every step seen of that optimizer: a warm-up or a staged rate is none of
    this rule's business."""
    for optimizer in trace.optimizers:
        steps = [s for s in trace.completed if s.stepping and s.stepping.optimizer == optimizer.index]
        if steps:
            for position in range(len(_groups(steps[-1]))):
                yield from _judged(trace, optimizer, position, steps)


def _judged(trace: Trace, optimizer: Optimizer, position: int, steps: list[Step]) -> Iterator[Fault]:
    seen = [_groups(step) for step in steps if position < len(_groups(step))]
    if not all(_is_zero(groups[position]) and _another_trains(groups, position) for groups in seen):
        return
    wasted = [p for p in seen[-1][position].parameters if _gets_gradient(steps[-1], p)]
    if not wasted:
        return
    bytes_wasted = sum(trace.parameters[p].bytes for p in wasted)
    drift = ", and running statistics among them drift" if _drifts(trace, steps[-1], wasted) else ""
    yield Fault(
        f"{optimizer.class_name} holds {parameters_named(trace, wasted)} at a learning rate of 0: they do "
        "not move, but "
        f"their gradients are computed and kept ({size(bytes_wasted)}){drift}; freeze them with "
        "`requires_grad_(False)`",
        _where(trace, optimizer, position),
        subjects(trace, wasted),
        evidence={"group": position, "parameters": len(wasted), "gradient_bytes": bytes_wasted},
    )


def _groups(step: Step) -> tuple[Group, ...]:
    return step.stepping.groups if step.stepping else ()


def _is_zero(group: Group) -> bool:
    """Whether the rate is 0 and no schedule is going to raise it."""
    return group.lr == 0 and not group.initial_lr


def _another_trains(groups: tuple[Group, ...], position: int) -> bool:
    return any(group.lr for other, group in enumerate(groups) if other != position)


def _gets_gradient(step: Step, parameter: int) -> bool:
    state = step.parameters.get(parameter)
    return state is not None and state.trainable is True and state.gradient == "nonzero"


def _drifts(trace: Trace, step: Step, parameters: list[int]) -> bool:
    owners = [trace.owners[p] for p in parameters if p in trace.owners]
    states = [step.module(model, path) for model, path in owners]
    return any(state is not None and state.statistics_moved is True for state in states)


def _where(trace: Trace, optimizer: Optimizer, position: int) -> Location | None:
    """Where the group was made: with the optimizer, or added to it later."""
    extra = position - len(optimizer.groups)
    if 0 <= extra < len(optimizer.added):
        return trace.location(optimizer.added[extra])
    return trace.location(optimizer.built)
