"""Questions about norm layers and modes that the checks of `modes` share. Pure functions of the trace."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from freezelint.evidence import Event, Location, Model, Module, ModuleState, Step, Trace
from freezelint.facts import is_frozen, is_toggled, is_trainable
from freezelint.finding import Related
from freezelint.wording import agree, plural, shown

# Libraries whose norm layers are known to update statistics in train mode; of others it must be seen.
_KNOWN = ("torch", "torchvision", "transformers", "timm")
# Of these, the ones whose modules bring their own parts; torch's containers hold what the user puts there.
_BUILDERS = ("torchvision", "transformers", "timm")
_RIGHT_WITH = 5  # lines between a freeze and the `.eval()` that belongs to it


@dataclass(frozen=True)
class Drift:
    """A frozen norm layer that ran in train mode, in the first step that shows it.

    `cause` is the `.train()` that set the mode, `freeze` the event that froze the layer, `undone` the
    `.eval()` that was meant as part of the freeze and that `cause` undid; `block` is the largest frozen
    module around the layer, or the layer itself.
    """

    step: Step
    model: Model
    module: Module
    block: str
    cause: Event | None
    freeze: Event | None
    undone: Event | None

    @property
    def block_name(self) -> str:
        return shown(self.model, self.block)


def drifts(trace: Trace) -> list[Drift]:
    """Every frozen norm layer whose statistics a training step moved, each once."""
    found: dict[tuple[int, str], Drift] = {}
    for model in trace.models:
        if is_bystander(trace, model):
            continue
        copied: dict[str, bool] = {}
        for step in trace.completed:
            frozen = frozen_paths(model, step)
            for module in model.modules:
                block = (
                    _block(trace, model, module, frozen)
                    if _moves_statistics(trace, step, model, module)
                    else None
                )
                if block is None or (model.index, module.path) in found:
                    continue
                if block not in copied:
                    copied[block] = may_be_copied_by_hand(trace, model, block)
                parameters = module.parameters or tuple(model.parameters_within(block))
                if not copied[block] and not any(_alternates(trace, step, p) for p in parameters):
                    drift = _drift(trace, step, model, module, block, parameters, frozen)
                    found[model.index, module.path] = drift
    return list(found.values())


def frozen_paths(model: Model, step: Step) -> set[str]:
    """Paths of the modules that have parameters, all of which are known to be frozen."""
    holding: set[str] = set()
    open_: set[str] = set()
    for module in model.modules:
        if not module.parameters:
            continue
        around = {module.path, *(outer.path for outer in model.ancestors(module.path))}
        holding |= around
        if not all(is_frozen(step, parameter) for parameter in module.parameters):
            open_ |= around
    return holding - open_


def updates_statistics(module: Module, state: ModuleState) -> bool:
    """Whether a run of this layer in train mode is known to move its running statistics."""
    norm = module.norm
    if norm is None or not norm.has_statistics or not norm.tracks or norm.momentum == 0:
        return False
    if module.library not in _KNOWN or module.class_name.startswith("Frozen"):
        return state.statistics_moved is True
    return state.statistics_moved is not False


def in_train_mode(trace: Trace, step: Step, model: Model, module: Module) -> bool:
    """Whether the module ran this step in train mode, and was left in it.

    A module that is in eval mode at the end of the step, though some run was in train mode, had that run for
    another purpose: a look at the shapes before the training, a calibration.
    """
    state = step.module(model.index, module.path)
    if state is None or state.ran is not True or state.training is not True:
        return False
    return state.cause is not None or last_mode(trace, step, model, module.path) != "to-eval"


def last_mode(trace: Trace, step: Step, model: Model, path: str) -> str | None:
    """The kind of the latest `.train()` or `.eval()` that reached the module before the end of this step."""
    events = trace.events if step.event is None else trace.events[: step.event]
    for event in reversed(events):
        if event.kind in ("to-train", "to-eval") and covers(event, model, path):
            return event.kind
    return None


def is_optimised(trace: Trace, parameters: Iterable[int]) -> bool:
    """Whether some optimizer, at any time, holds one of these parameters."""
    held = {p for optimizer in trace.optimizers for group in optimizer.groups for p in group.parameters}
    return any(p in held or any(step.held_by(p) for step in trace.steps) for p in parameters)


def is_bystander(trace: Trace, model: Model) -> bool:
    """Whether nothing of the model is optimised and it only runs without gradients: a teacher or a target.

    What has no parameters teaches nothing: a norm layer alone that keeps the statistics of its inputs.
    """
    if not model.parameters or is_optimised(trace, model.parameters):
        return False
    calls = [
        state for step in trace.completed for state in step.modules.get(model.index, {}).values() if state.ran
    ]
    return bool(calls) and all(state.with_gradient is False for state in calls)


def may_be_copied_by_hand(trace: Trace, model: Model, path: str) -> bool:
    """Whether the module's weights are written by hand (momentum encoder, mean teacher), or may be.

    They may be where it runs without gradients and a trained module has the same parameters: that it stands
    still over the steps seen is no proof, for some copies are written every tenth step only. It is one where
    its weights came with its construction and those of the trained module did not, and no optimizer holds it
    (one may because `whole.parameters()` was handed over, copy included).
    """
    parameters = model.parameters_within(path)
    if not parameters:
        return False
    states = [[step.parameters[p] for p in parameters if p in step.parameters] for step in trace.completed]
    held = is_optimised(trace, parameters)
    if held and any(state.trainable is not False for step_states in states for state in step_states):
        return False
    if not held and any(state.moved for step_states in states for state in step_states):
        return True
    calls = [step.module(model.index, m.path) for step in trace.completed for m in model.within(path)]
    if any(call is not None and call.ran and call.with_gradient is not False for call in calls):
        return False
    stood_still = not held and len(states) > 1 and all(state.moved is False for state in states[-1])
    twins = list(_twins(trace, model, path, parameters))
    if stood_still and _came_loaded(trace, parameters):
        return any(all(trace.parameters[p].origin != "fresh" for p in twin) for twin in twins)
    return bool(twins)


def is_fresh(trace: Trace, module: Module) -> bool:
    """Whether all the module's own parameters are as their construction left them, never loaded."""
    return bool(module.parameters) and all(trace.parameters[p].origin == "fresh" for p in module.parameters)


