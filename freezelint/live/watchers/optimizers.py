"""Watching optimizers: how they are built and extended, what iterators they are fed, and when they step."""

from __future__ import annotations

import inspect
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

import torch
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from freezelint import evidence
from freezelint.live.journal import Journal
from freezelint.live.ledger import Ledger
from freezelint.live.patching import Patches
from freezelint.live.reading.places import location_outside, user_location
from freezelint.live.watchers.schedules import ScheduleWatcher

_STEP_WRAPPERS = Optimizer.profile_hook_step.__code__.co_filename
_CLIPPERS = ("clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_")
_MOST_ITERATORS = 64


class Built:
    """What is known of one optimizer: the events that concern it, its groups when it was built, and its
    number.
    """

    def __init__(
        self, index: int, optimizer: Optimizer, event: int | None, groups: tuple[evidence.Group, ...]
    ) -> None:
        self.index = index
        self.reference = weakref.ref(optimizer)
        self.class_name = type(optimizer).__name__
        self.event = event
        self.groups = groups
        self.added: list[int] = []
        self.steps = 0
        self.state_at_start: tuple[int, ...] | None = None


class OptimizerWatcher:
    """Records optimizers, parameter groups, schedules and exhausted iterators; reports steps to two
    callbacks.

    `on_built` follows each construction, `on_failed` one that found no parameters, `before_step` and
    `after_step` surround each `optimizer.step()`.
    """

    def __init__(
        self,
        ledger: Ledger,
        journal: Journal,
        *,
        on_built: Callable[[], None],
        on_failed: Callable[[], None],
        before_step: Callable[[Optimizer], None],
        after_step: Callable[[Optimizer], None],
    ) -> None:
        self._ledger = ledger
        self._journal = journal
        self._on_built, self._on_failed = on_built, on_failed
        self._before, self._after = before_step, after_step
        self.built: list[Built] = []
        self.schedules = ScheduleWatcher(journal, lambda optimizer: self.known(optimizer).index)
        self._building = 0
        # Exhausted iterators are kept: an id must not be reused while it stands for "was consumed by …".
        self._consumed: dict[int, tuple[Any, str]] = {}

    def install(self, patches: Patches) -> None:
        self._watch_construction(patches)
        self._watch_groups(patches)
        self.schedules.install(patches)
        self._watch_clipping(patches)
        for handle in (
            register_optimizer_step_pre_hook(lambda optimizer, *_: self._steps(optimizer)),
            register_optimizer_step_post_hook(lambda optimizer, *_: self._stepped(optimizer)),
        ):
            patches.afterwards(handle.remove)

    def _steps(self, optimizer: Optimizer) -> None:
        self._ledger.settle()
        held = (parameter for group in optimizer.param_groups for parameter in group["params"])
        self._ledger.train(parameter for parameter in held if parameter.grad is not None)
        if _steps_in_progress() < 2:
            self.schedules.before_step(optimizer)
            built = self.known(optimizer)
            if not built.steps and built.state_at_start is None:
                built.state_at_start = self.state_of(optimizer)
            self._before(optimizer)

    def _stepped(self, optimizer: Optimizer) -> None:
        """A step inside another (SAM, Lookahead, `super().step()`) is part of that one."""
        if _steps_in_progress() < 2:
            self._after(optimizer)

    def known(self, optimizer: Optimizer) -> Built:
        """What is known of this optimizer; one that was built before the audit began gets a number now."""
        for built in self.built:
            inner = built.reference()
            # A wrapper (accelerate's, SAM) shows the groups of the optimizer inside: both are one.
            if inner is not None and (inner is optimizer or inner.param_groups is optimizer.param_groups):
                return built
        built = Built(len(self.built), optimizer, None, self.groups_of(optimizer))
        self.built.append(built)
        return built

    def alive(self) -> Iterator[tuple[Built, Optimizer]]:
        """The optimizers that there still are; one that shares its groups with an earlier one is the same."""
        seen: set[int] = set()
        for built in self.built:
            optimizer = built.reference()
            if optimizer is not None and id(optimizer.param_groups) not in seen:
                seen.add(id(optimizer.param_groups))
                yield built, optimizer

    def groups_of(self, optimizer: Optimizer) -> tuple[evidence.Group, ...]:
        """The parameter groups as they stand now."""
        return tuple(
            evidence.Group(
                tuple(self._ledger.ids(group["params"])),
                lr=_number(group.get("lr")),
                initial_lr=_number(group.get("initial_lr")),
                weight_decay=_number(group.get("weight_decay")),
                momentum=_number(group.get("momentum")),
                name=str(group.get("name", "")),
            )
            for group in optimizer.param_groups
        )

    def state_of(self, optimizer: Optimizer) -> tuple[int, ...]:
        """The parameters that it keeps something for between its steps: momentum, moments."""
        state = optimizer.state
        held = (p for group in optimizer.param_groups for p in group["params"])
        return tuple(self._ledger.ids(p for p in held if _keeps_something(state.get(p))))

    def _watch_construction(self, patches: Patches) -> None:
        watcher = self

        def init(optimizer: Optimizer, /, params: Any, defaults: dict[str, Any]) -> None:
            name = type(optimizer).__name__
            for iterator in _iterators(params):
                watcher._consume(iterator, name)
            watcher._building += 1
            try:
                original(optimizer, params, defaults)
            except ValueError:
                watcher._failed(name)
                raise
            finally:
                watcher._building -= 1
            watcher._register(optimizer)

        original = patches.replace(Optimizer, "__init__", init)

    def _failed(self, name: str) -> None:
        self._journal.add("optimizer-built", user_location(), name=name, value="refused")
        self._on_failed()

    def _register(self, optimizer: Optimizer) -> None:
        groups = self.groups_of(optimizer)
        held = dict.fromkeys(parameter for group in groups for parameter in group.parameters)
        name = type(optimizer).__name__
        location = location_outside(optimizer)
        record = self._journal.add("optimizer-built", location, optimizer=len(self.built), name=name)
        record.parameters.update(held)
        self.built.append(Built(len(self.built), optimizer, record.index, groups))
        self.schedules.built(optimizer)
        self._on_built()

    def _watch_groups(self, patches: Patches) -> None:
        watcher = self

        def add_param_group(optimizer: Optimizer, /, param_group: dict[str, Any]) -> None:
            if watcher._building:
                original(optimizer, param_group)
                return
            for iterator in _iterators(param_group.get("params")):
                watcher._consume(iterator, f"{type(optimizer).__name__}.add_param_group")
            watcher.schedules.before_step(optimizer)
            original(optimizer, param_group)
            built = watcher.known(optimizer)
            record = watcher._journal.add("group-added", user_location(), optimizer=built.index)
            record.parameters.update(dict.fromkeys(watcher._ledger.ids(optimizer.param_groups[-1]["params"])))
            built.added.append(record.index)
            watcher.schedules.built(optimizer)

        original = patches.replace(Optimizer, "add_param_group", add_param_group)

    def _watch_clipping(self, patches: Patches) -> None:
        for name in _CLIPPERS:
            for owner in (torch.nn.utils.clip_grad, torch.nn.utils):
                if hasattr(owner, name):
                    patches.replace(owner, name, self._clipper(name, getattr(owner, name)))

    def _clipper(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def clip(parameters: Any, *args: Any, **kwargs: Any) -> Any:
            self._consume(parameters, name)
            return original(parameters, *args, **kwargs)

        return clip

    def _consume(self, iterator: Any, consumer: str) -> None:
        """Note that `consumer` is about to read this iterator, and whether somebody has emptied it before."""
        if not isinstance(iterator, Iterator):
            return
        earlier = self._consumed.get(id(iterator))
        if earlier is not None or _is_exhausted(iterator):
            by = earlier[1] if earlier is not None else ""
            self._journal.add("iterator-exhausted", user_location(), name=consumer, value=by)
        self._consumed.setdefault(id(iterator), (iterator, consumer))
        if len(self._consumed) > _MOST_ITERATORS:
            del self._consumed[next(iter(self._consumed))]


def _steps_in_progress() -> int:
    """How many calls of `step` are running, this one included: torch wraps each in a function of its own."""
    count = 0
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "wrapper" and frame.f_code.co_filename == _STEP_WRAPPERS:
            count += 1
        frame = frame.f_back
    return count


def _keeps_something(state: Any) -> bool:
    """Whether there is more than nothing, or names without values, as plain SGD has them."""
    if isinstance(state, Mapping):
        return any(value is not None for value in state.values())
    return state is not None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return float(value)
    if (
        isinstance(value, torch.Tensor)
        and value.numel() == 1
        and type(value) is torch.Tensor
        and not value.is_meta
    ):
        return float(value)
    return None


def _iterators(params: Any) -> Iterator[Any]:
    """The iterators among the arguments of an optimizer: the argument itself, or the `params` of its
    groups.
    """
    if isinstance(params, Iterator):
        yield params
    elif isinstance(params, (list, tuple)):
        for group in params:
            if isinstance(group, dict) and isinstance(group.get("params"), Iterator):
                yield group["params"]


def _is_exhausted(iterator: Any) -> bool:
    """Whether a generator has ended, looking through `filter` and `map`. False where that cannot be told."""
    if inspect.isgenerator(iterator):
        return inspect.getgeneratorstate(iterator) == inspect.GEN_CLOSED
    if isinstance(iterator, (filter, map)):
        sources = iterator.__reduce__()[1][1:]
        return any(_is_exhausted(source) for source in sources)
    return False
