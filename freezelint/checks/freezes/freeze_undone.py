"""FRZ507: parameters that were frozen on purpose are trainable again before the first step."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Location, Model, Step, Trace
from freezelint.facts import is_frozen, is_trainable, subjects, trains
from freezelint.facts.flags import FlagStatement, flag_statements
from freezelint.finding import Fault, Related
from freezelint.wording import line, parameters_named


def check(trace: Trace) -> Iterator[Fault]:
    """Undone by a later blanket unfreeze, or left behind on a model that was built anew."""
    if not trace.steps:
        return
    statements = flag_statements(trace, before_the_first_step=True)
    yield from _undone_by_unfreeze(trace, trace.steps[0], statements)
    yield from _left_behind(trace, trace.steps[0], statements)


def _undone_by_unfreeze(trace: Trace, step: Step, statements: list[FlagStatement]) -> Iterator[Fault]:
    """A whole selective freeze, undone by a statement that also takes what was never frozen.

    To unfreeze exactly (a part of) what was frozen is a decision; so is code that says that it unfreezes; and
    after a forward pass it is a toggle within an iteration.
    """
    ever_frozen = {p for statement in statements if statement.freezes for p in statement.parameters}
    for blanket in statements:
        if blanket.freezes or ever_frozen.issuperset(blanket.parameters):
            continue
        if not all(event.before_forward and event.says != "unfreeze" for event in blanket.events):
            continue
        for freeze in statements:
            if freeze.freezes and _undoes(trace, step, freeze, blanket):
                yield _undone(trace, freeze, blanket)


def _undoes(trace: Trace, step: Step, freeze: FlagStatement, blanket: FlagStatement) -> bool:
    taken, again = set(freeze.parameters), set(blanket.parameters)
    if freeze.events[-1].index > blanket.events[0].index or not taken < again:
        return False
    causes = {event.index for event in blanket.events}
    undone = all(is_trainable(step, p) and step.parameters[p].cause in causes for p in taken)
    return undone and _is_selective(trace, freeze)


def _is_selective(trace: Trace, freeze: FlagStatement) -> bool:
    """Whether the user's code froze a part of every model it touched; a constructor that froze something
    by itself does not count."""
    taken = set(freeze.parameters)
    models = [model for model in trace.models if not taken.isdisjoint(model.parameters)]
    made_by_constructor = any(freeze.location is not None and freeze.location == m.built for m in models)
    return (
        bool(models) and not made_by_constructor and not any(taken.issuperset(m.parameters) for m in models)
    )


def _undone(trace: Trace, freeze: FlagStatement, blanket: FlagStatement) -> Fault:
    return Fault(
        f"{parameters_named(trace, freeze.parameters)}, frozen on "
        f"{line(freeze.location, blanket.location)}, train again: this statement sets "
        f"`requires_grad = True` on all {len(blanket.parameters)} parameters before the first step; freeze "
        "after it, "
        "or leave them out here",
        blanket.location,
        subjects(trace, freeze.parameters),
        (Related(freeze.location, "frozen here"),) if freeze.location else (),
        {"undone": len(freeze.parameters), "unfrozen": len(blanket.parameters)},
    )


def _left_behind(trace: Trace, step: Step, statements: list[FlagStatement]) -> Iterator[Fault]:
    """A freeze whose every parameter is gone, while a model of the same make, built later, trains with
    nothing frozen."""
    for freeze in statements:
        if not freeze.freezes or not freeze.parameters:
            continue
        if any(trace.parameters[p].attached for p in freeze.parameters):
            continue
        for model in trace.models:
            if _took_another_branch(trace, model, freeze):
                continue
            now = _counterparts(trace, model, freeze)
            if now and trains(model, step) and not any(is_frozen(step, p) for p in model.parameters):
                yield _rebuilt(trace, model, freeze, now)


def _took_another_branch(trace: Trace, model: Model, freeze: FlagStatement) -> bool:
    """Whether one function built both models and froze only the first (`build(freeze=True)` for a table, then
    `build(freeze=False)`): the same statement of it made either.
    """
    if freeze.location is None or model.built is None:
        return False
    froze_in = {(place.path, place.function) for place in _places(freeze.location) if place.function}
    first = {place.at() for p in freeze.parameters for place in _places(trace.parameters[p].built)}
    return any(
        (place.path, place.function) in froze_in and place.at() in first for place in _places(model.built)
    )


def _places(location: Location | None) -> tuple[Location, ...]:
    """The statement and the calls that led to it, innermost first."""
    return () if location is None else (location, *location.calls)


def _counterparts(trace: Trace, model: Model, freeze: FlagStatement) -> tuple[int, ...]:
    """The part of the model (never all of it) that looks just like what was frozen: the same shapes in the
    same order.

    Empty where there is none, and where the model may be older than what was frozen: parameters are numbered
    as they are built.
    """
    if (
        model.built is None
        or model.built == freeze.location
        or min(model.parameters) < max(freeze.parameters)
    ):
        return ()
    shapes = [trace.parameters[p].shape for p in model.parameters]
    lost = [trace.parameters[p].shape for p in freeze.parameters]
    length = len(lost)
    if length < 2 or length >= len(shapes) or not all(trace.parameters[p].attached for p in model.parameters):
        return ()
    runs = [i for i in range(len(shapes) - length + 1) if shapes[i : i + length] == lost]
    return model.parameters[runs[0] : runs[0] + length] if runs else ()


def _rebuilt(trace: Trace, model: Model, freeze: FlagStatement, now: tuple[int, ...]) -> Fault:
    place = _beside(freeze.location, model.built)
    return Fault(
        f"{parameters_named(trace, now)} of `{model.name}` train: the freeze on "
        f"{line(freeze.location, place)} was made on an earlier "
        "model that is gone; freeze after this one is built",
        place,
        subjects(trace, now),
        (Related(freeze.location, "the earlier model was frozen here"),) if freeze.location else (),
        {"undone": len(now)},
    )


def _beside(freeze: Location | None, built: Location | None) -> Location | None:
    """Of the calls that led to the construction the one in the same function as the freeze: there the
    order went wrong."""
    if freeze is None or built is None:
        return built
    near = {(place.path, place.function) for place in (freeze, *freeze.calls)}
    return next((place for place in (built, *built.calls) if (place.path, place.function) in near), built)
