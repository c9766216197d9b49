"""Watching learning rates: schedules as they are built and stepped, and rates that are written by hand."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import isclose
from typing import Any
from weakref import ref

import torch
from torch.optim import Optimizer, lr_scheduler, swa_utils
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from freezelint import evidence
from freezelint.evidence import Location
from freezelint.live.journal import UNRECORDED, Journal
from freezelint.live.patching import Patches, is_pass_through
from freezelint.live.reading.places import location_outside, user_location
from freezelint.live.reading.schedules import can_step, rate_writes

# ReduceLROnPlateau is an LRScheduler, and was none in older versions of torch.
_BASES: tuple[type, ...] = (LRScheduler, ReduceLROnPlateau)
_Rates = tuple[float | None, ...]


@dataclass
class _Schedule:
    """What is known of one schedule: what the evidence will say, where it was built, how often it stepped.

    `watched` is False where its steps are not seen: another recorder watches its class.
    """

    reference: ref[Any]
    told: evidence.Schedule
    location: Location | None
    index: int
    watched: bool
    steps: int = 0


class ScheduleWatcher:
    """Records schedules and the changes of every optimizer's rates. `number_of` tells an optimizer's
    index.
    """

    def __init__(self, journal: Journal, number_of: Callable[[Optimizer], int]) -> None:
        self._journal = journal
        self._number_of = number_of
        self._schedules: list[_Schedule] = []
        self._rates: dict[int, _Rates] = {}
        self._changes: list[evidence.RateChange] = []
        self._writes: tuple[Location, ...] = ()
        self._busy = False  # a schedule is being built, or stepped: what it calls is part of that
        self._watched: set[type] = set()
        self._patches = Patches()

    def install(self, patches: Patches) -> None:
        self._patches = patches
        for schedule_class in _stock():
            if "__init__" in vars(schedule_class):
                self._watch_construction(schedule_class)
            if "step" in vars(schedule_class):
                self._watch_steps(schedule_class)

    def schedules(self, finished: bool, at_work: frozenset[tuple[str, int]]) -> Iterator[evidence.Schedule]:
        """All schedules so far. `at_work` are the statements that were seen to step something, `finished`
        tells that the script has come to its end.
        """
        for schedule in self._schedules:
            if schedule.watched:
                possible = schedule.steps > 0 or can_step(schedule.location, at_work if finished else None)
                yield replace(schedule.told, steps=schedule.steps, can_step=possible)
            else:
                yield schedule.told

    def changes(self) -> tuple[evidence.RateChange, ...]:
        """All changes of rates so far."""
        return tuple(self._changes)

    def built(self, optimizer: Optimizer) -> None:
        """Take the rates of a new optimizer, or one with a new group, as given."""
        self._rates[self._number_of(optimizer)] = _rates_of(optimizer)

    def before_step(self, optimizer: Optimizer) -> None:
        """Note whether somebody wrote rates since the last step, or the last step of a schedule."""
        number, now = self._number_of(optimizer), _rates_of(optimizer)
        if self._rates.setdefault(number, now) != now:
            self._writes = self._writes or rate_writes()
            place = self._writes[0] if len(self._writes) == 1 else None
            record = self._journal.add("rates-set", place, optimizer=number)
            self._changed(optimizer, record.index, None)

    def _watch_construction(self, schedule_class: type) -> None:
        watcher = self

        def init(schedule: Any, /, *args: Any, **kwargs: Any) -> None:
            optimizer = None if watcher._busy else _optimizer_among(args, kwargs)
            if optimizer is None:
                original(schedule, *args, **kwargs)
                return
            watcher._busy = True
            try:
                known = watcher._register(schedule, optimizer)
                original(schedule, *args, **kwargs)
            finally:
                watcher._busy = False
            if known.told.built is not None:
                watcher._changed(optimizer, known.told.built, known.index)

        original = self._patches.replace(schedule_class, "__init__", init)

    def _register(self, schedule: Any, optimizer: Optimizer) -> _Schedule:
        self.before_step(optimizer)
        name, location = type(schedule).__name__, location_outside(schedule)
        index = self._number_of(optimizer)
        record = self._journal.add("schedule-built", location, optimizer=index, name=name)
        told = evidence.Schedule(name, index, None if record.index == UNRECORDED else record.index)
        seen = [self._sees_steps(owner) for owner in type(schedule).__mro__ if "step" in vars(owner)]
        known = _Schedule(ref(schedule), told, location, len(self._schedules), all(seen))
        self._schedules.append(known)
        return known

    def _find(self, schedule: Any) -> _Schedule | None:
        return next((known for known in reversed(self._schedules) if known.reference() is schedule), None)

    def _sees_steps(self, schedule_class: type) -> bool:
        """Watch the `step` of a class that is not torch's, unless a recorder around this one does."""
        own = getattr(vars(schedule_class)["step"], "__code__", None)
        if schedule_class not in self._watched and own is not None and not is_pass_through(own):
            self._watch_steps(schedule_class)
        return schedule_class in self._watched

    def _watch_steps(self, schedule_class: type) -> None:
        watcher = self
        self._watched.add(schedule_class)

        def step(schedule: Any, /, *args: Any, **kwargs: Any) -> Any:
            known = None if watcher._busy else watcher._find(schedule)
            if known is None:
                return original(schedule, *args, **kwargs)
            watcher._busy = True
            problem = ""
            try:
                watcher.before_step(schedule.optimizer)
                return original(schedule, *args, **kwargs)
            except Exception as error:
                problem = "group-missing" if _lacks_a_group(schedule, error) else ""
                raise
            finally:
                watcher._busy = False
                watcher._stepped(schedule.optimizer, known, problem)

        original = self._patches.replace(schedule_class, "step", step)

    def _stepped(self, optimizer: Optimizer, known: _Schedule, problem: str) -> None:
        known.steps += 1
        record = self._journal.add(
            "schedule-stepped",
            user_location(),
            optimizer=known.told.optimizer,
            name=known.told.class_name,
            value=problem,
        )
        self._changed(optimizer, record.index, known.index)

    def _changed(self, optimizer: Optimizer, event: int, schedule: int | None) -> None:
        """Record what an event did to the rates, unless there is no end of such events."""
        number, after = self._number_of(optimizer), _rates_of(optimizer)
        before, self._rates[number] = self._rates.get(number, ()), after
        last = self._changes[-1].event if self._changes else -1
        if event <= last:  # the journal keeps no more of these, or nothing at all
            return
        changed = tuple(
            None if position >= len(before) or rate is None else rate != before[position]
            for position, rate in enumerate(after)
        )
        self._changes.append(evidence.RateChange(event, number, changed, after, _one_rate(after), schedule))


