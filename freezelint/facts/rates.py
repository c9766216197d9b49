"""Questions about learning rates: groups with rates of their own, and stages that unfreeze."""

from __future__ import annotations

from freezelint.evidence import Event, Optimizer, Trace
from freezelint.facts import is_frozen

_MARGIN = 1 + 1e-6


def own_rates(optimizer: Optimizer) -> list[float]:
    """The rates above zero that the optimizer's groups were built with, lowest first, if they are not all
    one; else none. A rate of zero is a freeze, not a rate.
    """
    rates = sorted(group.lr for group in optimizer.groups if group.lr and group.parameters)
    return rates if rates and rates[-1] > rates[0] * _MARGIN else []


def steps_of(trace: Trace, optimizer: int) -> list[int]:
    """The events at which this optimizer stepped."""
    return [event.index for event in trace.events_of("stepped") if event.optimizer == optimizer]


def unfreezes_between_steps(trace: Trace, optimizer: int) -> list[Event]:
    """The events that gave this optimizer's model more to train once training had begun: parameters that were
    unfrozen for good, and groups that were added.
    """
    models = {trace.parameters[p].model for p in _held(trace, optimizer)} - {None}
    found = []
    for event in trace.events_of("unfrozen", "group-added"):
        if not event.steps_before:
            continue
        if event.kind == "group-added":
            wanted = event.optimizer == optimizer
        else:
            inside = (p for p in event.parameters if trace.parameters[p].model in models)
            wanted = any(not _frozen_again(trace, event, p) for p in inside)
        if wanted:
            found.append(event)
    return found


def _held(trace: Trace, optimizer: int) -> set[int]:
    states = (state for step in trace.completed for state in step.optimizers if state.optimizer == optimizer)
    groups = [group for state in states for group in state.groups]
    return {p for group in (*trace.optimizers[optimizer].groups, *groups) for p in group.parameters}


def _frozen_again(trace: Trace, unfreeze: Event, parameter: int) -> bool:
    """Whether a later step finds it frozen: a toggle, as GANs have them."""
    later = (step for step in trace.completed if step.event is not None and step.event > unfreeze.index)
    return any(is_frozen(step, parameter) for step in later)
