"""FRZ206: an iterator of parameters is used a second time, when nothing is left in it."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Trace
from freezelint.facts import subjects
from freezelint.finding import Fault


def check(trace: Trace) -> Iterator[Fault]:
    """One finding for each statement that reads a spent iterator."""
    told: set[object] = set()
    for event in trace.events_of("iterator-exhausted"):
        key = (event.location.at() if event.location else None, event.name)
        if key in told:
            continue
        told.add(key)
        clips = "clip" in event.name
        effect = "no gradient is clipped" if clips else "it gets no parameters"
        by = f" by {event.value}" if event.value else ""
        yield Fault(
            f"The iterator of parameters given to {event.name} was already used up{by}, so {effect}; "
            "keep the parameters in a list",
            event.location,
            subjects(trace, event.parameters),
            evidence={"consumer": event.name, "consumed_by": event.value},
        )