def _stock() -> Iterator[type]:
    """The schedule classes of torch, each once."""
    members = {id(c): c for module in (lr_scheduler, swa_utils) for c in vars(module).values()}
    for member in members.values():
        if inspect.isclass(member) and issubclass(member, _BASES):
            yield member


def _optimizer_among(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optimizer | None:
    """The optimizer that a schedule is built for; a chain of schedules may only name its schedules."""
    for value in (*args, *kwargs.values()):
        if isinstance(value, Optimizer):
            return value
        if isinstance(value, (list, tuple)) and value and isinstance(value[0], _BASES):
            inner = getattr(value[0], "optimizer", None)
            if isinstance(inner, Optimizer):
                return inner
    return None


def _lacks_a_group(schedule: Any, error: Exception) -> bool:
    """Whether a schedule failed for a group of its optimizer that it knows nothing of."""
    known, groups = getattr(schedule, "base_lrs", None), schedule.optimizer.param_groups
    if known is None:
        known = getattr(schedule, "min_lrs", None)
    inner = getattr(schedule, "_schedulers", ())
    if known is None and inner:
        return any(_lacks_a_group(each, error) for each in inner)
    if known is None or len(known) >= len(groups):
        return False
    if isinstance(error, ValueError):
        return str(error).startswith("zip() argument")
    if isinstance(error, RuntimeError):
        return "param group" in str(error)
    return isinstance(error, (KeyError, IndexError))


def _rates_of(optimizer: Optimizer) -> _Rates:
    return tuple(_rate(group.get("lr")) for group in optimizer.param_groups)


def _rate(value: Any) -> float | None:
    if isinstance(value, (int, float)):
        return float(value)
    # Of a tensor on another device nobody asks at every step: that would wait for the device.
    if type(value) is torch.Tensor and value.numel() == 1 and value.device.type == "cpu":
        return float(value)
    return None


def _one_rate(rates: _Rates) -> bool | None:
    known = [rate for rate in rates if rate is not None]
    if len(known) < len(rates):
        return None
    return len(known) > 1 and known[0] > 0 and all(isclose(rate, known[0], rel_tol=1e-6) for rate in known)
