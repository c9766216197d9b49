"""FRZ407: a parameter group learns so slowly that it is as good as frozen, at full cost."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import OptimizerState, Step, Trace
from freezelint.facts import is_trainable, subjects
from freezelint.finding import Fault
from freezelint.wording import agree, parameters_named

_NEGLIGIBLE = 1e-3


def check(trace: Trace) -> Iterator[Fault]:
    """One finding an optimizer, from the first step that shows it. A rate of exactly zero is FRZ509's."""
    told: set[int] = set()
    for step in trace.completed:
        state = step.stepping
        if state and state.optimizer not in told and (slow := _slow(step, state)):
            told.add(state.optimizer)
            yield _fault(trace, state, *slow)


def _slow(step: Step, state: OptimizerState) -> tuple[list[int], float, float] | None:
    """The parameters whose rate is negligible, the highest such rate, and the highest of all.

    Both the rate in force and the one that the schedule starts from must be small: else the group may only
    be warming up.
    """
    rates = [
        (trained, group.lr, group.lr if group.initial_lr is None else group.initial_lr)
        for group in state.groups
        if group.lr and (trained := [p for p in group.parameters if is_trainable(step, p)])
    ]
    if not rates:
        return None
    most, most_at_first = max(now for _, now, _ in rates), max(first for _, _, first in rates)
    slow = [
        (trained, now)
        for trained, now, first in rates
        if now < _NEGLIGIBLE * most and first < _NEGLIGIBLE * most_at_first
    ]
    if not slow:
        return None
    return [p for trained, _ in slow for p in trained], max(now for _, now in slow), most


def _fault(trace: Trace, state: OptimizerState, parameters: list[int], rate: float, most: float) -> Fault:
    optimizer = trace.optimizers[state.optimizer]
    return Fault(
        f"{parameters_named(trace, parameters)} {agree(len(parameters), 'learns', 'learn')} at {rate:g} "
        f"or less, under a thousandth of the largest rate ({most:g}): as good as frozen, but with gradients "
        f"and optimizer state at full cost; freeze {agree(len(parameters), 'it', 'them')}",
        trace.location(optimizer.built),
        subjects(trace, parameters),
        (),
        {"rate": rate, "largest": most},
    )