def drifting(modules: Collection[Module]) -> str:
    """`1 BatchNorm layer drifts`, `40 BatchNorm layers drift`."""
    return f"{layers_named(modules)} {'drifts' if len(modules) == 1 else 'drift'}"


def keep_in_eval(cause: Event | None, count: int) -> str:
    """What to do so that frozen layers stay in eval mode, given the event that put them in train mode."""
    them = agree(count, "it", "them")
    if cause is None:
        return f"call `.eval()` on {them} before training"
    if cause.name:
        return (
            f"{cause.name} calls `train()` itself: override `train()` in the model, or use a callback, so "
            f"that {agree(count, 'it stays', 'they stay')} in eval mode"
        )
    return f"call `.eval()` on {them} after every `train()`"


def layers_named(modules: Collection[Module]) -> str:
    """`1 BatchNorm layer`, `40 BatchNorm layers`, `3 norm layers` for a mixture."""
    kinds = {_kind(module) for module in modules}
    return plural(len(modules), f"{kinds.pop() if len(kinds) == 1 else 'norm'} layer")


def related(*places: tuple[Location | None, str], beside: Location | None = None) -> tuple[Related, ...]:
    """The known places, each once, without the one that the finding itself points to."""
    seen = set() if beside is None else {beside.at()}
    found = []
    for location, message in places:
        if location is not None and location.at() not in seen:
            seen.add(location.at())
            found.append(Related(location, message))
    return tuple(found)


def place(event: Event | None) -> Location | None:
    """Where the event happened, if both are known."""
    return None if event is None else event.location


