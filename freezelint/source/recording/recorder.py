"""What happened in one run, in order, with the parameters and modules concerned; `trace` turns it into
evidence.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from freezelint.evidence import EventKind, Location, Step
from freezelint.source.interpreter.values import Items, Module, Optimizer, Parameter, Schedule, Tensor, Value
from freezelint.source.recording import bare_statements, claims, misses, no_effects, snapshot
from freezelint.source.recording.surroundings import context_here
from freezelint.source.semantics import open_ends, rates, stepping
from freezelint.wording import line

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

# What a statement does in a loop is one event, as long as nothing but these happens meanwhile.
_IN_LOOPS: frozenset[EventKind] = frozenset(
    {"frozen", "unfrozen", "no-effect", "to-train", "to-eval", "norm-set", "compared"}
)
_MOST = 3000
_ALIKE = 2
_MOST_STEPS = 24


@dataclass(eq=False)
class Record:
    """An event in the making: its parameters and modules are values still."""

    index: int
    kind: EventKind
    location: Location | None
    steps_before: int
    before_forward: bool
    parameters: dict[int, Tensor] = field(default_factory=dict)
    modules: dict[int, Module] = field(default_factory=dict)
    optimizer: Optimizer | None = None
    details: dict[str, Any] = field(default_factory=dict)


class Recorder:
    """Collects the events and steps of one run."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.misses = misses.Misses(machine)
        self.begin()

    def begin(self) -> None:
        """Forget everything: a new trace starts, over the modules that there are."""
        self.records: list[Record] = []
        self.optimizers: list[Optimizer] = []
        self.schedules: list[Schedule] = []
        self.steps: list[Step] = []
        self.made: list[Module] = []  # modules that a constructor of the script's or a library's class made
        self.steps_done = 0
        self.calling = ""  # the library whose code calls `train()` or `eval()` at this moment
        self.forwards = 0  # calls of modules since the last step
        self.forwarded = False
        self.stepping: list[Optimizer] = []  # those whose `step` is running
        self.checkpoint_depth = 0  # reentrant checkpoints around the current call that cut the graph
        self.inputs_require_grad = False  # something that nobody knows, an input perhaps, was told to
        self.uncertain_forward = False  # a condition that nobody knows chose what ran
        self.stock = snapshot.Stock(self)
        self.rates = rates.Rates(self.machine)
        self._open: dict[tuple[Any, ...], Record] = {}
        self._seen: Counter[int] = Counter()  # how often a step left this state

    # -- events -------------------------------------------------------------------------------------------

    def event(
        self,
        kind: EventKind,
        *,
        parameters: Iterable[Tensor] = (),
        modules: Iterable[Module] = (),
        optimizer: Optimizer | None = None,
        location: Location | None = None,
        key: str = "",
        **details: Any,
    ) -> int:
        """Append an event at the current statement, or continue the one that the same statement began.

        `key` keeps apart what must not be merged. Gives the index of the event, -1 where there are too many.
        """
        record = self.record(kind, location or self.machine.location(), key, details)
        record.parameters.update((id(parameter), parameter) for parameter in parameters)
        record.modules.update((id(module), module) for module in modules)
        record.optimizer = optimizer or record.optimizer
        return record.index

    def record(self, kind: EventKind, location: Location | None, key: str, details: dict[str, Any]) -> Record:
        """The record that an event goes to."""
        if kind not in _IN_LOOPS:
            self._open.clear()
            return self._append(kind, location, details)
        identity = (kind, location, key)
        record = self._open.get(identity)
        if record is None:
            record = self._open[identity] = self._append(kind, location, details)
        return record

    def _append(self, kind: EventKind, location: Location | None, details: dict[str, Any]) -> Record:
        if kind in ("to-train", "to-eval") and not details.get("name"):
            details = {**claims.claim_here(self.machine), **details}
        index = len(self.records) if len(self.records) < _MOST else -1
        record = Record(index, kind, location, self.steps_done, not self.forwarded, details=details)
        if index >= 0:
            self.records.append(record)
        return record

    def flag(
        self, parameters: Iterable[Parameter], value: bool | None, receiver: Module | None = None
    ) -> None:
        """`requires_grad` of these parameters was set; None where nobody knows to what."""
        parameters = list(parameters)
        self.misses.wrote(parameters, value)
        if not isinstance(value, bool):
            for parameter in parameters:
                parameter.requires_grad, parameter.cause = None, None
            return
        kind: EventKind = "unfrozen" if value else "frozen"
        record = self.record(kind, self.machine.location(), "", {})
        if not record.details:
            record.details.update(context_here(self.machine), value=str(value))
        for parameter in parameters:
            chosen = open_ends.is_chosen(self.machine, parameter if receiver is None else receiver)
            parameter.requires_grad = None if chosen else value
            parameter.cause = record.index if record.index >= 0 and not chosen else None
            record.parameters[id(parameter)] = parameter
        if receiver is not None:
            record.modules[id(receiver)] = receiver

    def iterator_exhausted(self, items: Items, consumer: str) -> None:
        """A spent iterator of parameters was handed to something that expects elements."""
        if items.made is not None and consumer:
            here = self.machine.location()
            where = f" ({line(items.exhausted, here)})" if items.exhausted else ""
            by = f"{items.consumer}{where}" if items.consumer else ""
            self.event("iterator-exhausted", name=consumer, value=by)

    # -- optimizers ---------------------------------------------------------------------------------------

    def register(self, optimizer: Optimizer) -> None:
        """An optimizer was built."""
        if optimizer.index < 0 or optimizer not in self.optimizers:
            if optimizer.index >= 0:  # of an earlier trace, whose events are gone
                optimizer.built, optimizer.added, optimizer.state_known = None, [], False
            optimizer.index = len(self.optimizers)
            self.optimizers.append(optimizer)

    def step(self, optimizer: Optimizer) -> None:
        """One step of an optimizer is complete; of nested ones only the outermost counts."""
        if self.stepping:
            return
        self.register(optimizer)
        moved = stepping.apply(self.machine, optimizer)
        index = self.event("stepped", optimizer=optimizer)
        state = self.stock.fingerprint(optimizer, moved)
        self._seen[state] += 1
        # A step like two earlier ones shows nothing new; the second shows what only a second can.
        if self._seen[state] <= _ALIKE and len(self.steps) < _MOST_STEPS:
            self.stock.take()
            self.steps.append(self.stock.step("step", index if index >= 0 else None, optimizer, moved))
        self.steps_done += 1
        optimizer.stepped += 1
        self.begin_step()

    def stopped(self, phase: Literal["backward", "optimizer-built"], event: int | None = None) -> None:
        """The script fails here, before a step: how far it got."""
        self.stock.take(everything=True)
        self.steps.append(self.stock.step(phase, event, None, {}))

    def begin_step(self) -> None:
        """What the modules did belongs to the step that is over."""
        self.forwards = 0
        self.uncertain_forward = False
        for root in self.stock.roots():
            for _, module in self.stock.walk(root):
                module.ran = None
        self.stock.leaves.clear()

    # -- statements ---------------------------------------------------------------------------------------

    def discarded(self, node: ast.Expr, value: Value, began: bare_statements.Began | None) -> None:
        """An expression statement gave this value, and nothing kept it."""
        bare_statements.end(self.machine, node, value, began)

    def foreign_attribute(self, owner: Value, name: str, value: Value) -> None:
        """An attribute was written on something that is no module."""
        no_effects.attribute_written(self.machine, owner, name, value)
