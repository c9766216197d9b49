"""Python's functions on objects and classes: `isinstance`, `getattr`, `type`, `super` and their kind."""

from __future__ import annotations

import builtins
from collections import OrderedDict
from typing import TYPE_CHECKING

from freezelint.source.interpreter import attributes, imports, kinds
from freezelint.source.interpreter.attributes import ABSENT
from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.operators import is_flat, known
from freezelint.source.interpreter.packages import is_installed
from freezelint.source.interpreter.signals import ExitSignal, RaisedSignal
from freezelint.source.interpreter.values import (
    MISSING,
    Call,
    Class,
    Descriptor,
    Function,
    Instance,
    Intrinsic,
    Library,
    Method,
    Module,
    Namespace,
    Native,
    Optimizer,
    Schedule,
    Super,
    Tensor,
    Unknown,
    Value,
)
from freezelint.source.semantics import open_ends
from freezelint.source.vocabulary import function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Frame, Machine

# -- attributes ----------------------------------------------------------------------------------------------


@function("builtins.getattr")
def getattr_(machine: Machine, call: Call) -> Value:
    """`getattr(owner, name, default)`."""
    owner, name = call.get(0, "owner", None), known(call.get(1, "name", MISSING))
    default = call.get(2, "default", MISSING)
    if not isinstance(name, str):
        return Unknown(f"getattr({text_of(owner)}, {text_of(call.get(1, 'name', None))})", known(default))
    if isinstance(owner, Library) and default is not MISSING and not is_installed(owner.name):
        return Unknown(f"{text_of(owner)}.{name}", known(default))
    if isinstance(owner, Module) and default is not MISSING and _is_uncertain(machine, owner, name):
        hint = known(default)
        return Unknown(f"{text_of(owner)}.{name}", MISSING if hint is None else hint)
    found = attributes.get(machine, owner, name)
    if found is not ABSENT:
        if isinstance(owner, Unknown) and isinstance(found, Unknown) and default is not MISSING:
            found.hint = known(default) if found.hint is MISSING else found.hint
        return found
    if default is not MISSING:
        return Unknown(f"{text_of(owner)}.{name}", known(default)) if attributes.is_open(owner) else default
    if not attributes.is_open(owner) and any(
        {"AttributeError", "Exception"} & set(n) for n in machine.frame.handled
    ):
        raise RaisedSignal("AttributeError")
    if isinstance(owner, Instance) and not attributes.is_open(owner):
        machine.mistakes.add(f"`{text_of(owner)}.{name}` has no value where it is used")
    return Unknown(f"{text_of(owner)}.{name}")


def _is_uncertain(machine: Machine, owner: Module, name: str) -> bool:
    """Whether nobody knows if an open module has the attribute: asking must not make it."""
    return owner.open and not open_ends.is_established(machine, owner, name)


@function("builtins.hasattr")
def hasattr_(machine: Machine, call: Call) -> Value:
    """True or False where that is certain."""
    owner, name = call.get(0, "obj", None), known(call.get(1, "name", MISSING))
    text = f"hasattr({text_of(owner)}, {text_of(name)})"
    if not isinstance(name, str) or isinstance(call.args[1], Unknown):
        return Unknown(text)
    has = machine.has(owner, name)
    return Unknown(text) if has is None else has


@function("builtins.setattr")
def setattr_(machine: Machine, call: Call) -> None:
    """`setattr(owner, name, value)`."""
    if len(call.args) < 3:
        return
    owner, name, value = call.args[0], known(call.args[1]), call.args[2]
    if isinstance(name, str):
        machine.set(owner, name, value)
    elif isinstance(owner, Module):
        owner.open = True


@function("builtins.delattr")
def delattr_(machine: Machine, call: Call) -> None:
    """`delattr(owner, name)`."""
    if len(call.args) == 2 and isinstance(known(call.args[1]), str):
        from freezelint.source.interpreter import assigning

        assigning.delete_attribute(machine, call.args[0], known(call.args[1]))


@function("builtins.vars")
def vars_(machine: Machine, call: Call) -> Value:
    """The attributes of a plain object, as the dict that holds them."""
    owner = call.args[0] if call.args else None
    if not call.args:
        return machine.frame.scope
    if isinstance(owner, Instance):
        return owner.attributes
    if isinstance(owner, Namespace):
        imports.complete(machine, owner.scope)
        return owner.scope
    if isinstance(owner, Library):
        return Library(f"{owner.name}.__dict__")
    return dict(owner.namespace) if isinstance(owner, Class) else Unknown(f"vars({text_of(owner)})")


@function("builtins.globals")
def globals_(machine: Machine, call: Call) -> Value:
    """The variables of the module: writing to them counts."""
    imports.complete(machine, machine.frame.globals)
    return machine.frame.globals


@function("builtins.locals")
def locals_(machine: Machine, call: Call) -> Value:
    """A copy of the variables of the function."""
    frame = machine.frame
    return frame.globals if frame.scope is frame.globals else dict(frame.scope)


