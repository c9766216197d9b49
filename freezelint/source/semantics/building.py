"""What the constructors of layers have in common: arguments, sizes, parameters, layers inside layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.evidence import Origin
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import MISSING, Call, Module, Parameter, Tensor, Unknown, Value

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

# More layers than this in one container are not made.
MOST_LAYERS = 400


class Required:
    """Marks an argument without a default."""


REQUIRED = Required()


def arguments(call: Call, **signature: Value) -> dict[str, Value]:
    """The arguments of a call by name; `signature` gives the defaults, in the order of the positions."""
    found: dict[str, Value] = {}
    for position, (name, default) in enumerate(signature.items()):
        value = call.get(position, name)
        if value is MISSING:
            value = Unknown(name) if isinstance(default, Required) else default
        found[name] = value
    return found


def size(value: Value) -> int | None:
    """A size, where it is known."""
    number = known(value)
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def sizes(value: Value, count: int | None = None) -> tuple[int | None, ...]:
    """A shape given as a number or as several; `count` says how many dimensions one number stands for."""
    shape = known(value)
    if isinstance(shape, (tuple, list)):
        return tuple(size(one) for one in shape)
    return (size(value),) * (count or 1)


def product(*factors: int | None) -> int | None:
    """The product; None where a factor is unknown."""
    result = 1
    for factor in factors:
        if factor is None:
            return None
        result *= factor
    return result


def quotient(number: int | None, by: int | None) -> int | None:
    """The whole quotient; None where it is unknown."""
    return None if number is None or not by else number // by


def is_set(machine: Machine, value: Value, default: bool) -> bool:
    """Whether an option is on; the default where nobody knows."""
    truth = machine.truth(known(value)) if known(value) is not MISSING else None
    return default if truth is None else truth


def parameter(
    machine: Machine,
    module: Module,
    name: str,
    *dims: int | None,
    origin: Origin = "fresh",
    requires_grad: bool | None = True,
) -> Parameter:
    """A new parameter of the module."""
    made = Parameter(
        requires_grad=requires_grad, dims=dims, origin=origin, built=machine.location(), text=name
    )
    module.parameters[name] = made
    return made


def buffer(module: Module, *names: str) -> None:
    """Buffers of the module."""
    for name in names:
        module.buffers[name] = Tensor(text=name)


def layer(machine: Machine, name: str, *args: Value, **kwargs: Value) -> Module:
    """A layer of a library by its dotted name, as its constructor makes it."""
    from freezelint.source.interpreter import calls

    made = Module(name.rpartition(".")[2], name.partition(".")[0], built=machine.location())
    calls.construct(machine, made, name, Call(machine.node, list(args), dict(kwargs)))
    return made


def made_by(machine: Machine, factory: Value, *args: Value, **kwargs: Value) -> Module | None:
    """What a factory that the script handed over (`norm_layer=…`) makes; None where it makes no module."""
    made = machine.call(factory, *args, **kwargs) if factory is not None else None
    return made if isinstance(made, Module) else None
