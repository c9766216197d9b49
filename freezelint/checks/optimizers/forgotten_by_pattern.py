"""FRZ210: the choice of what the optimizer holds leaves out parameters that are meant to train."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Event, Location, Model, Optimizer, Step, Trace
from freezelint.facts import subjects, trains
from freezelint.facts.unheld import arrival, holders_of, last_built, left_out, updated_by_hand
from freezelint.finding import Fault, Related
from freezelint.wording import agree, line, parameters_named


def check(trace: Trace) -> Iterator[Fault]:
    """Meant to train: unfrozen before the optimizer was built, or the rest of a module that it trains."""
    told: set[int] = set()
    for step in trace.completed:
        for model in trace.models:
            if model.index not in told and trains(model, step):
                faults = list(_forgotten(trace, step, model))
                told.update(model.index for _ in faults)
                yield from faults


def _forgotten(trace: Trace, step: Step, model: Model) -> Iterator[Fault]:
    holders = holders_of(trace, step, model)
    built = last_built(holders)
    left = [p for p in left_out(trace, step, model) if updated_by_hand(trace, p) is False]
    unfrozen = {p: event for p in left if (event := _unfreeze(trace, step, p)) is not None}
    early = {p: event for p, event in unfrozen.items() if event.index < built}
    parts = _rests_of_modules(model, step, [p for p in left if p not in unfrozen])
    forgotten = [p for p in left if p in early or p in parts]
    if forgotten:
        yield _fault(trace, holders[-1], forgotten, list(early.values()))


def _unfreeze(trace: Trace, step: Step, parameter: int) -> Event | None:
    """The unfreeze, or the later placement of its module (FRZ203), that left the parameter trainable."""
    cause = trace.event(step.parameters[parameter].cause)
    return arrival(trace, step, parameter) if cause is not None and cause.kind == "unfrozen" else None


def _rests_of_modules(model: Model, step: Step, left: list[int]) -> set[int]:
    """Those that belong to a module whose greater part is held: its weight is trained, its bias forgotten."""
    found: set[int] = set()
    for module in model.modules:
        rest = [p for p in module.parameters if p in left]
        held = [p for p in module.parameters if step.held_by(p)]
        if rest and len(rest) + len(held) == len(module.parameters) and module.parameters[0] in held:
            found.update(rest)
    return found


def _fault(trace: Trace, optimizer: Optimizer, forgotten: list[int], unfreezes: list[Event]) -> Fault:
    built = trace.location(optimizer.built)
    places: list[Location] = list(dict.fromkeys(event.location for event in unfreezes if event.location))
    if unfreezes:
        meant = f"unfrozen on {line(places[0], built)}" if places else "unfrozen"
    else:
        meant = "the rest of modules that it trains"
    count = len(forgotten)
    them = agree(count, "it", "them")
    return Fault(
        f"{optimizer.class_name} leaves out {parameters_named(trace, forgotten)}, {meant}: "
        f"{agree(count, 'it gets a gradient but never learns', 'they get gradients but never learn')}; "
        f"add {them} to a group, or freeze {them}",
        built,
        subjects(trace, forgotten),
        tuple(Related(place, "unfrozen here") for place in places),
        {"left_out": count},
    )
