"""What one path shows of a statement, in the light of all the others: a statement that was to freeze
something is at fault only if it froze nothing on any path, and what is frozen at random only if no path
has weights for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from freezelint.evidence import Event, Location, Model, Trace

if TYPE_CHECKING:
    from freezelint.source.reader import Run

# A freeze: the place of the statement, and the path of a parameter.
_Frozen = tuple[tuple[str, int], str]
# Reasons for which a statement writes flags, and yet to no avail.
_ON_COPIES = ("tensor-copy", "object-copy")


def settled(entries: Iterable[tuple[Run, ...]]) -> tuple[tuple[Run, ...], ...]:
    """The runs; a statement that wrote a flag in one of them, or may have done so, is certain in none.
    Weights that some run loads are there for the asking: what is frozen without them may have them, too.
    """
    runs = tuple(_with_weights(paths) for paths in entries)
    traces = [run.trace for paths in runs for run in paths]
    suspects = {event.location for trace in traces for event in _misses(trace) if event.certain}
    cleared = {place for place in suspects if place is not None and _froze_elsewhere(place, traces)}
    if not cleared:
        return runs
    return tuple(tuple(replace(run, trace=_cleared(run.trace, cleared)) for run in paths) for paths in runs)


def _with_weights(paths: tuple[Run, ...]) -> tuple[Run, ...]:
    """The runs over one entry; of fresh parameters that another run freezes with stored weights the origin is
    unknown.
    """
    stored = {key for run in paths for key, _ in _frozen(run.trace, stored=True)}
    if not stored:
        return paths
    return tuple(replace(run, trace=_of_unknown_origin(run.trace, stored)) for run in paths)


def _of_unknown_origin(trace: Trace, stored: set[_Frozen]) -> Trace:
    meant = {index for key, index in _frozen(trace, stored=False) if key in stored}
    if not meant:
        return trace
    parameters = tuple(
        replace(parameter, origin="unknown") if index in meant else parameter
        for index, parameter in enumerate(trace.parameters)
    )
    return replace(trace, parameters=parameters)


def _frozen(trace: Trace, *, stored: bool) -> Iterator[tuple[_Frozen, int]]:
    """The parameters that were frozen, by the statement and their path: those that are fresh, or those that
    are not. A checkpoint of everything, which a training is resumed from, tells nothing of how it began.
    """
    for event in trace.events_of("frozen"):
        if event.location is None:
            continue
        models = [trace.model_of(index) for index in event.parameters]
        resumed = {model.index for model in models if model is not None and _is_stored(trace, model)}
        for index, model in zip(event.parameters, models, strict=True):
            parameter = trace.parameters[index]
            if (parameter.origin != "fresh") is not stored or model is None:
                continue
            if not (stored and model.index in resumed):
                yield (event.location.at(), parameter.path), index


def _is_stored(trace: Trace, model: Model) -> bool:
    return all(trace.parameters[index].origin == "pretrained" for index in model.parameters)


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
