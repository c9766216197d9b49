"""`typing`, `abc` and what tests use: nothing that changes a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.values import Call, Function, Instance, Unknown, Value
from freezelint.source.vocabulary import constant, function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

ALIASES = {
    "typing.List": "builtins.list",
    "typing.Dict": "builtins.dict",
    "typing.Tuple": "builtins.tuple",
    "typing.Set": "builtins.set",
    "typing.FrozenSet": "builtins.frozenset",
    "typing.Sequence": "collections.abc.Sequence",
    "typing.Mapping": "collections.abc.Mapping",
    "typing.Iterable": "collections.abc.Iterable",
    "typing.Callable": "collections.abc.Callable",
    "typing.MutableMapping": "collections.abc.MutableMapping",
    "typing.MutableSequence": "collections.abc.MutableSequence",
    "collections.Iterable": "collections.abc.Iterable",
    "collections.Sequence": "collections.abc.Sequence",
    "collections.Mapping": "collections.abc.Mapping",
    "typing_extensions.": "typing.",
}


@function("typing.cast", "typing.assert_type")
def cast(machine: Machine, call: Call) -> Value:
    """The value itself."""
    place = 1 if call.name.endswith("cast") else 0
    return call.args[place] if len(call.args) > place else Unknown("cast(…)")


@function("typing.reveal_type", "typing.assert_never")
def revealed(machine: Machine, call: Call) -> Value:
    """The value itself."""
    return call.args[0] if call.args else Unknown("value")


@function("typing.TypeVar", "typing.NewType", "typing.ParamSpec", "typing.get_type_hints", "typing.get_args",
          "typing.get_origin", "typing.TypedDict")  # fmt: skip
def of_types(machine: Machine, call: Call) -> Value:
    """Something about types."""
    return Unknown(call.name)


@constant("typing.TYPE_CHECKING")
def type_checking() -> bool:
    """False whenever a script runs."""
    return False


@function("inspect.isclass", "inspect.isfunction", "inspect.ismethod", "inspect.signature",
    "inspect.getmembers", "inspect.getfullargspec", "inspect.currentframe", "inspect.stack",
    "inspect.getsource")  # fmt: skip
def inspected(machine: Machine, call: Call) -> Value:
    """What a script learns of itself."""
    return Unknown(f"{call.name}({', '.join(text_of(argument) for argument in call.args[:2])})")


@function("types.MethodType")
def method_type(machine: Machine, call: Call) -> Value:
    """A function bound to an object."""
    from freezelint.source.interpreter.values import Method

    return Method(call.args[0], call.args[1]) if len(call.args) == 2 else Unknown("method")


@function("types.MappingProxyType", "types.coroutine", "asyncio.run")
def itself(machine: Machine, call: Call) -> Value:
    """The value itself."""
    return call.args[0] if call.args else Unknown(call.name)


@function("unittest.main", "pytest.main", "doctest.testmod", "unittest.mock.patch", "unittest.mock.Mock",
          "unittest.mock.MagicMock", "pytest.skip", "pytest.importorskip", "pytest.param")  # fmt: skip
def tested(machine: Machine, call: Call) -> Value:
    """What runs tests, or takes part in them."""
    return Unknown(call.name)


@function("pytest.approx")
def approximately(machine: Machine, call: Call) -> Value:
    """About equal: nobody knows."""
    return Unknown("approx(…)")


@function("multiprocessing.Process", "threading.Thread", "torch.multiprocessing.Process")
def process(machine: Machine, call: Call) -> Value:
    """A function that runs elsewhere once it is started."""
    return Instance(
        None,
        {"(target)": call.get(1, "target", None), "(args)": call.get(None, "args", ())},
        kind="threading.Thread",
    )


@function("threading.Thread.start", "threading.Thread.run")
def started(machine: Machine, call: Call) -> None:
    """Starts the function: it is read as if it ran here and now."""
    owner = call.owner
    target = owner.attributes.get("(target)") if isinstance(owner, Instance) else None
    arguments = owner.attributes.get("(args)", ()) if isinstance(owner, Instance) else ()
    if isinstance(target, Function) and isinstance(arguments, (tuple, list)):
        machine.call(target, *arguments)
