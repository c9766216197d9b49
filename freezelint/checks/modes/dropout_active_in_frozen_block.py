"""FRZ104: dropout is active inside a wholly frozen block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from freezelint.evidence import Location, Model, Module, Step, Trace
from freezelint.facts import is_toggled
from freezelint.facts.norms import frozen_paths, in_train_mode, is_bystander, related
from freezelint.finding import Fault
from freezelint.wording import agree, line, listing, plural, shown


@dataclass(frozen=True)
class _Noise:
    model: Model
    module: Module
    block: str
    mode: Location | None
    freeze: Location | None


def check(trace: Trace) -> Iterator[Fault]:
    """Silent where something trainable lies before the dropout: there it regularises what is trained."""
    found: dict[tuple[int, str], _Noise] = {}
    for model in trace.models:
        if is_bystander(trace, model):
            continue
        for step in trace.completed:
            frozen = frozen_paths(model, step)
            for module in model.modules:
                noise = _noise(trace, step, model, module, frozen)
                if noise is not None:
                    found.setdefault((model.index, module.path), noise)
    groups: dict[object, list[_Noise]] = {}
    for noise in found.values():
        groups.setdefault((noise.model.index, noise.mode and noise.mode.at()), []).append(noise)
    for group in groups.values():
        yield _fault(group)


def _noise(trace: Trace, step: Step, model: Model, module: Module, frozen: set[str]) -> _Noise | None:
    if not module.dropout or not in_train_mode(trace, step, model, module):
        return None
    state = step.modules[model.index][module.path]
    if state.input_requires_grad is True:
        return None
    around = [outer.path for outer in model.ancestors(module.path) if outer.path in frozen]
    if not around:
        return None
    parameters = model.parameters_within(around[-1])
    if any(is_toggled(trace, p) for p in parameters):
        return None
    freeze = next(
        (step.parameters[p].cause for p in parameters if step.parameters[p].cause is not None), None
    )
    return _Noise(model, module, around[-1], trace.location(state.cause), trace.location(freeze))


def _fault(group: list[_Noise]) -> Fault:
    first = group[0]
    names = list(dict.fromkeys(shown(noise.model, noise.block) for noise in group))
    count, layers = len(names), len(group)
    location = first.mode or first.freeze or first.model.built
    where = f" ({line(first.freeze, first.mode)})" if first.freeze else ""
    when = f" ({line(first.mode)})" if first.mode else ""
    return Fault(
        f"{listing(names)} {agree(count, 'is', 'are')} frozen{where} but {agree(count, 'runs', 'run')} in "
        f"train mode{when}: {plural(layers, 'dropout layer')} {agree(layers, 'adds', 'add')} noise to "
        f"features that cannot adapt to it; call `.eval()` on {agree(count, 'it', 'them')}"
        f"{' after every `train()`' if first.mode else ''}",
        location,
        tuple(f"{noise.model.name}.{noise.module.path}" for noise in group),
        related(*((noise.freeze, "frozen here") for noise in group), beside=location),
        {
            "layers": len(group),
            "probabilities": sorted({noise.module.dropout for noise in group if noise.module.dropout}),
        },
    )
