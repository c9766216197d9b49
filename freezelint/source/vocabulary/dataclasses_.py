"""`dataclasses`, and libraries whose classes are filled from annotated names in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.values import MISSING, Call, Class, Instance, Intrinsic, Unknown, Value
from freezelint.source.vocabulary import function
from freezelint.source.vocabulary.functools_ import identity

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

ALIASES = {"pydantic.dataclasses.dataclass": "dataclasses.dataclass", "chex.dataclass":
    "dataclasses.dataclass", "flax.struct.dataclass": "dataclasses.dataclass", "pydantic.Field":
    "dataclasses.field", "attr.ib": "dataclasses.field", "attr.field": "dataclasses.field",
    "attrs.field": "dataclasses.field", "simple_parsing.field": "dataclasses.field",
    "simple_parsing.helpers.field": "dataclasses.field"}  # fmt: skip


@function("dataclasses.dataclass", "attr.s", "attr.define", "attr.attrs", "attrs.define",
    "attrs.frozen", "attr.dataclass", "transformers.utils.add_start_docstrings", "pyrallis.wrap")  # fmt: skip
def dataclass(machine: Machine, call: Call) -> Value:
    """The annotated names of the class body are what its constructor takes."""
    if call.args and isinstance(call.args[0], Class):
        call.owner.is_dataclass = True
        return call.owner
    if call.args or not call.name.endswith(("dataclass", "define", "frozen", ".s", "attrs")):
        return identity("decorator")
    return Intrinsic("dataclass", dataclass)


@function("dataclasses.field")
def field(machine: Machine, call: Call) -> Value:
    """What a field is unless it is given; a factory makes it anew for each object."""
    factory = call.kwargs.get("default_factory", call.kwargs.get("factory"))
    default = call.kwargs.get("default", MISSING)
    if default is MISSING and call.args and call.name.endswith("field"):
        default = call.owner
    if factory is None and (default is MISSING or default is ...):
        return Unknown("field")
    return Instance(None, {"default": default, "default_factory": factory}, kind="dataclasses.Field")


@function("dataclasses.asdict", "attr.asdict", "attrs.asdict")
def asdict(machine: Machine, call: Call) -> Value:
    """The fields as a dict."""
    owner = call.get(0, "obj", None)
    return dict(owner.attributes) if isinstance(owner, Instance) else Unknown(f"asdict({text_of(owner)})")


@function("dataclasses.replace", "attr.evolve", "attrs.evolve")
def replace(machine: Machine, call: Call) -> Value:
    """A copy with other values."""
    owner = call.get(0, "obj", None)
    if not isinstance(owner, Instance):
        return Unknown(f"replace({text_of(owner)})")
    return Instance(owner.cls, {**owner.attributes, **call.kwargs}, owner.kind)


_FILLED = ("pydantic.BaseModel", "pydantic.BaseSettings", "pydantic_settings.BaseSettings", "msgspec.Struct",
           "simple_parsing.Serializable", "tap.Tap", "tap.TypedArgs", "chz.chz",
    "flax.struct.PyTreeNode")  # fmt: skip


@function(*(f"{name}.__init_subclass__" for name in _FILLED))
def filled(machine: Machine, call: Call) -> None:
    """Classes whose annotated names are fields without a decorator."""
    if isinstance(call.owner, Class):
        call.owner.is_dataclass = True


@function("pydantic.BaseModel.model_dump", "pydantic.BaseModel.dict",
    "pydantic_settings.BaseSettings.model_dump", "tap.Tap.as_dict")  # fmt: skip
def dumped(machine: Machine, call: Call) -> Value:
    """The fields as a dict."""
    return dict(call.owner.attributes) if isinstance(call.owner, Instance) else Unknown("model_dump()")
