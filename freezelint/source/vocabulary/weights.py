"""State dicts of modules: read, filtered, loaded; and what fills single parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import Call, Module, Parameter, Tensor, Unknown, Value
from freezelint.source.semantics import modules, open_ends
from freezelint.source.semantics.building import is_set
from freezelint.source.vocabulary import method

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


@method(Module, "state_dict")
def state_dict(machine: Machine, module: Module, call: Call) -> Value:
    """Tensors that share the memory of parameters, by name."""
    if module.is_open:
        return Unknown(f"{module.name or module.class_name}.state_dict()")
    prefix = known(call.get(None, "prefix", ""))
    found: dict[str, Value] = {}
    for path, inner in module.walk(prefix.rstrip(".") if isinstance(prefix, str) else ""):
        for name, parameter in inner.parameters.items():
            if parameter is not None:
                found[f"{path}.{name}" if path else name] = Tensor(
                    cut="state_dict", behind=parameter, text=name
                )
        for name, value in inner.buffers.items():
            if value is not None:
                found[f"{path}.{name}" if path else name] = Tensor(text=name)
    return found


@method(Module, "load_state_dict")
def load_state_dict(machine: Machine, module: Module, call: Call) -> Value:
    """Stored weights arrive. With `strict=False` and a dict that nobody knows, some parameters may not get
    any.
    """
    given = call.get(0, "state_dict", Unknown("state_dict"))
    strict = is_set(machine, call.get(1, "strict", True), False)
    names = _names(given)
    below = list(module.own_and_below())
    if names is not None:
        received = [parameter for path, parameter in below if path in names]
    elif strict:
        received = [parameter for _, parameter in below]
    else:
        received = []
        for _, parameter in below:
            if not parameter.trained and parameter.origin != "pretrained":
                parameter.origin = "unknown"
    for parameter in received:
        # The best weights of a training, restored when it is over, tell nothing of how it began.
        if not parameter.trained:
            parameter.origin = "pretrained"
    for _, inner in module.walk():
        if inner.open:
            open_ends.rest_of(inner).origin = "unknown"
    if is_set(machine, call.get(2, "assign", False), False):
        received = _assigned(machine, module, received)
    machine.recorder.event("loaded", parameters=received)
    return Unknown("load_state_dict(…)")


def _names(given: Value) -> set[str] | None:
    given = known(given)
    if isinstance(given, dict) and given and all(isinstance(name, str) for name in given):
        return set(given)
    return None


def _assigned(machine: Machine, module: Module, received: list[Parameter]) -> list[Parameter]:
    """`assign=True` puts new parameters in the place of the old ones."""
    modules.keep_places(machine, module)
    twins = {
        id(old): Parameter(
            requires_grad=old.requires_grad,
            dims=old.dims,
            origin="pretrained",
            built=old.built,
            text=old.text,
        )
        for old in received
    }
    for _, inner in module.walk():
        for name, parameter in inner.parameters.items():
            inner.parameters[name] = twins.get(id(parameter), parameter)
    made = list(twins.values())
    machine.recorder.event("replaced", parameters=made, name="", value="assigned")
    return made
