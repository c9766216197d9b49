"""`freezelint.freezing.GradualUnfreezing`: one block after the other, in one optimizer."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

from freezelint.freezing.partition import Part
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.signals import RaisedSignal
from freezelint.source.interpreter.values import (
    Call,
    Instance,
    Intrinsic,
    Optimizer,
    Parameter,
    Schedule,
    Unknown,
    Value,
)
from freezelint.source.semantics import changes, escapes, groups, partitions, scheduling
from freezelint.source.semantics.rates import number
from freezelint.source.semantics.selections import Selection
from freezelint.source.vocabulary import function
from freezelint.source.vocabulary.freezing_flags import model_in
from freezelint.source.vocabulary.freezing_rates import part_in, undecayed

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

KIND = "freezelint.freezing.GradualUnfreezing"
_PLAN = "*plan"
# What a new group does not take over from the head's.
_OWN = ("params", "param_names", "lr", "initial_lr", "name")
_DECAY = 1 / 2.6
_Group: TypeAlias = dict[str, Any]


@function(KIND)
def gradual_unfreezing(machine: Machine, call: Call) -> Value:
    """Everything but what the optimizer holds is frozen."""
    made = Instance(None, kind=KIND)
    made.attributes[_PLAN] = plan = _Plan(machine, call)
    plan.begin()
    plan.show(made)
    return made


class _Plan:
    """What is opened, and when. `blocks` is None where that is not known: then neither are flags and groups
    after any of its calls.
    """

    def __init__(self, machine: Machine, call: Call) -> None:
        self._machine = machine
        self.model, self.optimizer = model_in(call), known(call.get(1, "optimizer"))
        self._decay = call.kwargs.get("decay", _DECAY)
        self.every = number(call.kwargs.get("every", 1))
        self._norms = known(call.kwargs.get("norms", "follow"))
        self._schedules: list[Schedule] = []
        _check(self._decay, call.kwargs.get("every", 1), self._norms)
        self.follow(call.kwargs.get("schedule"))
        self.blocks = self._blocks(call)
        self.closed: list[Part] = []
        self.stage = 0
        self.begun = 0  # epochs

    def _blocks(self, call: Call) -> list[Part] | None:
        optimizer, given = self.optimizer, known(call.kwargs.get("blocks"))
        if self.model is None or not isinstance(optimizer, Optimizer) or not optimizer.complete:
            return None
        if given is None:
            return partitions.blocks_of(self.model, call.kwargs.get("sample"))
        found = [part_in(value) for value in given] if isinstance(given, (list, tuple)) else [None]
        parts = [part for part in found if part is not None]
        return parts if len(parts) == len(found) else None

    def follow(self, given: Value) -> None:
        """Take these schedules along; cyclic ones are refused."""
        several = given if isinstance(given, (list, tuple)) else [given]
        self._schedules = [schedule for schedule in several if isinstance(schedule, Schedule)]
        if any(schedule.class_name in ("CyclicLR", "OneCycleLR") for schedule in self._schedules):
            raise RaisedSignal("ValueError")

    def begin(self) -> None:
        """Freeze what the optimizer does not hold."""
        if not self.blocks or self.model is None or self.every is None:
            self.blocks = None
            self.forget()
            return
        held = self._held()
        if not any(id(p) in held for p in self.blocks[-1].parameters.values()):
            raise RaisedSignal("ValueError")
        self.closed = [b for b in reversed(self.blocks) if not _all_held(b, held)]
        if not self.closed:
            raise RaisedSignal("ValueError")
        whole = partitions.selection_of(self.model, [b for b in self.blocks if _all_held(b, held)])
        head = {n: p for block in self.blocks for n, p in block.parameters.items() if id(p) in held}
        changes.leave_trainable(self._machine, self.model, Selection(head, whole.modules))

    def forget(self) -> None:
        """Flags and groups may be anything."""
        if self.model is not None:
            escapes.forget(self.model)
        if isinstance(self.optimizer, Optimizer):
            self.optimizer.complete = False

    def open(self) -> str:
        """Make the next block trainable, in a group of its own."""
        block, optimizer = self.closed[self.stage], self.optimizer
        assert self.model is not None
        selection = partitions.selection_of(self.model, [block])
        keep = self._norms == "frozen"
        changes.unfreeze(self._machine, self.model, selection, keep_norms=keep)
        held = self._held()
        new = [p for p in block.parameters.values() if p.requires_grad is not False and id(p) not in held]
        self.stage += 1
        if isinstance(optimizer, Optimizer):
            head, plain = self._head_groups(optimizer)
            for group in self._groups(block, new, head, plain):
                groups.extended(self._machine, optimizer, group)
            for schedule in self._schedules:
                if schedule.class_name != scheduling.RATIO:
                    scheduling.follow(schedule, optimizer, head)
        return block.name

    def warm_up(self) -> None:
        """Schedules of ours start over."""
        for schedule in self._schedules:
            self._machine.call(self._machine.get(schedule, "restart"))

    def show(self, owner: Instance) -> None:
        """What the script sees of it. In passes that stand for all later ones the stage is not known."""
        sure = self.blocks is not None and not any(loop.late for loop in self._machine.loops)
        told: dict[str, Value] = {"stage": self.stage, "done": self.stage == len(self.closed)}
        if self.blocks is not None:
            told["stages"] = tuple(block.name for block in self.closed)
        for name in ("stage", "stages", "done"):
            fixed = name in told and (sure or name == "stages")
            owner.attributes[name] = told[name] if fixed else Unknown(f"unfreezing.{name}")

    def _held(self) -> set[int]:
        return {id(p) for p in groups.parameters_of(self.optimizer)}

    def _groups(
        self, block: Part, parameters: list[Parameter], head: _Group, plain: _Group | None
    ) -> list[_Group]:
        """One group, or two where the head's norms and biases have one of their own."""
        assert self.model is not None
        without = undecayed(self.model) if plain is not None else set()
        weights = [p for p in parameters if id(p) not in without]
        others = [p for p in parameters if id(p) in without]
        found = [self._group(block.name, block, weights, head, head)] if weights else []
        if plain is not None and others:
            found.append(self._group(f"{block.name} (no decay)", block, others, plain, head))
        return found

    def _group(
        self, name: str, block: Part, parameters: list[Parameter], like: _Group, head: _Group
    ) -> _Group:
        assert self.blocks is not None
        exponent = len(self.blocks) - 1 - self.blocks.index(block)
        rate, decay = number(head.get("initial_lr", head.get("lr"))), number(self._decay)
        return {
            **{key: value for key, value in like.items() if key not in _OWN},
            "params": list(parameters),
            "lr": Unknown("lr") if rate is None or decay is None else rate * decay**exponent,
            "name": name,
        }

    def _head_groups(self, optimizer: Optimizer) -> tuple[_Group, _Group | None]:
        """The group that holds most of the last block, and the one without weight decay beside it."""
        assert self.blocks is not None
        last = {id(p) for p in self.blocks[-1].parameters.values()}
        head = max(optimizer.groups, key=lambda group: _values_in(group["params"], last))
        return head, next((g for g in optimizer.groups if _is_plain(g, head, last)), None)


