"""FRZ405: unfreezing goes from the input to the output, or leaves a frozen block between trained ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from freezelint.evidence import Event, Model, Step, Trace
from freezelint.facts import is_frozen, is_toggled, is_trainable, subjects, wholly_frozen
from freezelint.facts.layers import (
    Layer,
    gradient_flows,
    layers,
    of_origin,
    parameters_of,
    span_of,
    spans,
    wholly_trained,
)
from freezelint.finding import Fault, Related
from freezelint.wording import agree, line, parameters_named

_NUMBER = re.compile(r"\d+")


def check(trace: Trace) -> Iterator[Fault]:
    """One finding a model: the order over time where it is known, else the first gap that a step shows."""
    for model in trace.models:
        fault = _over_time(trace, model) or next(
            (fault for step in trace.completed if (fault := _gap(trace, model, step))), None
        )
        if fault:
            yield fault


@dataclass(frozen=True)
class _Stage:
    """What became trainable before a step, for good, and the statement that did it."""

    step: Step
    parameters: tuple[int, ...]
    cause: Event


def _over_time(trace: Trace, model: Model) -> Fault | None:
    """Two successive stages, of which the second unfreezes layers that run after those of the first."""
    for early, late in pairwise(_stages(trace, model)):
        places = spans(model, late.step)
        first, second = span_of(places, early.parameters), span_of(places, late.parameters)
        if first is None or second is None or first.last >= second.first:
            continue
        if gradient_flows(model, late.step, first.last, second.first):
            return _order_fault(trace, early, late)
    return None


def _stages(trace: Trace, model: Model) -> list[_Stage]:
    """What becomes trainable between steps, having been frozen until then, and stays so; pretrained only."""
    found = []
    steps = trace.completed
    for position, step in enumerate(steps[1:], start=1):
        new = [p for p in model.parameters if _becomes_trainable(steps, position, p)]
        cause = trace.event(step.parameters[new[0]].cause) if new else None
        if cause is None or cause.kind != "unfrozen" or of_origin(trace, new, "pretrained") != new:
            continue
        if set(new) & set(parameters_of(_plain(layers(model, step)))):
            found.append(_Stage(step, tuple(new), cause))
    return found


def _becomes_trainable(steps: list[Step], position: int, parameter: int) -> bool:
    return all(is_frozen(step, parameter) for step in steps[:position]) and all(
        is_trainable(step, parameter) for step in steps[position:]
    )


def _order_fault(trace: Trace, early: _Stage, late: _Stage) -> Fault:
    first, second = parameters_named(trace, early.parameters), parameters_named(trace, late.parameters)
    related = (
        Related(early.cause.location, "the earlier layers are unfrozen here")
        if early.cause.location
        else None
    )
    return Fault(
        f"{first} {agree(len(early.parameters), 'is', 'are')} unfrozen "
        f"({line(early.cause.location, late.cause.location)}) before {second}, "
        "nearer to the output: gradual unfreezing starts at the output, where features are most "
        "specific; reverse the order",
        late.cause.location,
        subjects(trace, (*early.parameters, *late.parameters)),
        (related,) if related and early.cause.location != late.cause.location else (),
        {"order": "input to output"},
    )


def _gap(trace: Trace, model: Model, step: Step) -> Fault | None:
    """A frozen block between trained ones, in order of execution, that the gradient passes through."""
    run = _plain(layers(model, step))
    trained = [layer for layer in run if wholly_trained(step, layer.module.parameters)]
    frozen = [layer for layer in run if wholly_frozen(step, layer.module.parameters)]
    between = [layer for layer in frozen if trained and layer.order > trained[0].order]
    before = [layer for layer in trained if between and layer.order < between[0].order]
    after = [layer for layer in trained if between and layer.order > between[0].order]
    between = [layer for layer in between if after and layer.order < after[0].order]
    if not between or _by_kind(before, frozen, after) or _has_adapters(trace, model, step, frozen):
        return None
    if not gradient_flows(model, step, before[-1].order, between[-1].order):
        return None
    known = parameters_of([*before, *between])
    if of_origin(trace, known, "pretrained") != known:
        return None
    if any(is_toggled(trace, p) for p in parameters_of(between)):
        return None
    return _gap_fault(trace, model, step, (before[0].order, between[0].order, after[0].order))


def _plain(run: list[Layer]) -> list[Layer]:
    """Neither norm layers nor embeddings: to train these alone is a method, not an oversight."""
    return [layer for layer in run if layer.module.role not in ("norm", "embedding")]


def _has_adapters(trace: Trace, model: Model, step: Step, frozen: list[Layer]) -> bool:
    """Whether something not pretrained is trained before or inside what is frozen: adapters, prompts."""
    end = max((layer.order for layer in frozen), default=-1)
    return any(
        place.first < end and is_trainable(step, p) and trace.parameters[p].origin != "pretrained"
        for p, place in spans(model, step).items()
    )


def _by_kind(before: list[Layer], frozen: list[Layer], after: list[Layer]) -> bool:
    """Whether layers were chosen by kind, in every block alike (all attention layers), not by their place."""
    kinds = {_kind(layer) for layer in before}
    return kinds <= {_kind(layer) for layer in after} and not kinds & {_kind(layer) for layer in frozen}


def _kind(layer: Layer) -> str:
    return _NUMBER.sub("#", layer.module.path)


def _gap_fault(trace: Trace, model: Model, step: Step, starts: tuple[int, int, int]) -> Fault:
    """The fault, told with the norm layers of the three blocks, which start at these places of the order."""
    first, middle, last = starts
    run = layers(model, step)
    before = parameters_of(layer for layer in run if first <= layer.order < middle)
    between = parameters_of(layer for layer in run if middle <= layer.order < last)
    after = parameters_of(layer for layer in run if last <= layer.order)
    before, after = ([p for p in some if is_trainable(step, p)] for some in (before, after))
    between = [p for p in between if is_frozen(step, p)]
    freeze, unfreeze = (trace.event(step.parameters[some[0]].cause) for some in (between, before))
    thawed = unfreeze is not None and unfreeze.kind == "unfrozen"
    location = unfreeze.location if thawed and unfreeze else freeze.location if freeze else None
    where = f" ({line(freeze.location, location)})" if freeze and freeze.location else ""
    related = freeze.location if thawed and freeze else None
    return Fault(
        f"{parameters_named(trace, between)} {agree(len(between), 'is', 'are')} frozen{where} between "
        f"trained layers: {parameters_named(trace, before, 3)} run before, "
        f"{parameters_named(trace, after, 3)} after; unfreeze from the output towards the input, "
        "without a gap",
        location,
        subjects(trace, (*before, *between)),
        (Related(related, "the block between is frozen here"),) if related else (),
        {"order": "gap"},
    )
