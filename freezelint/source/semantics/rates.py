"""Learning rates as the script and its schedules change them."""

from __future__ import annotations

from math import isclose
from typing import TYPE_CHECKING

from freezelint.evidence import Group, Location, RateChange
from freezelint.source.interpreter.values import MISSING, Optimizer, Schedule, Unknown, Value

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_MOST = 300


class Rates:
    """The changes of every optimizer's rates, in order, as `freezelint.evidence.RateChange` tells them."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.changes: list[RateChange] = []
        self.first_groups: dict[int, tuple[Group, ...]] = {}  # as each optimizer was built
        self._known: dict[int, tuple[Value, ...]] = {}
        self._writes: dict[int, Location | None] = {}

    def built(self, optimizer: Optimizer) -> None:
        """Take the rates of a new optimizer, or of one with a new group, as given."""
        self._known[id(optimizer)] = rates_of(optimizer)
        self._writes.pop(id(optimizer), None)

    def written(self, optimizer: Optimizer) -> None:
        """The current statement writes the rate of one of its groups."""
        self._writes[id(optimizer)] = self._machine.location()

    def before_step(self, optimizer: Optimizer) -> None:
        """Note whether somebody wrote rates since the last step, or the last step of a schedule."""
        before, now = self._known.setdefault(id(optimizer), rates_of(optimizer)), rates_of(optimizer)
        if len(before) == len(now) and all(
            _same(one, two) is True for one, two in zip(before, now, strict=True)
        ):
            return
        event = self._machine.recorder.event(
            "rates-set", optimizer=optimizer, location=self._writes.pop(id(optimizer), None)
        )
        self.changed(optimizer, event)

    def changed(self, optimizer: Optimizer, event: int, schedule: Schedule | None = None) -> None:
        """Record what an event did to the rates."""
        now = rates_of(optimizer)
        before, self._known[id(optimizer)] = self._known.get(id(optimizer), ()), now
        self._writes.pop(id(optimizer), None)
        if event < 0 or optimizer.index < 0 or len(self.changes) >= _MOST:
            return
        changed: list[bool | None] = []
        for position, rate in enumerate(now):
            same = _same(before[position], rate) if position < len(before) else None
            changed.append(None if same is None else not same)
        schedules = self._machine.recorder.schedules
        index = next((i for i, known in enumerate(schedules) if known is schedule), None)
        self.changes.append(
            RateChange(event, optimizer.index, tuple(changed), tuple(map(number, now)), _one_rate(now), index)
        )


def rates_of(optimizer: Optimizer) -> tuple[Value, ...]:
    """The rates of its groups as they stand now."""
    return tuple(group.get("lr") for group in optimizer.groups if isinstance(group, dict))


def number(value: Value) -> float | None:
    """A number of the script, or what it is unless somebody says otherwise; None where it is not known."""
    if isinstance(value, Unknown):
        value = value.hint
    if value is MISSING or isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _same(one: Value, two: Value) -> bool | None:
    if one is two:
        return True
    first, second = number(one), number(two)
    return None if first is None or second is None else first == second


def _one_rate(rates: tuple[Value, ...]) -> bool | None:
    """Whether all groups have one rate: one number above zero, or the same unknown value."""
    if len(rates) < 2:
        return False
    numbers = [number(rate) for rate in rates]
    first = numbers[0]
    if first is not None and None not in numbers:
        return first > 0 and all(rate is not None and isclose(rate, first, rel_tol=1e-6) for rate in numbers)
    return True if isinstance(rates[0], Unknown) and all(rate is rates[0] for rate in rates) else None
