"""`torch.nn.init`: what it fills has initial values, whatever it held before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter.values import Call, Parameter, Tensor, Unknown, Value
from freezelint.source.vocabulary import function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


@function("torch.nn.init.*")
def initialise(machine: Machine, call: Call) -> Value:
    """A new head that came with a checkpoint is as random as any, once it is filled anew."""
    given = call.get(0, "tensor", None)
    if not isinstance(given, Tensor):
        return Unknown(f"{call.name.rpartition('.')[2]}(…)")
    parameter = given.behind if given.cut == "data" else given
    if isinstance(parameter, Parameter) and not parameter.trained and parameter.origin != "fresh":
        # Of a pattern of layers that nobody knows some may keep their weights.
        parameter.origin = "unknown" if machine.conditional else "fresh"
    return given
