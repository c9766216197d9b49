"""FRZ203: parameters that became trainable, or were added, after the optimizer was built: none holds them."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Event, Model, Optimizer, Step, Trace
from freezelint.facts import subjects, trains
from freezelint.facts.unheld import arrival, holders_of, last_built, left_out
from freezelint.finding import Fault, Related
from freezelint.wording import agree, line, parameters_named


def check(trace: Trace) -> Iterator[Fault]:
    """Needs optimised siblings and a late event. Silent for updates by hand and for late groups."""
    told: set[int] = set()
    for step in trace.completed:
        for model in trace.models:
            if trains(model, step):
                yield from _late(trace, step, model, told)


def _late(trace: Trace, step: Step, model: Model, told: set[int]) -> Iterator[Fault]:
    holders = holders_of(trace, step, model)
    built = last_built(holders)
    by_place: dict[object, tuple[Event, list[int]]] = {}
    for parameter in left_out(trace, step, model):
        event = arrival(trace, step, parameter)
        if event is not None and event.index > built and parameter not in told:
            key = event.location.at() if event.location else event.index
            by_place.setdefault(key, (event, []))[1].append(parameter)
    for event, parameters in by_place.values():
        told.update(parameters)
        yield _fault(trace, event, parameters, holders[-1])


def _fault(trace: Trace, event: Event, parameters: list[int], optimizer: Optimizer) -> Fault:
    built = trace.location(optimizer.built)
    became = "became trainable" if event.kind == "unfrozen" else "came into the model"
    where = f" ({line(built, event.location)})" if built else ""
    count = len(parameters)
    them = agree(count, "it", "them")
    return Fault(
        f"{parameters_named(trace, parameters)} {became} after {optimizer.class_name} was built{where} "
        f"and no optimizer holds {them}: "
        f"{agree(count, 'it gets a gradient but never learns', 'they get gradients but never learn')}; "
        f"add {them} with `add_param_group`, or build the optimizer afterwards",
        event.location,
        subjects(trace, parameters),
        (Related(built, f"{optimizer.class_name} was built here"),) if built else (),
        {"left_out": count},
    )