def came_with_loading(trace: Trace, event: Event, parameters: Collection[int]) -> bool:
    """Whether the mode was set by the very statement that made these parameters, as `from_pretrained` does.

    A second call in that statement (`from_pretrained(…).eval()`) is the user's own.
    """
    if event.location is None:
        return False
    same = [
        e for e in trace.events_of(event.kind) if e.location == event.location and e.modules == event.modules
    ]
    built = (trace.parameters[p].built for p in parameters)
    return len(same) == 1 and any(_same_span(event.location, location) for location in built)


def covers(event: Event, model: Model, path: str) -> bool:
    """Whether a call of `.train()` or `.eval()` reached the module at `path`."""
    return any(index == model.index and _inside(path, receiver) for index, receiver in event.modules)


def _moves_statistics(trace: Trace, step: Step, model: Model, module: Module) -> bool:
    if module.norm is None or not in_train_mode(trace, step, model, module):
        return False
    return updates_statistics(module, step.modules[model.index][module.path])


def _alternates(trace: Trace, step: Step, parameter: int) -> bool:
    """Whether the parameter is frozen for one half of an iteration only (GANs, actor-critic).

    It is then trainable in another step, or in the hands of optimizers other than the stepping one.
    """
    others = [optimizer for optimizer, _ in step.held_by(parameter)]
    stepping = step.stepping
    another_step = bool(others) and stepping is not None and stepping.optimizer not in others
    return another_step or is_toggled(trace, parameter)


def _block(trace: Trace, model: Model, module: Module, frozen: set[str]) -> str | None:
    """The largest frozen module around a frozen norm layer (itself at least); None where it is not frozen."""
    belongs = module.path in frozen if module.parameters else _is_part_of_its_block(trace, model, module)
    if not belongs:
        return None
    around = [outer.path for outer in model.ancestors(module.path) if outer.path in frozen]
    if around:
        return around[-1]
    return module.path if module.parameters else None


def _is_part_of_its_block(trace: Trace, model: Model, module: Module) -> bool:
    """Whether a layer without parameters was built as part of the frozen module around it.

    It is in a class of a library, or right behind a pretrained layer, whose outputs it normalises. Elsewhere
    it may be new, next to a frozen body: such a layer standardises the features.
    """
    if module.assigned is not None:
        return False
    around = model.ancestors(module.path)
    before = [m for m in model.modules if around and model.ancestors(m.path)[:1] == around[:1]]
    at = before.index(module) if module in before else 0
    if at and (weights := before[at - 1].parameters):
        return all(trace.parameters[p].origin == "pretrained" for p in weights)
    for outer in around:
        if model.parameters_within(outer.path):
            return outer.library in _BUILDERS
        if outer.assigned is not None:
            return False
    return False


def _drift(
    trace: Trace,
    step: Step,
    model: Model,
    module: Module,
    block: str,
    parameters: tuple[int, ...],
    frozen: set[str],
) -> Drift:
    state = step.modules[model.index][module.path]
    cause = trace.event(state.cause)
    freeze = next(
        (step.parameters[p].cause for p in parameters if step.parameters[p].cause is not None), None
    )
    undone = _undone(trace, model, module, parameters, cause, frozen)
    return Drift(step, model, module, block, cause, trace.event(freeze), undone)


def _undone(
    trace: Trace,
    model: Model,
    module: Module,
    parameters: Collection[int],
    cause: Event | None,
    frozen: set[str],
) -> Event | None:
    """The latest `.eval()` on this layer that was meant as part of its freeze and that `cause` undid."""
    if cause is None or cause.kind != "to-train":
        return None
    for event in reversed(trace.events[: cause.index]):
        if event.kind == "to-eval" and covers(event, model, module.path):
            if came_with_loading(trace, event, parameters):
                continue
            receivers = [path for index, path in event.modules if index == model.index]
            meant = (
                event.wholly_frozen is True
                or any(path in frozen for path in receivers)
                or any(path in model.by_path and model.by_path[path].role == "norm" for path in receivers)
                or any(_right_with(event, freeze) for freeze in _freezes(trace, parameters))
            )
            if meant:
                return event
    return None


