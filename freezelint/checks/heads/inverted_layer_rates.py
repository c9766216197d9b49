"""FRZ403: layers nearer to the input learn faster than layers nearer to the output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from freezelint.evidence import Group, Location, Model, OptimizerState, Step, Trace
from freezelint.facts import is_trainable, subjects
from freezelint.facts.layers import Span, gradient_flows, of_origin, span_of, spans
from freezelint.finding import Fault, Related
from freezelint.wording import agree, parameters_named

_MARGIN = 1.0001


@dataclass(frozen=True)
class _Ranked:
    """What a group trains of one model, where that runs, and how fast it learns: now, and at its peak."""

    position: int
    parameters: tuple[int, ...]
    place: Span
    rate: float
    peak: float
    pretrained: bool


def check(trace: Trace) -> Iterator[Fault]:
    """One finding an optimizer, from the first step that shows it."""
    told: set[int] = set()
    for step in trace.completed:
        state = step.stepping
        if state is None or state.optimizer in told:
            continue
        for model in trace.models:
            if (pair := _inverted(trace, model, step, state)) and state.optimizer not in told:
                told.add(state.optimizer)
                yield _fault(trace, state, *pair)


def _inverted(
    trace: Trace, model: Model, step: Step, state: OptimizerState
) -> tuple[_Ranked, _Ranked] | None:
    """The trained pretrained layers nearest to the input, and the later group whose rate they exceed most.

    Only with the nearest to the input is it certain that what runs later also depends on them: two heads
    on one trunk run one after the other, but side by side.
    """
    ranked = _ranked(trace, model, step, state)
    pretrained = [group for group in ranked if group.pretrained]
    if not pretrained:
        return None
    start = min(group.place.first for group in pretrained)
    for early in (group for group in pretrained if group.place.first == start):
        slower = [late for late in ranked if _exceeds(early, late) and early.place.last < late.place.first]
        slower = [late for late in slower if gradient_flows(model, step, early.place.last, late.place.first)]
        if slower:
            return early, min(slower, key=lambda late: late.rate)
    return None


def _exceeds(early: _Ranked, late: _Ranked) -> bool:
    """Now and at the peak: a group that was added later is at another point of its schedule."""
    return early.rate > late.rate * _MARGIN and early.peak > late.peak * _MARGIN


def _ranked(trace: Trace, model: Model, step: Step, state: OptimizerState) -> list[_Ranked]:
    places = spans(model, step)
    found = []
    for position, group in enumerate(state.groups):
        trained = tuple(p for p in group.parameters if is_trainable(step, p))
        place = span_of(places, trained)
        if place is None or not group.lr or of_origin(trace, trained, "unknown"):
            continue
        pretrained = not of_origin(trace, trained, "fresh")
        peak = _peak(trace, state, position, group, group.lr)
        found.append(_Ranked(position, trained, place, group.lr, peak, pretrained))
    return found


def _peak(trace: Trace, state: OptimizerState, position: int, group: Group, rate: float) -> float:
    if group.initial_lr is not None:
        return group.initial_lr
    built = trace.optimizers[state.optimizer].groups
    return (built[position].lr or rate) if position < len(built) else rate


def _fault(trace: Trace, state: OptimizerState, early: _Ranked, late: _Ranked) -> Fault:
    optimizer = trace.optimizers[state.optimizer]
    fast, slow = parameters_named(trace, early.parameters, 3), parameters_named(trace, late.parameters, 3)
    location = _where(trace, state, late.position)
    added = _where(trace, state, early.position)
    if added != location and early.position >= len(optimizer.groups):
        location, added = added, location
    return Fault(
        f"the pretrained {fast} {agree(len(early.parameters), 'learns', 'learn')} at {early.rate:g}, faster "
        f"than {slow} at {late.rate:g} nearer to the output: general features near the input should "
        "change least; give the earlier layers the lower rate",
        location,
        subjects(trace, (*early.parameters, *late.parameters)),
        (Related(added, "the other group is made here"),) if added and added != location else (),
        {"earlier_rate": early.rate, "later_rate": late.rate},
    )


def _where(trace: Trace, state: OptimizerState, position: int) -> Location | None:
    """The statement that gave the optimizer the group at this position."""
    optimizer = trace.optimizers[state.optimizer]
    extra = position - len(optimizer.groups)
    return trace.location(optimizer.added[extra] if 0 <= extra < len(optimizer.added) else optimizer.built)
