"""FRZ103: `momentum=0` or `track_running_stats=False` used to freeze a norm layer."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Location, Model, Module, ModuleState, Step, Trace
from freezelint.facts import is_toggled
from freezelint.facts.norms import frozen_paths, in_train_mode, layers_named, related
from freezelint.finding import Fault
from freezelint.wording import agree, listing, shown

_Layer = tuple[Step, Model, Module]


def check(trace: Trace) -> Iterator[Fault]:
    """Silent where a run in the same step moves the statistics: the setting is temporary (SAM, VAT)."""
    found: dict[tuple[int, str], _Layer] = {}
    for step in trace.completed:
        for model in trace.models:
            frozen = frozen_paths(model, step)
            for module in model.modules:
                if (model.index, module.path) not in found and _held_still(
                    trace, step, model, module, frozen
                ):
                    found[model.index, module.path] = (step, model, module)
    groups: dict[object, list[_Layer]] = {}
    for layer in found.values():
        where = _location(trace, *layer)
        groups.setdefault((layer[1].index, where and where.at(), _setting(layer[2])), []).append(layer)
    for group in groups.values():
        yield _fault(trace, group)


def _held_still(trace: Trace, step: Step, model: Model, module: Module, frozen: set[str]) -> bool:
    norm, state = module.norm, step.module(model.index, module.path)
    if norm is None or not norm.has_statistics or (norm.tracks and norm.momentum != 0):
        return False
    if state is None or not in_train_mode(trace, step, model, module):
        return False
    if module.parameters and module.path in frozen:
        toggled = any(is_toggled(trace, p) for p in module.parameters)
        return state.statistics_moved is not True and not toggled
    return _stand_still_throughout(trace, model, module) and _is_pretrained(trace, module)


def _stand_still_throughout(trace: Trace, model: Model, module: Module) -> bool:
    states = [step.module(model.index, module.path) for step in trace.completed]
    ran: list[ModuleState] = [state for state in states if state is not None and state.ran]
    return bool(ran) and all(state.training is True and state.statistics_moved is False for state in ran)


def _is_pretrained(trace: Trace, module: Module) -> bool:
    return bool(module.parameters) and all(
        trace.parameters[p].origin == "pretrained" for p in module.parameters
    )


def _setting(module: Module) -> str:
    assert module.norm is not None
    return "momentum=0" if module.norm.tracks else "track_running_stats=False"


def _location(trace: Trace, step: Step, model: Model, module: Module) -> Location | None:
    set_by = trace.location(module.norm.set_by) if module.norm else None
    return set_by or _freeze(trace, step, module) or _mode(trace, step, model, module) or model.built


def _freeze(trace: Trace, step: Step, module: Module) -> Location | None:
    causes = [step.parameters[p].cause for p in module.parameters if step.parameters[p].trainable is False]
    return next((trace.location(cause) for cause in causes if cause is not None), None)


def _mode(trace: Trace, step: Step, model: Model, module: Module) -> Location | None:
    return trace.location(step.modules[model.index][module.path].cause)


def _fault(trace: Trace, group: list[_Layer]) -> Fault:
    step, model, module = group[0]
    names = [shown(owner, layer.path) for _, owner, layer in group]
    count = len(group)
    location = _location(trace, *group[0])
    return Fault(
        f"{listing(names)} {agree(count, 'is', 'are')} held still by `{_setting(module)}` but "
        f"{agree(count, 'runs', 'run')} in train mode: {layers_named([layer for _, _, layer in group])} "
        f"still {agree(count, 'normalises', 'normalise')} with the statistics of each batch; call `.eval()` "
        f"on {agree(count, 'it', 'them')} after every `train()` instead",
        location,
        tuple(f"{owner.name}.{layer.path}" for _, owner, layer in group),
        related(
            (_freeze(trace, step, module), "frozen here"),
            (_mode(trace, step, model, module), "put in train mode here"),
            beside=location,
        ),
        {"layers": len(group), "setting": _setting(module)},
    )
