"""FRZ105: dropout and norm layers are in eval mode while the parameters around them are trained."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Event, Location, Model, Module, Step, Trace
from freezelint.facts.norms import came_with_loading, last_mode, layers_named, related
from freezelint.finding import Fault
from freezelint.wording import agree, line, plural


def check(trace: Trace) -> Iterator[Fault]:
    """Silent where the user chose eval mode and never train mode: eval from start to end is a decision."""
    for model in trace.models:
        for step in trace.completed:
            fault = _left_in_eval(trace, step, model) or _came_in_eval(trace, step, model)
            if fault is not None:
                yield fault
                break


def _left_in_eval(trace: Trace, step: Step, model: Model) -> Fault | None:
    """The whole model was in train mode before, then put in eval, and never put back."""
    state = step.module(model.index, "")
    put = trace.event(state.cause) if state else None
    if put is None or put.kind != "to-eval" or not _wholly_in_eval(step, model, ""):
        return None
    layers = _silenced(step, model, "")
    before = _trained_before(trace, step, model, put, layers)
    if not layers or before is None:
        return None
    since = f" since {line(put.location)}" if put.location else ""
    return Fault(
        f"`{model.name}` is trained in eval mode{since}: {_effect(layers)}; call `{model.name}.train()` "
        "before the training steps of every epoch",
        put.location,
        tuple(f"{model.name}.{layer.path}" for layer in layers),
        related((before.location, "put in train mode here"), beside=put.location) if before.location else (),
        {"layers": len(layers)},
    )


def _came_in_eval(trace: Trace, step: Step, model: Model) -> Fault | None:
    """Pretrained modules came in eval mode, as from `from_pretrained`, and nobody ever set a mode."""
    found: list[Module] = []
    layers: list[Module] = []
    for module in model.modules:
        if any(not outer.path or module.path.startswith(f"{outer.path}.") for outer in found):
            continue
        if _is_untouched(trace, step, model, module) and _is_pretrained(trace, model, module):
            found.append(module)
            layers.extend(_silenced(step, model, module.path))
    if not layers:
        return None
    touched = [outer for outer in found if _silenced(step, model, outer.path)]
    name = ".".join(part for part in (model.name, touched[0].path) if part)
    more = f" (and {plural(len(touched) - 1, 'more module')})" if len(touched) > 1 else ""
    return Fault(
        f"`{name}`{more} came in eval mode and is trained without a call of `train()`: {_effect(layers)}; "
        f"call `{model.name}.train()` before the training steps",
        _arrival(trace, step, model, touched[0]) or model.built,
        tuple(f"{model.name}.{layer.path}" for layer in layers),
        (),
        {"layers": len(layers)},
    )


def _arrival(trace: Trace, step: Step, model: Model, module: Module) -> Location | None:
    state = step.module(model.index, module.path)
    return trace.location(state.cause) if state else None


def _wholly_in_eval(step: Step, model: Model, path: str) -> bool:
    states = [step.module(model.index, module.path) for module in model.within(path)]
    ran = [state for state in states if state is not None and state.ran is not False]
    return bool(ran) and all(state.training is False for state in ran)


def _is_untouched(trace: Trace, step: Step, model: Model, module: Module) -> bool:
    """Whether all of this module is in eval mode, and no statement of the user's put it there."""
    states = [step.module(model.index, inner.path) for inner in model.within(module.path)]
    known = [state for state in states if state is not None]
    if len(known) < len(states) or not any(state.ran for state in known):
        return False
    if any(state.cause is None for state in known) and last_mode(trace, step, model, module.path) is not None:
        return False
    causes = {state.cause for state in known if state.cause is not None}
    parameters = model.parameters_within(module.path)
    return all(state.training is False for state in known) and all(
        came_with_loading(trace, trace.events[cause], parameters) for cause in causes
    )


def _is_pretrained(trace: Trace, model: Model, module: Module) -> bool:
    return any(trace.parameters[p].origin == "pretrained" for p in model.parameters_within(module.path))


def _silenced(step: Step, model: Model, path: str) -> list[Module]:
    """Dropout and norm layers at and below `path` that ran in eval mode inside what this step trains."""
    found = []
    for module in model.within(path):
        state = step.module(model.index, module.path)
        counts = bool(module.dropout) or (module.norm is not None and module.norm.has_statistics)
        if counts and state is not None and state.ran and state.training is False:
            around = module.parameters or _parameters_around(model, module)
            if any(_is_trained(step, parameter) for parameter in around):
                found.append(module)
    return found


def _parameters_around(model: Model, module: Module) -> list[int]:
    """The parameters of the nearest module around a layer without any of its own."""
    for outer in model.ancestors(module.path):
        if parameters := model.parameters_within(outer.path):
            return parameters
    return []


def _is_trained(step: Step, parameter: int) -> bool:
    """Whether this very step trains it: a model that was tested between the steps of another one's training
    still has the gradients of its own last step.
    """
    state = step.parameters.get(parameter)
    trained = state is not None and state.trainable is True and state.gradient == "nonzero"
    return trained and parameter in step.held_by_stepping


def _trained_before(trace: Trace, step: Step, model: Model, put: Event, layers: list[Module]) -> Event | None:
    """What shows that the model was in train mode before `put`: a `.train()`, or a step in which one of these
    layers ran in train mode.

    That the model itself is marked so tells nothing: it is from its construction, also where only its head
    ran.
    """
    for event in reversed(trace.events[: put.index]):
        if event.kind == "to-train" and (model.index, "") in event.modules:
            return event
    for earlier in trace.completed:
        states = [earlier.module(model.index, layer.path) for layer in layers]
        ran = [state for state in states if state is not None and state.ran]
        if earlier.index < step.index and any(state.training is True for state in ran):
            return trace.event(earlier.event)
    return None


def _effect(layers: list[Module]) -> str:
    parts = []
    if dropouts := [layer for layer in layers if layer.norm is None]:
        parts.append(f"{plural(len(dropouts), 'dropout layer')} {agree(len(dropouts), 'does', 'do')} nothing")
    if norms := [layer for layer in layers if layer.norm is not None]:
        parts.append(f"{layers_named(norms)} {agree(len(norms), 'uses', 'use')} stored statistics")
    return " and ".join(parts)
