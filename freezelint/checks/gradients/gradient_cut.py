"""FRZ303: parameters that are meant to train get no gradient, because the graph is cut between them and
the loss."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Event, Location, Model, ModuleState, Step, Trace
from freezelint.facts import modules_that_ran, subjects
from freezelint.finding import Fault, Related
from freezelint.wording import line, parameters_named


def check(trace: Trace) -> Iterator[Fault]:
    """The cut itself must be seen: a module that ran without grad mode only, or a detached output that
    something trains on. A cut that depends on a condition may be a stage of a
    schedule: two steps do not show that it lasts.
    """
    reported: set[int] = set()
    for step in trace.steps:
        if step.phase == "optimizer-built":
            continue
        cut = [p for p in _without_gradient(trace, step) if p not in reported]
        no_grad = _without_twins(trace, step, [p for p in cut if _ran_without_grad_mode(trace, step, p)])
        detached = _by_cut(trace, step, [p for p in cut if not _ran_without_grad_mode(trace, step, p)])
        reported.update(no_grad, *detached.values())
        yield from _by_no_grad(trace, step, [p for p in no_grad if not _cut_on_condition(trace, step, p)])
        for event, parameters in detached.items():
            if not event.conditional:
                yield _by_detach(trace, step, event, parameters)


def _without_gradient(trace: Trace, step: Step) -> list[int]:
    """What the step was to train (trainable, held by the stepping optimizer alone, its module ran) and
    what never had a gradient."""
    held = [state for state in step.optimizers if state.stepping or step.phase == "backward"]
    found = []
    for parameter in dict.fromkeys(p for state in held for group in state.groups for p in group.parameters):
        state = step.parameters.get(parameter)
        owner = _owner(trace, step, parameter)
        if state is None or owner is None or not owner.ran or owner.cut_by_checkpoint:
            continue
        if not trace.parameters[parameter].attached or len({o for o, _ in step.held_by(parameter)}) > 1:
            continue
        if state.trainable and state.gradient == "none" and not _ever_has_gradient(trace, parameter):
            found.append(parameter)
    return found


def _ever_has_gradient(trace: Trace, parameter: int) -> bool:
    """Whether some other step gives it a gradient (or may have): losses that take turns, a stop-gradient
    on one of two branches."""
    return any(s.parameters[parameter].gradient != "none" for s in trace.steps if parameter in s.parameters)


def _owner(trace: Trace, step: Step, parameter: int) -> ModuleState | None:
    place = trace.owners.get(parameter)
    return None if place is None else step.module(*place)


def _ran_without_grad_mode(trace: Trace, step: Step, parameter: int) -> bool:
    owner = _owner(trace, step, parameter)
    return owner is not None and owner.without_gradient is True and owner.with_gradient is False


def _cut_on_condition(trace: Trace, step: Step, parameter: int) -> bool:
    owner = _owner(trace, step, parameter)
    return owner is not None and owner.conditional_cut


def _by_cut(trace: Trace, step: Step, parameters: list[int]) -> dict[Event, list[int]]:
    """The parameters under the statement of this iteration that cut them off.

    Of several it is the one that cuts the least that does get gradients. Something that trains must have run
    on what was cut: an output detached for a log, of a head that is in no loss, is no cut.
    """
    ended = [s.event for s in trace.steps[: step.index] if s.event is not None]
    start, end = max(ended, default=-1), len(trace.events) if step.event is None else step.event
    detaches = [event for event in trace.events[start + 1 : end] if event.kind == "detached"]
    last = _last_that_trains_on_a_cut(trace, step) if parameters and detaches else -1
    found: dict[Event, list[int]] = {}
    for parameter in parameters:
        owner = _owner(trace, step, parameter)
        events = [event for event in detaches if parameter in event.parameters]
        if events and owner is not None and (step.phase == "backward" or (owner.order or 0) < last):
            event = min(events, key=lambda e: sum(_has_gradient(step, p) for p in e.parameters))
            found.setdefault(event, []).append(parameter)
    return found


def _last_that_trains_on_a_cut(trace: Trace, step: Step) -> int:
    """When the last module ran that gets gradients though its input requires none; -1 where there is none."""
    orders = [
        state.order or 0
        for model in trace.models
        for module, state in modules_that_ran(model, step)
        if state.input_requires_grad is False
        and any(_has_gradient(step, p) for p in model.parameters_within(module.path))
    ]
    return max(orders, default=-1)


def _has_gradient(step: Step, parameter: int) -> bool:
    state = step.parameters.get(parameter)
    return state is not None and state.gradient in ("nonzero", "zero")


def _without_twins(trace: Trace, step: Step, parameters: list[int]) -> list[int]:
    """These parameters, less copies of something that trains: target or teacher networks updated by hand."""
    cut = set(parameters)
    copies: dict[tuple[int, str], bool] = {}
    kept = []
    for parameter in parameters:
        model = trace.model_of(parameter)
        if model is None:
            continue
        for path in ("", trace.parameters[parameter].path.partition(".")[0]):
            if (model.index, path) not in copies:
                copies[model.index, path] = _is_a_copy(trace, step, model, path, cut)
            if copies[model.index, path]:
                break
        else:
            kept.append(parameter)
    return kept


def _is_a_copy(trace: Trace, step: Step, model: Model, path: str, cut: set[int]) -> bool:
    """Whether all of this module is cut off, and another of the same make does train."""
    if not cut.issuperset(_trainable(step, model.parameters_within(path))):
        return False
    places = [(other, module.path) for other in trace.models for module in other.modules]
    return any(
        "." not in place
        and (other.index, place) != (model.index, path)
        and _alike(trace, model, path, other, place)
        and any(_has_gradient(step, p) for p in other.parameters_within(place))
        for other, place in places
    )


def _trainable(step: Step, parameters: list[int]) -> list[int]:
    return [p for p in parameters if p in step.parameters and step.parameters[p].trainable]


def _alike(trace: Trace, model: Model, path: str, other: Model, place: str) -> bool:
    """The same class around the same tree of several layers, with parameters of the same shapes."""
    one, two = model.within(path), other.within(place)
    if len(one) < 3 or [m.class_name for m in one] != [m.class_name for m in two]:
        return False
    shapes = [
        [trace.parameters[p].shape for p in tree.parameters_within(at)]
        for tree, at in ((model, path), (other, place))
    ]
    return shapes[0] == shapes[1]


def _by_no_grad(trace: Trace, step: Step, parameters: list[int]) -> Iterator[Fault]:
    """One finding for each statement that declared the parameters trainable: their unfreeze, else their
    optimizer."""
    places: dict[Location | None, list[int]] = {}
    for parameter in parameters:
        places.setdefault(_declared(trace, step, parameter), []).append(parameter)
    for location, found in places.items():
        yield Fault(
            f"{parameters_named(trace, found)} did not train in the steps watched: they are trainable and in "
            "the optimizer, but ran only under `no_grad` (or `inference_mode`) and got no gradient; "
            "run them with gradients, or freeze them and "
            "leave them out of the "
            "optimizer",
            location,
            subjects(trace, found),
            evidence={"cut": "no_grad", "parameters": len(found)},
        )


def _by_detach(trace: Trace, step: Step, event: Event, parameters: list[int]) -> Fault:
    declared = _declared(trace, step, parameters[0])
    return Fault(
        f"{parameters_named(trace, parameters)} did not train in the steps watched: their output is cut "
        "from the graph here, and they got no gradient; "
        f"remove the cut, or freeze them and leave them out of the optimizer",
        event.location,
        subjects(trace, parameters),
        (Related(declared, f"meant to train: {line(declared)}"),) if declared else (),
        {"cut": "detach", "parameters": len(parameters)},
    )


def _declared(trace: Trace, step: Step, parameter: int) -> Location | None:
    """The statement that says that the parameter is to train."""
    cause = trace.event(step.parameters[parameter].cause)
    if cause is not None and cause.kind == "unfrozen":
        return cause.location
    held = step.held_by(parameter)
    if not held:
        return None
    optimizer, position = held[0]
    extra = position - len(trace.optimizers[optimizer].groups)
    added = trace.optimizers[optimizer].added
    built = added[extra] if 0 <= extra < len(added) else trace.optimizers[optimizer].built
    return trace.location(built)
