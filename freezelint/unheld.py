"""Parameters that get a gradient in vain: trainable, used, and in no optimizer. Shared by the rules that say why it came to that."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from freezelint.evidence import Event, Gradient, Model, Optimizer, Step, Trace


def held_in_any_step(trace: Trace) -> set[int]:
    """Every parameter that an optimizer holds in some step of the trace, whether or not that optimizer ever steps."""
    return {parameter for step in trace.steps for parameter in step.holders}


def updated_by_hand(trace: Trace, parameter: int) -> bool | None:
    """Whether a parameter that no optimizer holds changes between the steps: hand-written updates, copied weights.

    A trace of one step has nothing between steps, so nothing there updates the parameter; with more steps, unknown stays unknown.
    """
    seen = {step.parameters[parameter].moved for step in trace.completed if parameter in step.parameters}
    if True in seen:
        return True
    return False if False in seen or len(trace.completed) == 1 else None


def left_out(
    trace: Trace, step: Step, model: Model, gradients: Collection[Gradient] = ("nonzero",)
) -> list[int]:
    """Parameters of the model that get a gradient in this step and that no optimizer ever holds, nor anything else is seen to update."""
    held = held_in_any_step(trace)
    found = []
    for parameter in model.parameters:
        state = step.parameters.get(parameter)
        if state is None or not state.trainable or state.gradient not in gradients or parameter in held:
            continue
        if trace.parameters[parameter].attached and updated_by_hand(trace, parameter) is not True:
            found.append(parameter)
    return found


def holders_of(trace: Trace, step: Step, model: Model) -> list[Optimizer]:
    """The optimizers that hold parameters of this model in this step, in the order in which they were built."""
    indices = {optimizer for parameter in model.parameters for optimizer, _ in step.held_by(parameter)}
    found = [trace.optimizers[index] for index in indices]
    return sorted(found, key=lambda optimizer: -1 if optimizer.built is None else optimizer.built)


def last_built(optimizers: Sequence[Optimizer]) -> int | None:
    """The event that built the latest of these optimizers, None where one of them was never seen being built."""
    events = [optimizer.built for optimizer in optimizers if optimizer.built is not None]
    return max(events) if events and len(events) == len(optimizers) else None


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
