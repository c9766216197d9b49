"""FRZ502: an attribute was set whose name is a misspelling of `requires_grad`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from freezelint.evidence import Event, Trace
from freezelint.facts import subjects
from freezelint.facts.flags import was_missed
from freezelint.finding import Fault
from freezelint.wording import parameters_named

_RIGHT = ("requires_grad", "requires_grad_")


def check(trace: Trace) -> Iterator[Fault]:
    """On a parameter such an attribute is never right; on a module it may be the user's own, so the flags
    must contradict it."""
    statements: dict[tuple[object, ...], list[Event]] = {}
    for event in trace.events_of("no-effect"):
        if is_misspelling(event.name):
            key = (event.location or event.index, event.name, event.value)
            statements.setdefault(key, []).append(event)
    for events in statements.values():
        yield from _judged(trace, events)


def is_misspelling(name: str) -> bool:
    """Whether someone who wrote this name meant `requires_grad`: at most two letters away, endings and
    underscores aside."""
    if name in _RIGHT or name.startswith("_") or any(letter.isdigit() for letter in name):
        return False
    letters = re.sub(r"grad(s|ients?)$", "grad", name.lower().replace("_", ""))
    return letters[:2] == "re" and _distance(letters, "requiresgrad") <= 2


def _judged(trace: Trace, events: list[Event]) -> Iterator[Fault]:
    first = events[0]
    touched = list(dict.fromkeys(p for event in events for p in _parameters(trace, event)))
    against = [p for p in touched if _contradicted(trace, first, p)]
    if not against and all(event.modules for event in events):
        return
    value = first.value or "…"
    named = parameters_named(trace, against or touched) if touched else "the tensor"
    if against:
        outcome = f"{named} stay {'frozen' if first.value == 'True' else 'trainable'}"
    else:
        outcome = f"it changes nothing on {named}"
    right = f"requires_grad_({value})" if first.modules else f"requires_grad = {value}"
    yield Fault(
        f"`{first.name}` is a misspelling that torch does not read: {outcome}; write `{right}`",
        first.location,
        subjects(trace, touched),
        evidence={"attribute": first.name, "value": first.value, "parameters": len(touched)},
    )


def _parameters(trace: Trace, event: Event) -> list[int]:
    inside = [p for model, path in event.modules for p in trace.models[model].parameters_within(path)]
    return [*event.parameters, *inside]


def _contradicted(trace: Trace, event: Event, parameter: int) -> bool:
    return event.value in ("True", "False") and was_missed(trace, event, parameter)


def _distance(one: str, other: str) -> int:
    """How many letters must be added, removed, changed or swapped with their neighbour to turn one word
    into the other."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        last, row, earlier = row, [i], before
        for j, wanted in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        before = last
    return row[-1]
