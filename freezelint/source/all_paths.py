"""What one path shows of a statement, in the light of all the others: a statement that was to freeze
something is at fault only if it froze nothing on any path.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from freezelint.evidence import Event, Location, Trace

if TYPE_CHECKING:
    from freezelint.source.reader import Run

# Reasons for which a statement writes flags, and yet to no avail.
_ON_COPIES = ("tensor-copy", "object-copy")


def settled(entries: Iterable[tuple[Run, ...]]) -> tuple[tuple[Run, ...], ...]:
    """The runs; a statement that wrote a flag in one of them, or may have done so, is certain in none."""
    runs = tuple(entries)
    traces = [run.trace for paths in runs for run in paths]
    suspects = {event.location for trace in traces for event in _misses(trace) if event.certain}
    cleared = {place for place in suspects if place is not None and _froze_elsewhere(place, traces)}
    if not cleared:
        return runs
    return tuple(tuple(replace(run, trace=_cleared(run.trace, cleared)) for run in paths) for paths in runs)


def _misses(trace: Trace) -> list[Event]:
    return [event for event in trace.events_of("froze-nothing") if event.reason not in _ON_COPIES]


def _froze_elsewhere(statement: Location, traces: list[Trace]) -> bool:
    return any(
        any(not event.certain for event in _misses(trace) if _is_at(event.location, statement))
        or any(_is_within(event.location, statement) for event in trace.events_of("frozen", "unfrozen"))
        for trace in traces
    )


def _is_at(place: Location | None, statement: Location) -> bool:
    return place is not None and place.at() == statement.at()


def _is_within(place: Location | None, statement: Location) -> bool:
    """Whether something happened on the lines of the statement, or in what they called."""
    if place is None:
        return False
    last = statement.end_line or statement.line
    return any(
        one.at()[0] == statement.at()[0] and statement.line <= one.line <= last
        for one in (place, *place.calls)
    )


def _cleared(trace: Trace, cleared: set[Location]) -> Trace:
    places = {place.at() for place in cleared}
    events = tuple(
        replace(event, certain=None)
        if event.kind == "froze-nothing"
        and event.location is not None
        and event.location.at() in places
        and event.reason not in _ON_COPIES
        else event
        for event in trace.events
    )
    return replace(trace, events=events)
