"""FRZ205: one parameter is stepped by two optimizers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

from freezelint.evidence import Step, Trace
from freezelint.facts import is_frozen, subjects
from freezelint.finding import Fault, Related
from freezelint.wording import agree, line, parameters_named


def check(trace: Trace) -> Iterator[Fault]:
    """Two that step on the gradients of one backward. Silent for one after the other (a rebuilt one, Adam and
    then L-BFGS) and for turns on losses of their own (adversarial autoencoders, SAC-AE): a design.
    """
    stepping = [(step.stepping.optimizer, step) for step in trace.completed if step.stepping]
    indices = sorted({index for index, _ in stepping})
    for first, second in combinations(indices, 2):
        turns = [(index, step) for index, step in stepping if index in (first, second)]
        if _share_a_backward(trace, turns):
            yield from _shared(trace, first, second, turns)


def _share_a_backward(trace: Trace, turns: list[tuple[int, Step]]) -> bool:
    """Whether both step on the same gradients: no backward lies between their steps."""
    for (one, before), (other, after) in pairwise(turns):
        if one == other or before.event is None or after.event is None or min(before.event, after.event) < 0:
            continue
        if "LBFGS" in trace.optimizers[other].class_name:  # calls backward itself, inside its step
            continue
        kinds = [event.kind for event in trace.events]
        if "backward" in kinds[: before.event] and "backward" not in kinds[before.event : after.event]:
            return True
    return False


def _shared(trace: Trace, first: int, second: int, turns: list[tuple[int, Step]]) -> Iterator[Fault]:
    common = set.intersection(*(_trained_by(index, turns) for index in (first, second)))
    shared = sorted(parameter for parameter in common if trace.parameters[parameter].attached)
    if not shared:
        return
    optimizers = trace.optimizers[first], trace.optimizers[second]
    places = [trace.location(optimizer.built) for optimizer in optimizers]
    yield Fault(
        f"{parameters_named(trace, shared)} {agree(len(shared), 'is', 'are')} stepped by two optimizers, "
        f"{optimizers[0].class_name} ({line(places[0], places[1])}) and "
        f"{optimizers[1].class_name} ({line(places[1])}), "
        "each with its own rate and state; give every parameter to one of them",
        places[1] or places[0],
        subjects(trace, shared),
        (Related(places[0], f"{optimizers[0].class_name} takes them here first"),)
        if places[0] and places[1]
        else (),
        {"shared": len(shared)},
    )


def _trained_by(optimizer: int, turns: list[tuple[int, Step]]) -> set[int]:
    """What this optimizer holds, and does not know as frozen, in its own steps."""
    found: set[int] = set()
    for index, step in turns:
        if index == optimizer and step.stepping:
            held = {p for group in step.stepping.groups for p in group.parameters}
            found.update(p for p in held if not is_frozen(step, p))
    return found
