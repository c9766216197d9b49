"""FRZ208: a group that was added after the schedule was built does not follow it."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Event, Location, RateChange, Schedule, Trace
from freezelint.facts import subjects
from freezelint.finding import Fault, Related
from freezelint.wording import line, parameters_named


def check(trace: Trace) -> Iterator[Fault]:
    """One finding a statement that adds groups. Silent for schedules that take every group along."""
    told: set[tuple[str, int]] = set()
    for event in trace.events_of("group-added"):
        place = event.location.at() if event.location else ("", event.index)
        if place in told:
            continue
        for schedule in trace.schedules:
            fault = _missed(trace, event, schedule)
            if fault is not None:
                told.add(place)
                yield fault
                break


def failed_step(trace: Trace, added: Event | None = None) -> Event | None:
    """The step of a schedule that raised for want of a group that was added (by this event)."""
    for event in trace.events_of("schedule-stepped"):
        wanted = added is None or (event.optimizer == added.optimizer and event.index > added.index)
        if event.value == "group-missing" and wanted:
            return event
    return None


def _missed(trace: Trace, added: Event, schedule: Schedule) -> Fault | None:
    if added.optimizer is None or schedule.optimizer != added.optimizer or schedule.built is None:
        return None
    newer = [s.built for s in trace.schedules if s.optimizer == added.optimizer and s.built is not None]
    if schedule.built > added.index or any(built > added.index for built in newer):
        return None
    raised = failed_step(trace, added)
    if raised is not None:
        told = f"{schedule.class_name} has no rate for it and raises when it steps ({{}})"
        return _fault(trace, added, schedule, told, raised.location)
    rate = _rate_left_behind(trace, added, schedule)
    if rate is None:
        return None
    told = f"{schedule.class_name} never changes its rate, which stays at {rate:g} while the others follow"
    return _fault(trace, added, schedule, told, None)


def _rate_left_behind(trace: Trace, added: Event, schedule: Schedule) -> float | None:
    """The rate at which the group stays while the schedule moves every group that it knows; None where it
    moves, or nothing else does.
    """
    optimizer = trace.optimizers[schedule.optimizer]
    if added.index not in optimizer.added:
        return None
    position = len(optimizer.groups) + optimizer.added.index(added.index)
    known = len(optimizer.groups) + sum(event < (schedule.built or 0) for event in optimizer.added)
    later = [c for c in trace.rate_changes if c.optimizer == optimizer.index and c.event > added.index]
    later = [change for change in later if position < len(change.rates)]
    if any(change.changed[position] is not False for change in later):
        return None
    index = trace.schedules.index(schedule)
    moves = [change for change in later if change.schedule == index and _moves_all(change, known)]
    return moves[0].rates[position] or None if moves else None


def _moves_all(change: RateChange, known: int) -> bool:
    """Whether each of the first groups got another rate: a group at zero stays there."""
    first = list(zip(change.changed[:known], change.rates[:known], strict=True))
    return any(changed for changed, _ in first) and all(changed or rate == 0 for changed, rate in first)


def _fault(trace: Trace, added: Event, schedule: Schedule, told: str, step: Location | None) -> Fault:
    built = trace.location(schedule.built)
    where = f" ({line(built, added.location)})" if built else ""
    related = [Related(built, "the schedule is built here")] if built else []
    if step is not None:
        related.append(Related(step, "the schedule is stepped here"))
    what = parameters_named(trace, added.parameters)
    return Fault(
        f"the group with {what} is added after the schedule was built{where}: "
        f"{told.format(line(step, added.location))}; build the schedule after the last group is added, or a "
        "new one with each group",
        added.location,
        subjects(trace, added.parameters),
        tuple(related),
        {"schedule": schedule.class_name, "raises": step is not None},
    )
