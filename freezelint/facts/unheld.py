"""Parameters that get a gradient in vain: trainable and in no optimizer. Shared by the rules that say why."""

from __future__ import annotations

from collections.abc import Iterable

from freezelint.evidence import Event, Gradient, Model, Optimizer, Step, Trace
from freezelint.facts.memo import once_a_trace


@once_a_trace
def updated_by_hand(trace: Trace, parameter: int) -> bool | None:
    """Whether a parameter that no optimizer holds changes between steps: written or copied by hand.

    A trace of one step has nothing between steps, so the answer is no; with more, unknown stays unknown.
    """
    seen = {step.parameters[parameter].moved for step in trace.completed if parameter in step.parameters}
    if True in seen:
        return True
    return False if False in seen or len(trace.completed) == 1 else None


def left_out(
    trace: Trace, step: Step, model: Model, gradients: tuple[Gradient, ...] = ("nonzero",)
) -> list[int]:
    """Parameters that get a gradient in this step, that no optimizer ever holds and nothing else updates.

    A learner's (first-order MAML) are none: its gradients are copied by hand into its optimised twin.
    Where an optimizer may hold more than is known, nothing is known to be left out.
    """
    if not all(state.complete for other in trace.steps for state in other.optimizers):
        return []
    held = trace.held
    lent = _held_in_a_twin(trace, model.index)
    found = []
    for parameter in model.parameters:
        state = step.parameters.get(parameter)
        if state is None or not state.trainable or state.gradient not in gradients or parameter in held:
            continue
        if parameter in lent:
            continue
        if trace.parameters[parameter].attached and updated_by_hand(trace, parameter) is not True:
            found.append(parameter)
    return found


@once_a_trace
def _held_in_a_twin(trace: Trace, index: int) -> set[int]:
    """The parameters of this model whose counterparts an optimizer holds: in another living model with the
    same names and shapes.

    Not where the optimizer is known to leave the counterpart as it is: then nobody copies gradients into it.
    """
    found: set[int] = set()
    for twin in trace.twins[index]:
        pairs = zip(trace.models[index].parameters, twin.parameters, strict=True)
        found.update(mine for mine, its in pairs if its in trace.held and _may_be_fed(trace, its))
    return found


def _may_be_fed(trace: Trace, parameter: int) -> bool:
    """Whether it lives, and moves in a step of its own optimizer or has not been seen in one."""
    own = [step.parameters[parameter].moved for step in trace.completed if parameter in step.held_by_stepping]
    return trace.parameters[parameter].attached and (not own or any(moved is not False for moved in own))


def holders_of(trace: Trace, step: Step, model: Model) -> list[Optimizer]:
    """The optimizers that hold parameters of this model in this step, in order of construction."""
    indices = {optimizer for parameter in model.parameters for optimizer, _ in step.held_by(parameter)}
    found = [trace.optimizers[index] for index in indices]
    return sorted(found, key=lambda optimizer: -1 if optimizer.built is None else optimizer.built)


def last_built(optimizers: Iterable[Optimizer]) -> int:
    """The event that built the latest of these optimizers; -1 where all are older than what was seen."""
    return max((-1 if optimizer.built is None else optimizer.built for optimizer in optimizers), default=-1)


def arrival(trace: Trace, step: Step, parameter: int) -> Event | None:
    """The latest event that made the parameter trainable or put it into its model."""
    cause = trace.event(step.parameters[parameter].cause)
    events = [cause] if cause is not None and cause.kind == "unfrozen" else []
    events += placements(trace, parameter)
    return max(events, key=lambda event: event.index, default=None)


def placements(trace: Trace, parameter: int) -> list[Event]:
    """The "replaced" events that put the parameter, its module, or a module around it where it is."""
    found = {event.index: event for event in trace.events_of("replaced") if parameter in event.parameters}
    if parameter in trace.owners:
        model, path = trace.owners[parameter]
        modules = trace.models[model]
        for module in (modules.by_path[path], *modules.ancestors(path)):
            event = trace.event(module.assigned)
            if event is not None:
                found[event.index] = event
    return list(found.values())


def explicitly_set(trace: Trace) -> set[int]:
    """Parameters whose `requires_grad` some statement has set, to either value."""
    return {parameter for event in trace.events_of("frozen", "unfrozen") for parameter in event.parameters}
