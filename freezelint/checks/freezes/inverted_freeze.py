"""FRZ511: code that says it freezes sets `requires_grad` to True, or the reverse."""

from __future__ import annotations

import re
from collections.abc import Iterator

from freezelint.evidence import Event, EventKind, Trace
from freezelint.facts import subjects
from freezelint.facts.flags import FlagStatement, flag_events, flag_statements
from freezelint.finding import Fault
from freezelint.wording import parameters_named

# "freeze all but the head" and the like may rightly be done by unfreezing the head
_EXCEPTIONS = re.compile(
    r"(?<![a-z])(except|but|only|other|others|rest|until|not|no|dont|never|without|un)(?![a-z])"
)


def check(trace: Trace) -> Iterator[Fault]:
    """The name or comment of one statement against the one constant that its function ever writes."""
    for statement in flag_statements(trace):
        first = statement.events[0]
        contrary = first.says == ("unfreeze" if statement.freezes else "freeze")
        if contrary and first.only_writes is (not statement.freezes):
            yield from _judged(trace, statement, first)


def _judged(trace: Trace, statement: FlagStatement, first: Event) -> Iterator[Fault]:
    if _EXCEPTIONS.search(first.says_where.lower().replace("_", " ")) or _does_both(trace, first):
        return
    contrary = _contrary(trace, statement)
    if not contrary:
        return
    said, wrong, right = ("freezes", True, False) if first.says == "freeze" else ("unfreezes", False, True)
    where = first.says_where or "the code"
    yield Fault(
        f"{where} says that it {said}, but sets `requires_grad = {wrong}` on "
        f"{parameters_named(trace, contrary)}; set it to {right}, or say what it does",
        statement.location,
        subjects(trace, contrary),
        evidence={"says": first.says, "says_where": first.says_where, "writes": wrong},
    )


def _does_both(trace: Trace, event: Event) -> bool:
    """Whether the same function, or the same call of it, also does the opposite: then it is more than its
    name says."""
    here = event.location
    if here is None or not here.function:
        return False
    opposite: EventKind = "frozen" if event.kind == "unfrozen" else "unfrozen"
    return any(
        other.location is not None
        and (other.location.path, other.location.function) == (here.path, here.function)
        for other in trace.events_of(opposite)
    )


def _contrary(trace: Trace, statement: FlagStatement) -> list[int]:
    """The parameters that the statement leaves contrary to its words whatever was meant.

    A "freeze" that re-enables what was frozen before, and an "unfreeze" that freezes a part of a trainable
    model, may both be the long way round to what they say: they are left alone.
    """
    flags, first = flag_events(trace), statement.events[0].index
    frozen_before = []
    for parameter in statement.parameters:
        earlier = [event for event in flags[parameter] if event.index < first]
        if earlier and earlier[-1].kind == "frozen":
            frozen_before.append(parameter)
    if statement.freezes:
        return frozen_before or _whole_models(trace, statement)
    return [] if frozen_before else list(statement.parameters)


def _whole_models(trace: Trace, statement: FlagStatement) -> list[int]:
    taken = set(statement.parameters)
    whole = [model for model in trace.models if model.parameters and taken.issuperset(model.parameters)]
    return [parameter for model in whole for parameter in model.parameters]
