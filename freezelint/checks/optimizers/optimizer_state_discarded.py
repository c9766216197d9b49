"""FRZ207: the optimizer is built anew at each unfreezing stage, and the state of what it trained is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from freezelint.evidence import Location, Step, Trace
from freezelint.facts import is_frozen, is_trainable, subjects
from freezelint.facts.layers import layers, of_origin, parameters_of
from freezelint.facts.rates import steps_of
from freezelint.finding import Fault, Related
from freezelint.wording import agree, lines, parameters_named


@dataclass(frozen=True)
class _Reign:
    """One optimizer from its first watched step to its last."""

    optimizer: int
    first: Step
    last: Step
    trained: frozenset[int]  # had a gradient
    held: frozenset[int]  # trainable parameters in its groups
    state: frozenset[int]  # what it kept momentum or moments for


@dataclass(frozen=True)
class _Takeover:
    """A new optimizer that goes on training what an older one trained, and more, without its state."""

    old: _Reign
    new: _Reign
    lost: tuple[int, ...]
    unfrozen: tuple[int, ...]


def check(trace: Trace) -> Iterator[Fault]:
    """One finding a chain of stages. Two stages, each with an optimizer of its own, are a published recipe
    (the head first, then everything); so is another algorithm for the next stage.
    """
    reigns = sorted(_reigns(trace), key=lambda reign: reign.first.index)
    chains: list[list[_Takeover]] = []
    for position, new in enumerate(reigns):
        possible = (_takeover(trace, old, new) for old in reversed(reigns[:position]))
        takeover = next(filter(None, possible), None)
        if takeover is None:
            continue
        chain = next((c for c in chains if c[-1].new.optimizer == takeover.old.optimizer), None)
        if chain is None:
            chains.append([takeover])
        else:
            chain.append(takeover)
    for chain in chains:
        if len(chain) > 1 or _repeats(trace, chain[0]):
            yield _fault(trace, chain)


def _reigns(trace: Trace) -> Iterator[_Reign]:
    for optimizer in trace.optimizers:
        own = [s for s in trace.completed if s.stepping and s.stepping.optimizer == optimizer.index]
        if own and optimizer.built is not None and own[0].event is not None:
            held = frozenset(p for step in own for p in _held(step))
            trained = frozenset(p for step in own for p in _held(step) if _has_gradient(step, p))
            state = frozenset(p for step in own if step.stepping for p in step.stepping.state or ())
            yield _Reign(optimizer.index, own[0], own[-1], trained, held, state)


def _held(step: Step) -> Iterator[int]:
    for group in step.stepping.groups if step.stepping else ():
        yield from (p for p in group.parameters if is_trainable(step, p))


def _has_gradient(step: Step, parameter: int) -> bool:
    return step.parameters[parameter].gradient == "nonzero"


def _takeover(trace: Trace, old: _Reign, new: _Reign) -> _Takeover | None:
    before, after = trace.optimizers[old.optimizer], trace.optimizers[new.optimizer]
    if before.class_name != after.class_name or after.built is None or new.first.event is None:
        return None
    steps = steps_of(trace, old.optimizer)
    if not steps or max(steps) > after.built or after.state_at_start is None:
        return None
    if not old.trained or not old.trained <= new.held:
        return None
    unfrozen = tuple(sorted(p for p in new.held if _joins(old.last, new.first, p)))
    loaded = [event for event in trace.events_of("loaded") if max(steps) < event.index < new.first.event]
    kept = {*after.state_at_start, *(p for event in loaded for p in event.parameters)}
    lost = tuple(sorted((old.trained & old.state & new.state) - kept))
    return _Takeover(old, new, lost, unfrozen) if lost and unfrozen else None


def _joins(last: Step, first: Step, parameter: int) -> bool:
    """Whether it trains for the first time now, and was there before: frozen, or in no group."""
    idle = is_frozen(last, parameter) or (is_trainable(last, parameter) and not last.held_by(parameter))
    return idle and is_trainable(first, parameter)


def _repeats(trace: Trace, takeover: _Takeover) -> bool:
    """Whether both optimizers are built by one statement of a loop over stages, and the first trained more
    than a head: something pretrained that does not run last.
    """
    old, new = (trace.location(trace.optimizers[r.optimizer].built) for r in (takeover.old, takeover.new))
    last = {p for model in trace.models for p in parameters_of(layers(model, takeover.old.first)[-1:])}
    beyond = [p for p in of_origin(trace, takeover.lost, "pretrained") if p not in last]
    return old is not None and old == new and bool(beyond)


def _fault(trace: Trace, chain: list[_Takeover]) -> Fault:
    optimizer = trace.optimizers[chain[0].new.optimizer]
    places = [trace.location(trace.optimizers[takeover.new.optimizer].built) for takeover in chain]
    known: dict[tuple[str, int], Location] = {}
    for place in places:
        if place is not None:
            known.setdefault(place.at(), place)
    where, *others = known.values() if known else (None,)
    again = (
        f", and again on {lines(others, where)}" if others else ", and at later stages" if chain[1:] else ""
    )
    first = chain[0]
    joining, lost = parameters_named(trace, first.unfrozen, 2), parameters_named(trace, first.lost, 2)
    join, go = agree(len(first.unfrozen), "joins", "join"), agree(len(first.lost), "goes", "go")
    return Fault(
        f"{optimizer.class_name} is built anew when {joining} {join}{again}: "
        f"the momentum or moments of {lost}, which {go} on training, are "
        "discarded; add the new parameters to the optimizer that there is (`add_param_group`), or carry its "
        "state over",
        where,
        subjects(trace, dict.fromkeys(p for takeover in chain for p in takeover.lost)),
        tuple(Related(place, "and built anew here") for place in others if place),
        {"stages": len(chain) + 1, "lost": [len(takeover.lost) for takeover in chain]},
    )
