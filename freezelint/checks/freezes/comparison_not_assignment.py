"""FRZ503: `requires_grad == False` stands as a statement, which compares and sets nothing."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Event, Trace
from freezelint.facts import subjects
from freezelint.facts.flags import parameters_meant, trainable_after, was_missed
from freezelint.finding import Fault
from freezelint.wording import agree, parameters_named


def check(trace: Trace) -> Iterator[Fault]:
    """Silent where every parameter has the flag that was meant all the same."""
    statements: dict[object, list[Event]] = {}
    for event in trace.events_of("compared"):
        if not event.observed:
            statements.setdefault(event.location.at() if event.location else event.index, []).append(event)
    for events in statements.values():
        yield from _judged(trace, events)


def _judged(trace: Trace, events: list[Event]) -> Iterator[Fault]:
    first = events[0]
    pairs = [(event, p) for event in events for p in parameters_meant(trace, event)]
    touched = list(dict.fromkeys(p for _, p in pairs))
    missed = list(dict.fromkeys(p for event, p in pairs if _has(trace, event, p) is False))
    known = all(parameters_meant(trace, event) for event in events)
    if known and all(_has(trace, event, p) for event, p in pairs):
        return
    value = first.value or "…"
    if missed:
        stay = agree(len(missed), "stays", "stay")
        outcome = f"{parameters_named(trace, missed)} {stay} {'frozen' if value == 'True' else 'trainable'}"
    else:
        outcome = "no flag is set"
    right = f"requires_grad_({value})" if first.modules else f"requires_grad = {value}"
    yield Fault(
        f"this statement compares `requires_grad` with {first.value or 'a value'} and throws the answer "
        f"away: {outcome}; write `{right}`",
        first.location,
        subjects(trace, missed or touched),
        evidence={"value": first.value, "parameters": len(missed)},
    )


def _has(trace: Trace, event: Event, parameter: int) -> bool | None:
    """Whether the parameter has the flag that was meant; without a constant nobody knows what was."""
    if event.value not in ("True", "False") or trainable_after(trace, event, parameter) is None:
        return None
    return not was_missed(trace, event, parameter)
