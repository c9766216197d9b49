"""FRZ404: a schedule, or a loop written by hand, gives every group one rate, against the groups' own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from freezelint.evidence import Location, Optimizer, RateChange, Trace
from freezelint.facts import subjects
from freezelint.facts.rates import own_rates, steps_of
from freezelint.finding import Fault, Related
from freezelint.wording import line

# A sweep over rates before the training gives every group one rate on purpose.
_SWEEP = re.compile(r"find|range_test|sweep", re.IGNORECASE)


def check(trace: Trace) -> Iterator[Fault]:
    """One finding an optimizer, for the first time that its groups train at one rate."""
    for optimizer in trace.optimizers:
        rates = own_rates(optimizer)
        changes = [change for change in trace.rate_changes if change.optimizer == optimizer.index]
        for change in changes if rates else ():
            if _flattens(trace, rates, change, changes):
                yield _fault(trace, optimizer, rates, change)
                break


def _flattens(trace: Trace, rates: list[float], change: RateChange, changes: list[RateChange]) -> bool:
    """Whether a step is taken at one rate for all, and this rate is not merely the floor where schedules end.

    Before the first step there is no decay yet; later only a rate above the lowest one can be no floor.
    """
    steps = steps_of(trace, change.optimizer)
    later = [other.event for other in changes if other.event > change.event]
    in_force = [step for step in steps if step > change.event and not any(other < step for other in later)]
    if change.equal is not True or not in_force:
        return False
    if _sweeps(trace.location(change.event)) or _sweeps(trace.location(in_force[0])):
        return False
    begun = any(step < change.event for step in steps)
    one = change.rates[0] if change.rates else None
    return not begun or (one is not None and one > rates[0] * (1 + 1e-6))


def _sweeps(location: Location | None) -> bool:
    places = (location, *location.calls) if location else ()
    return any(_SWEEP.search(place.function) for place in places)


def _fault(trace: Trace, optimizer: Optimizer, rates: list[float], change: RateChange) -> Fault:
    built, place = trace.location(optimizer.built), trace.location(change.event)
    schedule = None if change.schedule is None else trace.schedules[change.schedule]
    if schedule is not None:
        place = trace.location(schedule.built) or place
    one = change.rates[0] if change.rates else None
    same = "one rate" if one is None else f"one rate ({one:g})"
    who = f"{schedule.class_name} gives" if schedule else "writing the rates by hand gives"
    remedy = "give it one value a group" if schedule else "scale each group's own rate instead"
    own = f"{rates[0]:g} to {rates[-1]:g}"
    where = f" on {line(built, place)}" if built and place and built.at() != place.at() else ""
    held = dict.fromkeys(p for group in optimizer.groups for p in group.parameters)
    return Fault(
        f"{who} every group of {optimizer.class_name} {same}, which undoes the rates that the groups were "
        f"built with{where} ({own}); {remedy}",
        place or built,
        subjects(trace, held),
        (Related(built, "the groups get rates of their own here"),) if where and built else (),
        {"rates": rates, "rate": one},
    )