def _is_plain(group: _Group, head: _Group, last: set[int]) -> bool:
    """Whether a group holds biases of the last block without weight decay, where the head has some."""
    own = [p for p in group["params"] if id(p) in last]
    decays = bool(number(head.get("weight_decay"))) and number(group.get("weight_decay")) == 0
    return decays and bool(own) and all(len(p.dims) <= 1 for p in own)


def _all_held(block: Part, held: set[int]) -> bool:
    return all(id(p) in held for p in block.parameters.values())


def _values_in(parameters: list[Parameter], wanted: set[int]) -> int:
    """How many values there are in those of the parameters that are wanted."""
    return sum(prod(size or 1 for size in p.dims) for p in parameters if id(p) in wanted)


def _check(decay: Value, every: Value, norms: Value) -> None:
    """Refuse what the library refuses, as far as it is written out."""
    wrong_decay = type(decay) in (int, float) and not 0 < decay <= 1
    wrong_every = type(every) is int and every < 1
    if wrong_decay or wrong_every or (isinstance(norms, str) and norms not in ("follow", "frozen")):
        raise RaisedSignal("ValueError")


def _plan(call: Call) -> _Plan | None:
    plan = call.owner.attributes.get(_PLAN) if isinstance(call.owner, Instance) else None
    return plan if isinstance(plan, _Plan) else None


@function(f"{KIND}.begin_epoch")
def begin_epoch(machine: Machine, call: Call) -> Value:
    """What is due at this epoch is opened; in passes that stand for all later ones, the next block."""
    plan = _plan(call)
    if plan is None or plan.blocks is None or plan.every is None:
        return _unknown(plan)
    epoch = number(call.get(1, "epoch"))
    late = any(loop.late for loop in machine.loops)
    if epoch is None:
        epoch = (plan.stage + 1) * plan.every if late else plan.begun
    plan.begun += 1
    opened: list[Value] = []
    while plan.stage < min(epoch // plan.every, len(plan.closed)):
        opened.append(plan.open())
    if opened:
        plan.warm_up()
    plan.show(call.owner)
    return Unknown("begin_epoch(…)") if late else tuple(opened)


@function(f"{KIND}.advance")
def advance(machine: Machine, call: Call) -> Value:
    """The next block is opened; gives its name, None where all are open."""
    plan = _plan(call)
    if plan is None or plan.blocks is None:
        return _unknown(plan)
    if plan.stage == len(plan.closed):
        return None
    name = plan.open()
    plan.warm_up()
    plan.show(call.owner)
    return Unknown("advance()") if any(loop.late for loop in machine.loops) else name


@function(f"{KIND}.follow")
def follow(machine: Machine, call: Call) -> None:
    """Other schedules than those given first."""
    plan = _plan(call)
    if plan is not None:
        plan.follow(call.get(1, "schedule"))


@function(f"{KIND}.load_state_dict")
def load_state_dict(machine: Machine, call: Call) -> None:
    """Nobody knows how many blocks were open when the state was saved."""
    lose_track(call.owner)


def _unknown(plan: _Plan | None) -> Value:
    if plan is not None:
        plan.forget()
    return Unknown("unfreezing(…)")


@function(f"{KIND}.__getattr__")
def told(machine: Machine, call: Call) -> Value:
    """A method that is not imitated may open any block, now or later."""
    name, owner = call.get(1, "name", ""), call.owner

    def run(machine: Machine, later: Call) -> Value:
        if name != "state_dict":
            lose_track(owner)
        return Unknown(f"unfreezing.{name}(…)")

    return Intrinsic(f"unfreezing.{name}", run)


def lose_track(value: Value) -> None:
    """Something that nobody knows was given a plan of unfreezing: it may open blocks at any time."""
    plan = value.attributes.get(_PLAN) if isinstance(value, Instance) else None
    if isinstance(plan, _Plan) and isinstance(value, Instance):
        plan.blocks = None
        plan.forget()
        plan.show(value)
