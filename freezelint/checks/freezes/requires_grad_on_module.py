"""FRZ501: `requires_grad` was assigned to a module, where nothing reads it."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Event, Trace
from freezelint.facts import subjects
from freezelint.facts.flags import was_missed
from freezelint.finding import Fault
from freezelint.wording import agree, parameters_named

_NAMES = ("requires_grad", "requires_grad_")


def check(trace: Trace) -> Iterator[Fault]:
    """Silent where the parameters have the intended flag all the same, e.g. because they were frozen
    properly as well."""
    statements: dict[tuple[object, ...], list[Event]] = {}
    for event in trace.events_of("no-effect"):
        if event.name in _NAMES:
            key = (event.location or event.index, event.name, event.value)
            statements.setdefault(key, []).append(event)
    for events in statements.values():
        yield from _judged(trace, events)


def _judged(trace: Trace, events: list[Event]) -> Iterator[Fault]:
    first = events[0]
    missed: dict[int, None] = {}
    for event in events:
        inside = [p for model, path in event.modules for p in trace.models[model].parameters_within(path)]
        missed.update((p, None) for p in [*event.parameters, *inside] if was_missed(trace, event, p))
    # A module of which only that it is one is known has parameters, as far as its author thinks.
    unknown = all(event.certain and not event.modules and not event.parameters for event in events)
    if not missed and not unknown:
        return
    wanted = first.value if first.value in ("True", "False") else "…"
    named = parameters_named(trace, list(missed)) if missed else "its parameters"
    stay = agree(len(missed), "stays", "stay")
    outcome = {"True": f"{named} {stay} frozen", "False": f"{named} {stay} trainable"}.get(
        first.value, f"the flags of {named} stay as they were"
    )
    what = (
        "sets an attribute of the module that nothing reads"
        if first.name == "requires_grad"
        else "overwrites the method of the module instead of calling it"
    )
    yield Fault(
        f"`.{first.name} = {wanted}` {what}: {outcome}; call `requires_grad_({wanted})`",
        first.location,
        subjects(trace, missed),
        evidence={"attribute": first.name, "value": first.value, "parameters": len(missed)},
    )
