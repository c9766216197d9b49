"""FRZ108: running statistics were reset, hardly filled again, and then frozen."""

from __future__ import annotations

import math
from collections.abc import Iterator

from freezelint.evidence import Model, Module, Norm, Step, Trace
from freezelint.facts.norms import layers_named, place, related
from freezelint.finding import Fault
from freezelint.wording import agree

_NEGLIGIBLE = 0.01  # weight of the initial value below which a calibration counts as complete


def check(trace: Trace) -> Iterator[Fault]:
    """Only where the reset itself was seen: random weights look like reset statistics."""
    found: dict[tuple[int, str], tuple[Step, Model, Module]] = {}
    for step in trace.completed:
        for model in trace.models:
            for module in model.modules:
                state = step.module(model.index, module.path)
                if state is None or not state.ran or state.training is not False or module.norm is None:
                    continue
                reset = trace.event(module.norm.reset)
                if reset is None or reset.steps_before > step.index or _is_put_back(trace, model, module):
                    continue
                if _initial_weight(module.norm):
                    found.setdefault((model.index, module.path), (step, model, module))
    groups: dict[object, list[tuple[Step, Model, Module]]] = {}
    for entry in found.values():
        norm = entry[2].norm
        reset = trace.event(norm.reset) if norm else None
        where = reset.location if reset else None
        key = (entry[1].index, where and where.at(), norm and (norm.momentum, norm.batches_since_reset))
        groups.setdefault(key, []).append(entry)
    for group in groups.values():
        yield _fault(trace, group)


def _is_put_back(trace: Trace, model: Model, module: Module) -> bool:
    """Whether the momentum was set more than once, the last time after the reset, and batches came: then it
    may have been another one for the calibration, and nobody knows which.
    """
    norm = module.norm
    if norm is None or not norm.batches_since_reset or norm.set_by is None or norm.set_by < (norm.reset or 0):
        return False
    where = (model.index, module.path)
    return sum(where in event.modules for event in trace.events_of("norm-set")) > 1


def _initial_weight(norm: Norm) -> float | None:
    """The share of the initial value in the statistics, where it is known and too large."""
    batches = norm.batches_since_reset
    if batches is None or not norm.has_statistics:
        return None
    if batches == 0:
        return 1.0
    if not norm.momentum:
        return None  # cumulative averaging is exact; a momentum of 0 may have been set after the calibration
    weight = float((1 - norm.momentum) ** batches)
    return weight if weight > _NEGLIGIBLE else None


def _fault(trace: Trace, group: list[tuple[Step, Model, Module]]) -> Fault:
    step, model, module = group[0]
    assert module.norm is not None
    reset = trace.event(module.norm.reset)
    mode = trace.event(step.modules[model.index][module.path].cause)
    location = reset.location if reset else None
    return Fault(
        f"the running statistics of {layers_named([m for _, _, m in group])} were reset and then frozen "
        f"{_state(module.norm)}",
        location or model.built,
        tuple(f"{owner.name}.{layer.path}" for _, owner, layer in group),
        related((place(mode), "frozen by eval mode here"), beside=location),
        {
            "layers": len(group),
            "batches": module.norm.batches_since_reset,
            "initial_weight": _initial_weight(module.norm),
        },
    )


def _state(norm: Norm) -> str:
    weight, batches = _initial_weight(norm) or 0.0, norm.batches_since_reset or 0
    if not batches:
        return (
            "with their initial mean 0 and variance 1; keep the stored statistics, or run training data "
            "through the model in train mode, with `momentum=None`, before `.eval()`"
        )
    assert norm.momentum is not None
    enough = math.ceil(math.log(_NEGLIGIBLE) / math.log(1 - norm.momentum)) if norm.momentum < 1 else 1
    return (
        f"after {batches} {agree(batches, 'batch', 'batches')} at momentum {norm.momentum:g}: their initial "
        f"value still weighs {weight:.0%}; calibrate with `momentum=None` (an exact average) or with at "
        f"least {enough} batches"
    )
