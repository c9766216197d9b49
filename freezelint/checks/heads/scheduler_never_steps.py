"""FRZ409: gradual unfreezing or discriminative rates with a schedule that is built but never stepped."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Location, Schedule, Trace
from freezelint.facts import is_frozen, subjects
from freezelint.facts.rates import own_rates, steps_of, unfreezes_between_steps
from freezelint.finding import Fault, Related
from freezelint.wording import line


def check(trace: Trace) -> Iterator[Fault]:
    """One finding a statement that builds schedules which nothing steps, nor can step later."""
    idle = [schedule for schedule in trace.schedules if _is_idle(trace, schedule)]
    told: set[tuple[str, int]] = set()
    for schedule in reversed(idle):  # of schedules inside a schedule the outermost is built last
        location = trace.location(schedule.built)
        stage = _stage(trace, schedule.optimizer)
        if location is None or stage is None or location.at() in told:
            continue
        told.add(location.at())
        yield _fault(trace, schedule, location, *stage)


def _is_idle(trace: Trace, schedule: Schedule) -> bool:
    """Whether its optimizer steps and it never does, nor another schedule that could stand for it."""
    if schedule.built is None or schedule.steps != 0 or schedule.can_step is not False:
        return False
    location = trace.location(schedule.built)
    for other in trace.schedules:
        place = trace.location(other.built)
        same = place is not None and location is not None and place.at() == location.at()
        if other.steps != 0 and (same or other.optimizer == schedule.optimizer):
            return False
    return any(step > schedule.built for step in steps_of(trace, schedule.optimizer))


def _stage(trace: Trace, optimizer: int) -> tuple[str, Location | None] | None:
    """What makes the rates matter: rates of their own, or layers that join later. None where there is
    neither.
    """
    built = trace.optimizers[optimizer]
    if own_rates(built):
        return "every group keeps its first rate", None
    unfreezes = unfreezes_between_steps(trace, optimizer)
    if unfreezes:
        return "the rates stay as they are while layers are unfrozen", unfreezes[0].location
    last = trace.completed[-1] if trace.completed else None
    models = {trace.parameters[p].model for group in built.groups for p in group.parameters} - {None}
    own = (p.id for p in trace.parameters if p.model in models)
    if trace.pending_unfreezes and last is not None and any(is_frozen(last, p) for p in own):
        return "the rates stay as they are while layers are unfrozen", trace.pending_unfreezes[0]
    return None


def _fault(
    trace: Trace, schedule: Schedule, location: Location, consequence: str, unfreeze: Location | None
) -> Fault:
    optimizer = trace.optimizers[schedule.optimizer]
    held = dict.fromkeys(p for group in optimizer.groups for p in group.parameters)
    where = f" ({line(unfreeze, location)})" if unfreeze else ""
    return Fault(
        f"{schedule.class_name} is built for {optimizer.class_name} and never stepped: {consequence}{where}; "
        "call its `step()` where the schedule is to advance, or remove it",
        location,
        subjects(trace, held),
        (Related(unfreeze, "layers are unfrozen here"),) if unfreeze else (),
        {"schedule": schedule.class_name},
    )
