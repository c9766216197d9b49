"""FRZ204: a module was exchanged after the optimizer was built, which goes on training the old one."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Location, OptimizerState, Step, Trace
from freezelint.facts import is_trainable, subjects
from freezelint.facts.unheld import placements, updated_by_hand
from freezelint.finding import Fault, Related
from freezelint.wording import line, parameters_named


def check(trace: Trace) -> Iterator[Fault]:
    """Judges the optimizer that steps. Silent once any optimizer holds the new parameters."""
    told: set[int] = set()
    for step in trace.completed:
        if step.stepping:
            yield from _replaced(trace, step, step.stepping, told)


def _replaced(trace: Trace, step: Step, state: OptimizerState, told: set[int]) -> Iterator[Fault]:
    built = trace.optimizers[state.optimizer].built
    by_place: dict[object, tuple[Location | None, list[int]]] = {}
    for parameter in _successors(trace, step, state):
        if parameter in told:
            continue
        later = [event for event in placements(trace, parameter) if built is None or event.index > built]
        event = max(later, key=lambda event: event.index, default=None)
        # Where nothing recorded the exchange (`weight_norm`), the new parameter tells where it was made.
        place = event.location if event else trace.parameters[parameter].built
        by_place.setdefault(place and place.at(), (place, []))[1].append(parameter)
    for place, parameters in by_place.values():
        told.update(parameters)
        yield _fault(trace, state, place, parameters)


def _successors(trace: Trace, step: Step, state: OptimizerState) -> list[int]:
    """Living, trainable parameters in no optimizer that stand where an orphan of this optimizer stood."""
    lost: set[tuple[int | None, str]] = set()
    for p in dict.fromkeys(p for group in state.groups for p in group.parameters):
        parameter = trace.parameters[p]
        if not parameter.attached:
            lost.update((parameter.model, path) for path in parameter.paths)
    if not lost:
        return []
    roots = lost | {(model, root) for model, path in lost for root in _replaced_around(trace, model, path)}
    held = trace.held
    found = []
    for model in trace.models:
        for p in model.parameters:
            if p not in held and is_trainable(step, p) and step.parameters[p].gradient != "none":
                stands_in = any(
                    (model.index, origin) in roots for origin in _origins(trace.parameters[p].path)
                )
                if trace.parameters[p].attached and stands_in and updated_by_hand(trace, p) is not True:
                    found.append(p)
    return found


def _replaced_around(trace: Trace, model: int | None, path: str) -> Iterator[str]:
    """Paths of exchanged modules around the lost path: the new module may name its parameters otherwise."""
    for event in trace.events_of("replaced"):
        if event.name and path.startswith(f"{event.name}.") and any(m == model for m, _ in event.modules):
            yield event.name


def _origins(path: str) -> Iterator[str]:
    """What a parameter at `path` can succeed: its own path, what was split, a module around it."""
    yield path
    yield path.removesuffix("_g").removesuffix("_v").removesuffix("_orig")
    owner, _, rest = path.partition("parametrizations.")
    if rest:
        yield owner + rest.partition(".")[0]
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def _fault(trace: Trace, state: OptimizerState, place: Location | None, parameters: list[int]) -> Fault:
    optimizer = trace.optimizers[state.optimizer]
    built = trace.location(optimizer.built)
    when = f" ({line(built, place)})" if built else ""
    where = f" on {line(place)}" if place else ""
    return Fault(
        f"{parameters_named(trace, parameters)} took the place of other parameters{where} "
        f"after {optimizer.class_name} was built{when}: it goes on training the old ones "
        "and the new ones never learn; replace first, then build the optimizer",
        place or built,
        subjects(trace, parameters),
        (Related(built, f"{optimizer.class_name} was built here, over the old parameters"),)
        if place and built
        else (),
        {"replaced": len(parameters)},
    )
