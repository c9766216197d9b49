"""`copy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter import copying
from freezelint.source.interpreter.values import Call, Unknown, Value
from freezelint.source.vocabulary import function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


@function("copy.deepcopy")
def deepcopy(machine: Machine, call: Call) -> Value:
    """A copy that shares nothing with the original."""
    return copying.deep_copy(machine, call.args[0]) if call.args else Unknown("deepcopy()")


@function("copy.copy")
def copy(machine: Machine, call: Call) -> Value:
    """A copy that shares its parts with the original."""
    return copying.shallow_copy(call.args[0]) if call.args else Unknown("copy()")