@function("builtins.dir")
def dir_(machine: Machine, call: Call) -> Value:
    """All names of an object: nobody knows them all."""
    return Unknown(f"dir({', '.join(map(text_of, call.args))})")


@function("builtins.id")
def id_(machine: Machine, call: Call) -> Value:
    """Equal for the same object, and for no two that live at the same time."""
    value = call.get(0, "obj", None)
    return Unknown(f"id({text_of(value)})") if isinstance(value, Unknown) else id(value)


@function("builtins.callable")
def callable_(machine: Machine, call: Call) -> Value:
    """Whether it can be called."""
    value = call.get(0, "obj", None)
    if isinstance(value, (Function, Method, Class, Intrinsic, Native, Module)):
        return True
    if isinstance(value, Library) and machine.vocabulary.knows(value.name):
        return True
    if isinstance(value, Instance) and value.cls is not None and not value.cls.libraries():
        return value.cls.find("__call__") is not None
    plain = isinstance(value, (str, int, float, list, tuple, dict, set, type(None), Tensor))
    return False if plain else Unknown(f"callable({text_of(value)})")


# -- classes -------------------------------------------------------------------------------------------------

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    f"builtins.{cls.__name__}": (cls,)
    for cls in (str, int, float, complex, bool, bytes, list, tuple, dict, set, frozenset, range, slice)
} | {
    "collections.OrderedDict": (OrderedDict,),
    "collections.abc.Mapping": (dict,),
    "collections.abc.MutableMapping": (dict,),
    "collections.abc.Sequence": (list, tuple, str, bytes, range),
    "collections.abc.MutableSequence": (list,),
    "collections.abc.Set": (set, frozenset),
    "collections.abc.Iterable": (list, tuple, dict, set, frozenset, str, bytes, range),
    "collections.abc.Sized": (list, tuple, dict, set, frozenset, str, bytes, range),
    "collections.abc.Collection": (list, tuple, dict, set, frozenset, str, bytes, range),
    "numbers.Number": (int, float, complex),
    "numbers.Real": (int, float),
    "numbers.Integral": (int,),
    "types.NoneType": (type(None),),
}
_PLAIN = (str, int, float, complex, bytes, list, tuple, dict, set, frozenset, range, slice, type(None))
# Packages whose classes no plain value of Python is an instance of.
_OF_OBJECTS = (
    "torch",
    "torchvision",
    "transformers",
    "timm",
    "PIL",
    "pathlib",
    "argparse",
    "lightning",
    "datasets",
)


@function("builtins.isinstance")
def isinstance_(machine: Machine, call: Call) -> Value:
    """Whether a value is of a class, or of one of several."""
    value, cls = call.get(0, "obj", None), call.get(1, "class", None)
    text = f"isinstance({text_of(value)}, {_name_of(cls)})"
    found = is_instance(machine, value, cls)
    if found is not None:
        return found
    if isinstance(value, Unknown) and value.hint is not MISSING:
        hint = is_instance(machine, value.hint, cls)
        return Unknown(text, MISSING if hint is None else hint)
    return Unknown(text)


def is_instance(machine: Machine, value: Value, cls: Value) -> bool | None:
    """Whether a value is of a class; None where nobody knows."""
    if isinstance(cls, (tuple, list)):
        if not is_flat(cls):
            return None
        results = [is_instance(machine, value, one) for one in cls]
        return True if True in results else None if None in results else False
    if cls is None:
        return value is None
    if isinstance(value, Unknown) or not isinstance(cls, (Library, Class)):
        return None
    name = machine.vocabulary.canonical(cls.name) if isinstance(cls, Library) else ""
    if name == "builtins.object":
        return True
    if name in _PYTHON_TYPES:
        return _is_python_type(value, _PYTHON_TYPES[name])
    if name in ("builtins.type", "typing.Type", "inspect.isclass"):
        return isinstance(value, Class) or (None if isinstance(value, Library) else False)
    if name in ("collections.abc.Callable", "types.FunctionType", "types.GeneratorType"):
        return None if not isinstance(value, _PLAIN) else False
    if isinstance(value, _PLAIN):
        return False if isinstance(cls, Class) or cls.package in _OF_OBJECTS else None
    return kinds.is_instance(machine, value, cls)


def _is_python_type(value: Value, types: tuple[type, ...]) -> bool | None:
    if isinstance(value, _PLAIN):
        return isinstance(value, types)
    if isinstance(value, Instance):
        return None if value.cls is None or attributes.is_open(value) else False
    # Modules and tensors may be iterable, but they are no containers of Python.
    return False if isinstance(value, (Tensor, Module, Function, Method)) and len(types) == 1 else None


def _name_of(cls: Value) -> str:
    if isinstance(cls, (tuple, list)):
        if not is_flat(cls):
            return "…"
        return f"({', '.join(_name_of(one) for one in cls[:4])})"
    return text_of(cls).rpartition(".")[2]