def _freezes(trace: Trace, parameters: Collection[int]) -> Iterator[Event]:
    wanted = set(parameters)
    for event in trace.events_of("frozen"):
        if wanted.intersection(event.parameters):
            yield event


def _right_with(event: Event, freeze: Event) -> bool:
    one, other = event.location, freeze.location
    if one is None or other is None or event.steps_before != freeze.steps_before:
        return False
    together = (one.path, one.cell, one.function) == (other.path, other.cell, other.function)
    return together and abs(one.line - other.line) <= _RIGHT_WITH


def _came_loaded(trace: Trace, parameters: Collection[int]) -> bool:
    """Whether the statement that built these parameters also loaded them: their weights are no copy of what
    the script trains, as they may be after a `load_state_dict` of their own.
    """
    loads = {p: event.location for event in trace.events_of("loaded") for p in event.parameters}
    for p in parameters:
        load = loads.get(p)
        if trace.parameters[p].origin != "pretrained" or load is None:
            return False
        if not _same_span(load, trace.parameters[p].built):
            return False
    return True


def _twins(trace: Trace, model: Model, path: str, parameters: list[int]) -> Iterator[list[int]]:
    """The parameters of every other, trained module that has the same ones: of the same shapes in the same
    order, or by the same names.
    """
    shapes = [trace.parameters[p].shape for p in parameters]
    own = set(parameters)
    for other in trace.models:
        for module in other.modules:
            if other is model and (_inside(module.path, path) or _inside(path, module.path)):
                continue
            candidates = other.parameters_within(module.path)
            same = len(candidates) == len(shapes) and own.isdisjoint(candidates)
            same = same and [trace.parameters[p].shape for p in candidates] == shapes
            if same and _is_trained(trace, candidates):
                yield candidates
        yield from _namesakes(trace, other, path, parameters)


def _namesakes(trace: Trace, other: Model, path: str, parameters: list[int]) -> Iterator[list[int]]:
    """The same by names: what the twin shares with yet another module counts as its own, too.

    It may have whole modules more (a predictor on top), but in those of the same names nothing differs: a
    network that is only deeper is no twin.
    """
    own, start = set(parameters), len(path) + 1 if path else 0
    named = {name: p for p in other.parameters if p not in own for name in trace.parameters[p].paths}
    wanted = {
        name[start:]: trace.parameters[p].shape
        for p in parameters
        for name in trace.parameters[p].paths
        if _inside(name, path)
    }
    parts = _parts(wanted)
    for module in other.modules:
        at = f"{module.path}." if module.path else ""
        found = {
            name[len(at) :]: p
            for name, p in named.items()
            if name.startswith(at) and any(_inside(name[len(at) :], part) for part in parts)
        }
        same = {name: trace.parameters[p].shape for name, p in found.items()} == wanted
        if same and _is_trained(trace, found.values()):
            yield list(found.values())


def _parts(names: Collection[str]) -> set[str]:
    """The outermost modules or parameters with these names, where they are several; else what is in it."""
    depth = 1
    while True:
        found = {".".join(name.split(".")[:depth]) for name in names}
        if len(found) != 1 or found == set(names):
            return found
        depth += 1


def _is_trained(trace: Trace, parameters: Collection[int]) -> bool:
    """Whether an optimizer holds some of these, or they may be trained by hand."""
    return is_optimised(trace, parameters) or any(
        is_trainable(step, p) for step in trace.completed for p in parameters
    )


def _same_span(one: Location, other: Location | None) -> bool:
    if other is None or one.at() != other.at():
        return False
    ends = (one.end_line, one.end_column), (other.end_line, other.end_column)
    return ends[0] == ends[1] and one.column == other.column


def _inside(path: str, outer: str) -> bool:
    return not outer or path == outer or path.startswith(f"{outer}.")


def _kind(module: Module) -> str:
    for kind in ("BatchNorm", "InstanceNorm"):
        if kind in module.class_name:
            return kind
    return "norm"
