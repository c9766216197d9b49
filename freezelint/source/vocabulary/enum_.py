"""`enum`: the members of an enumeration are objects with a name and a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import (
    Call,
    Class,
    Descriptor,
    Function,
    Instance,
    Intrinsic,
    Unknown,
    Value,
)
from freezelint.source.vocabulary import function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_CLASSES = ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag")
ALIASES = {"strenum.StrEnum": "enum.StrEnum", "transformers.utils.ExplicitEnum": "enum.Enum"}


@function(*(f"enum.{name}.__init_subclass__" for name in _CLASSES))
def members(machine: Machine, call: Call) -> None:
    """The plain names of the class body become members."""
    cls = call.owner
    if not isinstance(cls, Class):
        return
    libraries = {library.name.rpartition(".")[2] for library in cls.libraries()}
    # A member of these is equal to its value.
    kind = (
        "enum.mixed"
        if libraries & {"str", "int", "float", "IntEnum", "StrEnum", "IntFlag"}
        else "enum.member"
    )
    found: dict[str, Value] = {}
    counter = 0
    for name, value in list(cls.namespace.items()):
        if name.startswith("_") or isinstance(value, (Function, Descriptor, Class, Intrinsic)):
            continue
        if isinstance(value, Instance) and value.kind == "enum.auto":
            counter += 1
            value = name.lower() if "StrEnum" in libraries else counter
        elif isinstance(value, int):
            counter = value
        found[name] = cls.namespace[name] = Instance(cls, {"name": name, "value": value}, kind)
    cls.namespace["__members__"] = found


@function("enum.auto")
def auto(machine: Machine, call: Call) -> Value:
    """The next value."""
    return Instance(None, kind="enum.auto")


@function(*(f"enum.{name}.__new__" for name in _CLASSES))
def by_value(machine: Machine, call: Call) -> Value:
    """`Mode("full")`: the member with this value."""
    cls, wanted = call.owner, call.get(1, "value", None)
    found = cls.namespace.get("__members__") if isinstance(cls, Class) else None
    if not isinstance(found, dict):
        return Unknown(f"{text_of(cls)}({text_of(wanted)})")
    plain = known(wanted)
    for member in found.values():
        value = member.attributes["value"]
        if member is plain or (
            isinstance(value, (str, int, float)) and type(value) is type(plain) and value == plain
        ):
            return (
                Unknown(f"{text_of(cls)}({text_of(wanted)})", member)
                if isinstance(wanted, Unknown)
                else member
            )
    return Unknown(f"{text_of(cls)}({text_of(wanted)})")


@function("enum.unique", "enum.verify", "enum.nonmember", "enum.member")
def unique(machine: Machine, call: Call) -> Value:
    """Decorators that change nothing."""
    return call.args[0] if call.args else Unknown("enum")
