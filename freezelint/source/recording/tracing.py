"""The evidence of one run, as a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezelint.evidence import Event, Location, Optimizer, Schedule, Trace
from freezelint.source.recording.recorder import Record
from freezelint.source.recording.snapshot import Stock
from freezelint.source.semantics import schedule_uses

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


def trace_of(machine: Machine) -> Trace:
    """What this run has established."""
    recorder = machine.recorder
    stock = recorder.stock
    stock.take(last=True)
    optimizers = tuple(
        Optimizer(
            one.index,
            one.name,
            one.class_name,
            recorder.rates.first_groups.get(id(one)) or _first_groups(machine, one.index),
            one.built,
            tuple(one.added),
            None if one.state_at_start is None else tuple(map(stock.identify, one.state_at_start)),
        )
        for one in recorder.optimizers
    )
    schedules = tuple(
        Schedule(
            one.class_name,
            one.optimizer.index,
            one.built,
            one.stepped,
            schedule_uses.can_step(machine, one, one.holders),
        )
        for one in recorder.schedules
        if one.optimizer is not None and one.optimizer.index >= 0
    )
    events = tuple(_event(machine, record) for record in recorder.records)
    return Trace(
        witness="source",
        target=machine.file.path,
        models=tuple(stock.described),
        parameters=stock.all_parameters(),
        optimizers=optimizers,
        schedules=schedules,
        events=events,
        steps=tuple(stock.steps()),
        limits=tuple(machine.limits.values()),
        pending_unfreezes=_unfrozen_elsewhere(machine),
        steps_done=recorder.steps_done,
        rate_changes=tuple(recorder.rates.changes),
    )


def _first_groups(machine: Machine, index: int) -> Any:
    for step in machine.recorder.steps:
        for state in step.optimizers:
            if state.optimizer == index:
                return state.groups
    return machine.recorder.stock.groups(machine.recorder.optimizers[index])


def _event(machine: Machine, record: Record) -> Event:
    stock = machine.recorder.stock
    places = (stock.places.get(identity) for identity in record.modules)
    return Event(
        index=record.index,
        kind=record.kind,
        location=record.location,
        parameters=tuple(stock.identify(parameter) for parameter in record.parameters.values()),
        modules=tuple(place for place in places if place is not None),
        optimizer=None if record.optimizer is None else record.optimizer.index,
        steps_before=record.steps_before,
        before_forward=record.before_forward,
        **(record.details | _place(stock, record)),
    )


def _place(stock: Stock, record: Record) -> dict[str, Any]:
    """A replacement is named by the path of what was put in place, which is known once its model is."""
    if record.kind != "replaced" or record.details.get("value") == "assigned":
        return {}
    places = [stock.places[identity][1] for identity in record.modules if identity in stock.places]
    for parameter in () if record.modules else record.parameters:
        places.extend(stock.paths.get(parameter, (None, ()))[1][:1])
    return {"name": places[0]} if places else {}


def _unfrozen_elsewhere(machine: Machine) -> tuple[Location, ...]:
    """Statements that unfreeze and that this run has not reached."""
    return ()