@function("builtins.issubclass")
def issubclass_(machine: Machine, call: Call) -> Value:
    """Whether a class of the script descends from another."""
    cls, wanted = call.get(0, "cls", None), call.get(1, "class", None)
    all_wanted = wanted if isinstance(wanted, (tuple, list)) else (wanted,)
    if isinstance(cls, Class) and all(isinstance(one, (Class, Library)) for one in all_wanted):
        mro = cls.mro()
        names = {machine.vocabulary.canonical(one.name) for one in mro if isinstance(one, Library)}
        for one in all_wanted:
            if one in mro or (isinstance(one, Library) and machine.vocabulary.canonical(one.name) in names):
                return True
        if not attributes.is_open(cls):
            return False
    return Unknown(f"issubclass({text_of(cls)}, {_name_of(wanted)})")


@function("builtins.type")
def type_(machine: Machine, call: Call) -> Value:
    """The class of a value."""
    if len(call.args) != 1:
        machine.limit("`type`", "a class made while the script runs cannot be read", machine.location())
        return Unknown("type(…)")
    value = call.args[0]
    if isinstance(value, (Instance, Optimizer)) and value.cls is not None:
        return value.cls
    if isinstance(value, Instance) and value.kind:
        return Library(value.kind)
    if isinstance(value, (Optimizer, Schedule)):
        return Unknown(f"type({text_of(value)})")
    if isinstance(value, Module):
        return machine.get(value, "__class__")
    if value is not None and isinstance(value, _PLAIN):
        return Library(f"builtins.{type(value).__name__}")
    return Unknown(f"type({text_of(value)})")


@function("builtins.object")
def object_(machine: Machine, call: Call) -> Value:
    """An object that is good for being itself."""
    return Instance(None, kind="builtins.object")


@function("builtins.property", "functools.cached_property", "abc.abstractproperty", "builtins.staticmethod",
          "builtins.classmethod")  # fmt: skip
def descriptor(machine: Machine, call: Call) -> Value:
    """The decorators of class bodies, called as functions."""
    name = call.name.rpartition(".")[2]
    target = call.get(0, "fget", None)
    if name == "staticmethod":
        return Descriptor("staticmethod", target)
    return (
        Descriptor("classmethod", target)
        if name == "classmethod"
        else Descriptor("property", target, call.get(1, "fset", None))
    )


# -- super ---------------------------------------------------------------------------------------------------


@function("builtins.super")
def super_(machine: Machine, call: Call) -> Value:
    """The object as the classes behind the current one see it."""
    if len(call.args) == 2 and isinstance(call.args[0], Class):
        return Super(call.args[0], call.args[1])
    around = [machine.frame.scope, *machine.frame.closure]
    for frame in reversed(machine.frames):
        if frame.function is None or not any(frame.scope is scope for scope in around):
            continue
        receiver = _receiver(frame)
        owner = _owner(frame.function, receiver)
        if owner is not None:
            return Super(owner, receiver)
    return Unknown("super()")


def _receiver(frame: Frame) -> Value:
    """`self`: what the call was bound to, or else the first argument."""
    if frame.receiver is not None:
        return frame.receiver
    arguments = frame.function.node.args if frame.function is not None else None
    first = [*arguments.posonlyargs, *arguments.args][:1] if arguments is not None else []
    return frame.scope.get(first[0].arg) if first else None


def _owner(function: Function, receiver: Value) -> Class | None:
    """The class whose body holds the function; decorators may have hidden it."""
    if function.owner is not None:
        return function.owner
    cls = receiver if isinstance(receiver, Class) else getattr(receiver, "cls", None)
    if not isinstance(cls, Class):
        return None
    return next(
        (one for one in cls.mro() if isinstance(one, Class) and function.node in one.node.body),
        None,
    )


# -- leaving, importing, raising -----------------------------------------------------------------------------


@function("builtins.exit", "builtins.quit", "sys.exit", "os._exit", "os.abort")
def exit_(machine: Machine, call: Call) -> Value:
    """The script ends here."""
    raise ExitSignal


@function("builtins.__import__", "importlib.import_module")
def import_module(machine: Machine, call: Call) -> Value:
    """A module by its name, where that is known."""
    name = known(call.get(0, "name", None))
    if not isinstance(name, str) or not name.strip("."):
        return Unknown(f"import_module({text_of(call.get(0, 'name', None))})")
    level = len(name) - len(name.lstrip("."))
    return imports.load(machine, machine.frame.file, name.lstrip("."), level)


_EXCEPTIONS = tuple(
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
)


@function(*(f"builtins.{name}" for name in _EXCEPTIONS))
def exception(machine: Machine, call: Call) -> Value:
    """An exception that somebody may raise."""
    return Instance(None, {"args": tuple(call.args)}, kind=call.name)
