"""`freezelint.freezing`: blocks, parameter groups by layer, schedules that keep ratios."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from freezelint.freezing import shapes
from freezelint.freezing.partition import Part
from freezelint.freezing.shapes import Shape
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.signals import RaisedSignal
from freezelint.source.interpreter.values import (
    Call,
    Instance,
    Module,
    Optimizer,
    Parameter,
    Schedule,
    Unknown,
    Value,
)
from freezelint.source.recording.snapshot import unwrapped
from freezelint.source.semantics import partitions, scheduling
from freezelint.source.semantics.modules import parameters_below
from freezelint.source.semantics.rates import number
from freezelint.source.semantics.selections import own_parameters
from freezelint.source.vocabulary import function, method
from freezelint.source.vocabulary.schedules import made_schedule

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

BLOCK = "freezelint.freezing.Block"
_PART = "*part"


@function("freezelint.freezing.blocks", "freezelint.freezing.layers")
def blocks(machine: Machine, call: Call) -> Value:
    """The blocks of a model, where nothing of it is unknown."""
    model = known(call.get(0, "model"))
    find = partitions.layers_of if call.name.endswith("layers") else partitions.blocks_of
    found = find(unwrapped(model), call.get(1, "sample", None)) if isinstance(model, Module) else None
    if found is None:
        return Unknown("blocks(…)")
    if not found:
        raise RaisedSignal("ValueError")
    return [block_value(part) for part in found]


def block_value(part: Part) -> Instance:
    """A block, as the script sees it."""
    attributes: dict[str, Value] = {"name": part.name, "modules": part.modules, "parameters": part.parameters}
    return Instance(None, {**attributes, _PART: part}, BLOCK)


def part_in(value: Value) -> Part | None:
    """What a block of the script is made of."""
    part = value.attributes.get(_PART) if isinstance(value, Instance) else None
    return part if isinstance(part, Part) else None


# -- parameter groups ----------------------------------------------------------------------------------------


@function("freezelint.freezing.layerwise_groups")
def layerwise_groups(machine: Machine, call: Call) -> Value:
    """Groups with the rate `lr * decay**k`; one group with an unknown rate where the blocks are not known."""
    model = known(call.get(0, "model"))
    rate, decay, by = call.get(1, "lr"), call.get(2, "decay"), known(call.get(3, "by", "block"))
    _check(rate, decay, by, call.kwargs.get("sample"))
    if not isinstance(model, Module):
        return Unknown("layerwise_groups(…)")
    model = unwrapped(model)
    parts = _parts(model, by, call.kwargs.get("sample"))
    if parts is None:
        parts, rate = [Part(model.name or "model", (), dict(_all(model)))], Unknown("lr")
    options = _Options(machine, model, call)
    groups: list[Value] = []
    for position, part in enumerate(parts):
        groups += options.groups(part, _rate(rate, decay, len(parts) - 1 - position))
    if not groups and not options.uncertain:
        raise RaisedSignal("ValueError")
    if options.uncertain:
        machine.parts.open(groups)
    return groups


def _all(model: Module) -> list[tuple[str, Parameter]]:
    return [(str(position), parameter) for position, parameter in enumerate(parameters_below(model))]


def _parts(model: Module, by: Value, sample: Value) -> list[Part] | None:
    if by == "layer":
        return partitions.layers_of(model, sample)
    return partitions.blocks_of(model, sample) if by == "block" else None


def _check(rate: Value, decay: Value, by: Value, sample: Value) -> None:
    """Refuse what the library refuses, as far as it is written out."""
    lowest = [value for value in (rate, decay) if type(value) in (int, float)]
    beyond = type(decay) in (int, float) and decay > 1
    if any(not value > 0 for value in lowest) or beyond or (by == "depth" and sample is None):
        raise RaisedSignal("ValueError")
    if isinstance(by, str) and by not in ("block", "layer", "depth"):
        raise RaisedSignal("ValueError")


def _rate(rate: Value, decay: Value, exponent: int) -> Value:
    first, factor = number(rate), number(decay)
    if first is None or factor is None:
        return Unknown("lr")
    value = first * factor**exponent
    return Unknown("lr", value) if isinstance(rate, Unknown) or isinstance(decay, Unknown) else value


class _Options:
    """How the parameters of a block become groups."""

    def __init__(self, machine: Machine, model: Module, call: Call) -> None:
        self._machine = machine
        self._decay = call.kwargs.get("weight_decay")
        apart = machine.truth(call.kwargs.get("decay_norms_and_biases", True)) is False
        self._plain = undecayed(model) if apart else set()
        self.uncertain = not call.complete  # whether more may be trainable than is known

    def groups(self, part: Part, rate: Value) -> list[Value]:
        """The trainable parameters of a block in one group, or in two by weight decay."""
        every = list(part.parameters.values())
        self.uncertain = self.uncertain or any(p.requires_grad is None for p in every)
        trainable = [p for p in every if p.requires_grad]
        weights = [p for p in trainable if id(p) not in self._plain]
        others = [p for p in trainable if id(p) in self._plain]
        found: list[Value] = []
        if weights:
            extra = {} if self._decay is None else {"weight_decay": self._decay}
            found.append({"params": weights, "lr": rate, "name": part.name, **extra})
        if others:
            name = f"{part.name} (no decay)"
            found.append({"params": others, "lr": rate, "name": name, "weight_decay": 0.0})
        return found


def undecayed(model: Module) -> set[int]:
    """The parameters (by their Python id) that weight decay is usually kept from."""
    found = {id(p) for p in parameters_below(model) if len(p.dims) <= 1}
    norms = (module for _, module in model.walk() if partitions.is_norm(module))
    return found.union(id(p) for norm in norms for p in own_parameters(norm))


# -- schedules -----------------------------------------------------------------------------------------------


@function("freezelint.freezing.warmup_cosine", "freezelint.freezing.warmup_linear")
def falling(machine: Machine, call: Call) -> Value:
    """A linear rise, then a fall along a cosine or a straight line."""
    kind: Callable[..., Shape] = shapes.falling
    name = "cosine" if call.name.endswith("cosine") else "linear"
    given = [call.get(1, "total_steps"), call.get(2, "warmup_steps", 0), call.get(3, "lowest", 0.0)]
    return _schedule(machine, call, lambda total, warm, low: kind(name, int(total), int(warm), low), given)


@function("freezelint.freezing.slanted_triangular")
def slanted(machine: Machine, call: Call) -> Value:
    """A short rise and a long fall."""
    given = [call.get(1, "total_steps"), call.get(2, "rising", 0.1), call.get(3, "ratio", 32.0)]
    return _schedule(machine, call, lambda total, part, ratio: shapes.slanted(int(total), part, ratio), given)


@function("freezelint.freezing.RatioSchedule")
def ratio_schedule(machine: Machine, call: Call) -> Value:
    """With a shape of the script's own making its rates are not known."""
    return made_schedule(machine, scheduling.RATIO, call, details={scheduling.SHAPE: None})


def _schedule(machine: Machine, call: Call, make: Callable[..., Shape], given: list[Value]) -> Value:
    numbers = [number(value) for value in given]
    shape = None
    if None not in numbers:
        try:
            shape = make(*numbers)
        except (ValueError, OverflowError):
            if not any(isinstance(value, Unknown) for value in given):
                raise RaisedSignal("ValueError") from None
    return made_schedule(machine, scheduling.RATIO, call, details={scheduling.SHAPE: shape})


@method(Schedule, "restart")
def restart(machine: Machine, schedule: Schedule, call: Call) -> None:
    """The warm-up begins anew."""
    optimizer = schedule.optimizer
    if isinstance(optimizer, Optimizer) and schedule.class_name == scheduling.RATIO:
        machine.recorder.register(optimizer)
        machine.recorder.rates.before_step(optimizer)
        machine.recorder.rates.written(optimizer)
        scheduling.restart(machine, schedule, optimizer)
