"""Questions that several checks ask of the evidence. Pure functions of the trace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from freezelint.evidence import Location, Model, Module, ModuleState, Step, Trace


def is_frozen(step: Step, parameter: int) -> bool:
    """Whether the parameter is known to be frozen in this step."""
    state = step.parameters.get(parameter)
    return state is not None and state.trainable is False


def is_trainable(step: Step, parameter: int) -> bool:
    """Whether the parameter is known to be trainable in this step."""
    state = step.parameters.get(parameter)
    return state is not None and state.trainable is True


def is_toggled(trace: Trace, parameter: int) -> bool:
    """Whether the parameter is trainable in some step of the trace: frozen only for part of an iteration
    (GANs, actor-critic).
    """
    return any(is_trainable(step, parameter) for step in trace.completed)


def unfrozen_after(trace: Trace, step: Step, parameter: int) -> bool:
    """Whether the parameter is trainable in a later step, or a statement after this step unfreezes it."""
    if any(is_trainable(later, parameter) for later in trace.completed if later.index > step.index):
        return True
    cause = step.parameters[parameter].cause if parameter in step.parameters else None
    now = step.event if step.event is not None else -1 if cause is None else cause
    return any(event.index > now and parameter in event.parameters for event in trace.events_of("unfrozen"))


def frozen_by_design(trace: Trace, step: Step, parameter: int) -> bool:
    """Whether the model's class froze it (sinusoidal positions, fixed filters): what was built along with it
    is trainable.

    Stored weights are not by design: whoever loads a backbone and freezes it in a constructor decided that.
    """
    cause, built = trace.location(step.parameters[parameter].cause), trace.parameters[parameter].built
    model = trace.model_of(parameter)
    if model is None or parameter not in trace.owners:
        return False
    # Of what was built before the audit began nobody knows who froze it.
    own = built is not None and (cause is None or _within_one_constructor(cause, built))
    if own and not _stored_by_then(trace, parameter, step.parameters[parameter].cause):
        together = model.parameters
    elif cause is None:
        together = model.by_path[trace.owners[parameter][1]].parameters
    elif built is not None and cause.at() == built.at():
        together = tuple(p for p in model.parameters if _built_at(trace, p) == built.at())
    else:
        return False
    return any(is_trainable(step, other) for other in together)


def _stored_by_then(trace: Trace, parameter: int, freeze: int | None) -> bool:
    """Whether it had stored weights when it was frozen; a checkpoint may have filled it since."""
    if trace.parameters[parameter].origin != "pretrained":
        return False
    loads = [event.index for event in trace.events_of("loaded") if parameter in event.parameters]
    return freeze is None or not loads or loads[0] < freeze


def _within_one_constructor(freeze: Location, built: Location) -> bool:
    """Whether the `__init__` that holds the freeze is also the one that, in the same call, built what it
    froze.
    """
    if freeze.function.rpartition(".")[2] != "__init__":
        return False
    places = (built, *built.calls)
    calls = [place.at() for place in freeze.calls]
    return any(
        (place.path, place.function) == (freeze.path, freeze.function)
        and [outer.at() for outer in places[position + 1 :]] == calls
        for position, place in enumerate(places)
    )


def _built_at(trace: Trace, parameter: int) -> tuple[str, int] | None:
    built = trace.parameters[parameter].built
    return built.at() if built else None


def wholly_frozen(step: Step, parameters: Iterable[int]) -> bool:
    """Whether there are parameters and every one is known to be frozen."""
    states = [is_frozen(step, parameter) for parameter in parameters]
    return bool(states) and all(states)


def frozen_blocks(model: Model, step: Step) -> list[Module]:
    """The largest modules all of whose parameters are frozen: none lies inside another. In definition
    order.
    """
    found: list[Module] = []
    for module in model.modules:
        inside = any(not outer.path or module.path.startswith(f"{outer.path}.") for outer in found)
        if not inside and wholly_frozen(step, model.parameters_within(module.path)):
            found.append(module)
    return found


def whole_modules(model: Model, parameters: Iterable[int]) -> list[Module]:
    """The largest modules all of whose parameters are among these, in definition order."""
    wanted = set(parameters)
    with_wanted: set[str] = set()
    with_others: set[str] = set()
    for module in model.modules:
        if module.parameters:
            around = {module.path, *(outer.path for outer in model.ancestors(module.path))}
            if not wanted.isdisjoint(module.parameters):
                with_wanted |= around
            if not wanted.issuperset(module.parameters):
                with_others |= around
    whole = with_wanted - with_others
    return [
        module
        for module in model.modules
        if module.path in whole and not any(outer.path in whole for outer in model.ancestors(module.path))
    ]


def modules_that_ran(model: Model, step: Step) -> Iterator[tuple[Module, ModuleState]]:
    """The modules of the model that ran in this step, with their states, in order of first execution."""
    states = step.modules.get(model.index, {})
    ran = [
        (module, states[module.path])
        for module in model.modules
        if module.path in states and states[module.path].ran
    ]
    yield from sorted(ran, key=lambda pair: -1 if pair[1].order is None else pair[1].order)


def trains(model: Model, step: Step) -> bool:
    """Whether the step trains something of this model: a parameter that is trainable, optimised and got a
    gradient.
    """
    for parameter in model.parameters:
        state = step.parameters.get(parameter)
        if state and state.trainable and state.gradient == "nonzero" and step.held_by(parameter):
            return True
    return False


def subject(trace: Trace, parameter: int) -> str:
    """How findings name a parameter as their subject: the model's name and the dotted path."""
    model = trace.model_of(parameter)
    path = trace.parameters[parameter].path or f"tensor {parameter}"
    return f"{model.name}.{path}" if model else path


def subjects(trace: Trace, parameters: Iterable[int]) -> tuple[str, ...]:
    """`subject` of each."""
    return tuple(subject(trace, parameter) for parameter in parameters)
