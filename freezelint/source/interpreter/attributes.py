"""Attributes: `owner.name`, read and written, by what the owner is."""

from __future__ import annotations

import ast
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from freezelint.source.interpreter.values import (
    MISSING,
    Call,
    Class,
    Descriptor,
    Function,
    Instance,
    Intrinsic,
    Items,
    Library,
    Method,
    Module,
    Namespace,
    Native,
    Optimizer,
    Parameter,
    Schedule,
    Super,
    Tensor,
    Unknown,
    Value,
)
from freezelint.source.semantics import modules, open_ends

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


class _Absent:
    """What `get` returns where the owner has no such attribute, as far as anybody knows."""


ABSENT = _Absent()

# Plain values whose methods are Python's own.
NATIVE = (
    str,
    bytes,
    int,
    float,
    complex,
    list,
    tuple,
    dict,
    set,
    frozenset,
    range,
    OrderedDict,
    defaultdict,
    deque,
    slice,
)


def is_open(owner: Value) -> bool:
    """Whether the owner may have attributes that nobody knows."""
    if isinstance(owner, (Unknown, Library, Tensor)):
        return True
    if isinstance(owner, Module):
        return owner.open or (owner.cls is not None and owner.cls.is_open)
    if isinstance(owner, Instance):
        return owner.cls is None or owner.cls.is_open or bool(owner.cls.libraries())
    if isinstance(owner, Class):
        return owner.is_open or bool(owner.libraries())
    return False


def get(machine: Machine, owner: Value, name: str) -> Value:
    """`owner.name`, or ABSENT."""
    reader = _READERS.get(type(owner))
    if reader is not None:
        return reader(machine, owner, name)
    if isinstance(owner, NATIVE):
        if name.startswith("__") or not hasattr(owner, name):
            return ABSENT
        found = getattr(owner, name)
        return Native(owner, name) if callable(found) else found
    return _imitated(machine, owner, name)


def _unknown(machine: Machine, owner: Unknown, name: str) -> Value:
    run = machine.vocabulary.methods.get((Unknown, name))
    if run is not None and owner.hint is MISSING and name not in owner.attributes:
        return Method(Intrinsic(name, _with_owner(run, owner)), owner)
    if name not in owner.attributes:
        hint: Value = MISSING
        if owner.hint is not MISSING:
            if isinstance(owner.hint, NATIVE):
                return Native(owner, name)
            found = get(machine, owner.hint, name)
            if found is not ABSENT:
                return found
        value = Unknown(f"{owner.text}.{name}" if owner.text else name, hint, late=owner.late)
        value.returned = owner.returned and name not in ("data", "shape", "device", "dtype")
        owner.attributes[name] = value
    return owner.attributes[name]


def _library(machine: Machine, owner: Library, name: str) -> Value:
    dotted = f"{owner.name}.{name}"
    constant = machine.vocabulary.constant(dotted)
    if constant is None and name in ("__name__", "__qualname__"):
        return owner.name.rpartition(".")[2]
    return Library(dotted) if constant is None else constant()


def _namespace(machine: Machine, owner: Namespace, name: str) -> Value:
    from freezelint.source.interpreter import imports

    if name in owner.scope:
        found = imports.resolved(machine, owner.scope, name)
        if found is not MISSING:
            return found
    found = imports.submodule(machine, owner, name)
    if found is ABSENT and not name.startswith("__"):
        starred = imports.find_starred(machine, owner.scope, name)
        return ABSENT if starred is MISSING else starred
    return found


def _module(machine: Machine, owner: Module, name: str) -> Value:
    for table in (owner.attributes, owner.parameters, owner.children, owner.buffers):
        if name in table:
            return table[name]
    if owner.cls is not None:
        found = owner.cls.find(name)
        if found is not None:
            return _bound(machine, found[0], owner, owner.cls)
    if name == "__class__":
        return owner.cls if owner.cls is not None else Library(f"{owner.library}.{owner.class_name}")
    imitated = _imitated(machine, owner, name)
    if imitated is not ABSENT:
        return imitated
    if owner.cls is not None and owner.cls.find("__getattr__"):
        found = owner.cls.find("__getattr__")
        if found is not None and not name.startswith("__"):
            return machine.call(_bound(machine, found[0], owner, owner.cls), name)
    if owner.wraps is not None and name == "module":
        return owner.wraps
    if owner.open and not name.startswith("__"):
        return open_ends.touched(machine, owner, name)
    return ABSENT


def _instance(machine: Machine, owner: Instance, name: str) -> Value:
    if name in owner.attributes:
        return owner.attributes[name]
    if owner.cls is not None:
        found = owner.cls.find(name)
        if found is not None:
            return _bound(machine, found[0], owner, owner.cls)
    if name == "__dict__":
        return owner.attributes
    if name == "__class__" and owner.cls is not None:
        return owner.cls
    imitated = _imitated(machine, owner, name)
    if imitated is not ABSENT:
        return imitated
    dynamic = machine.vocabulary.functions.get(f"{owner.kind}.__getattr__")
    if dynamic is not None and not name.startswith("__"):
        return dynamic(machine, Call(ast.Pass(), [owner, name]))
    if owner.cls is not None and not name.startswith("__"):
        found = owner.cls.find("__getattr__")
        if found is not None:
            return machine.call(_bound(machine, found[0], owner, owner.cls), name)
    return ABSENT


def _imitated(machine: Machine, owner: Value, name: str) -> Value:
    """What the vocabulary has for values of this kind."""
    known = machine.vocabulary.of_kind("attributes", owner, name)
    if known is not None:
        value = known(machine, owner)
        if value is not NotImplemented:
            return value
    run = machine.vocabulary.of_kind("methods", owner, name)
    if run is not None:
        return Method(Intrinsic(name, _with_owner(run, owner)), owner)
    inherited = _of_library(machine, owner, name)
    if inherited is not None:
        return inherited
    if isinstance(owner, (Optimizer, Schedule, Function)):
        return owner.attributes.get(name, ABSENT)
    if isinstance(owner, Parameter) and name in owner.attributes:
        return owner.attributes[name]
    if isinstance(owner, Tensor):
        if name not in owner.attributes:
            owner.attributes[name] = machine.derived(owner)
        return owner.attributes[name]
    return ABSENT


def _of_library(machine: Machine, owner: Value, name: str) -> Value:
    """A method of a library class that the vocabulary has as a function whose first argument is the
    object.
    """
    kinds = [owner.kind] if isinstance(owner, Instance) and owner.kind else []
    cls = getattr(owner, "cls", None)
    if isinstance(cls, Class):
        kinds += [machine.vocabulary.canonical(library.name) for library in cls.libraries()]
    for kind in kinds:
        if f"{kind}.{name}" in machine.vocabulary.functions:
            return Method(Library(f"{kind}.{name}"), owner)
    return None


def _with_owner(run: Callable[..., Value], owner: Value) -> Callable[..., Value]:
    return lambda machine, call: run(machine, owner, call)


def _optimizer(machine: Machine, owner: Optimizer, name: str) -> Value:
    found = None if owner.cls is None else owner.cls.find(name)
    if found is None or owner.cls is None or name in owner.attributes:
        return owner.attributes[name] if name in owner.attributes else _imitated(machine, owner, name)
    bound = _bound(machine, found[0], owner, owner.cls)
    if name == "step" and isinstance(bound, Method):
        from freezelint.source.semantics import stepping

        return Method(Intrinsic("step", stepping.own_step(owner, bound)), owner)
    return bound


def _class(machine: Machine, owner: Class, name: str) -> Value:
    found = owner.find(name)
    if found is not None:
        value = found[0]
        if isinstance(value, Descriptor):
            return Method(value.function, owner) if value.kind == "classmethod" else value.function
        return value
    if name == "__name__":
        return owner.name
    for library in owner.libraries():
        inherited = machine.vocabulary.knows(f"{library.name}.{name}")
        if inherited or name in ("from_pretrained", "load_from_checkpoint", "__init__"):
            return Method(Library(f"{library.name}.{name}"), owner)
    return ABSENT


def _super(machine: Machine, owner: Super, name: str) -> Value:
    receiver = owner.owner
    cls = receiver.cls if isinstance(receiver, (Module, Instance, Optimizer)) else receiver
    if isinstance(cls, Class):
        found = cls.find(name, after=owner.cls)
        if found is not None:
            return _bound(machine, found[0], receiver, cls)
        if name == "__init__":
            return Method(Intrinsic("__init__", _base_constructor(cls, owner.cls)), receiver)
    if name == "__setattr__":
        return Method(Intrinsic(name, _plain_setattr(receiver)), receiver)
    return _imitated(machine, receiver, name)


def _base_constructor(cls: Class, after: Class) -> Callable[..., Value]:
    """`super().__init__`, where the next class in line is one of a library."""
    from freezelint.source.interpreter import calls

    mro = cls.mro()
    following = mro[mro.index(after) + 1 :] if after in mro else mro
    base = next((one for one in following if isinstance(one, Library)), None)
    return lambda machine, call: calls.construct_base(machine, base, call)


def _plain_setattr(receiver: Value) -> Callable[..., Value]:
    def run(machine: Machine, call: Any) -> None:
        if len(call.args) == 2 and isinstance(call.args[0], str):
            set_(machine, receiver, call.args[0], call.args[1], plain=True)

    return run


def _bound(machine: Machine, value: Value, receiver: Value, cls: Class) -> Value:
    """What reading a class attribute through an instance gives."""
    if isinstance(value, Descriptor):
        if value.kind == "property":
            return machine.call(Method(value.function, receiver))
        return Method(value.function, cls) if value.kind == "classmethod" else value.function
    if isinstance(value, Intrinsic):  # a method under a decorator that the vocabulary has
        return Method(Intrinsic(value.name, _with_receiver(value, receiver)), receiver)
    return Method(value, receiver) if isinstance(value, Function) else value


def _with_receiver(value: Intrinsic, receiver: Value) -> Callable[..., Value]:
    def run(machine: Machine, call: Call) -> Value:
        bound = Call(call.node, [receiver, *call.args], call.kwargs, call.name, call.complete)
        return value.run(machine, bound)

    return run


def _function(machine: Machine, owner: Function, name: str) -> Value:
    if name in owner.attributes:
        return owner.attributes[name]
    return owner.name if name in ("__name__", "__qualname__") else ABSENT


def _method(machine: Machine, owner: Method, name: str) -> Value:
    if name == "__self__":
        return owner.owner
    return get(machine, owner.function, name) if isinstance(owner.function, Function) else ABSENT


def _items(machine: Machine, owner: Items, name: str) -> Value:
    if name == "__next__":
        return Intrinsic("next", lambda machine, call: next(owner.source, Unknown("next")))
    return ABSENT


_READERS: dict[type, Callable[[Any, Any, str], Value]] = {
    Unknown: _unknown,
    Library: _library,
    Namespace: _namespace,
    Module: _module,
    Instance: _instance,
    Optimizer: _optimizer,
    Class: _class,
    Super: _super,
    Function: _function,
    Method: _method,
    Items: _items,
}


def set_(machine: Machine, owner: Value, name: str, value: Value, *, plain: bool = False) -> None:
    """`owner.name = value`; `plain` goes past a `__setattr__` of the script."""
    cls = getattr(owner, "cls", None)
    if isinstance(cls, Class) and not plain:
        found = cls.find(name)
        if found is not None and isinstance(found[0], Descriptor) and found[0].kind == "property":
            if found[0].setter is not None:
                machine.call(Method(found[0].setter, owner), value)
            return
        found = cls.find("__setattr__")
        if found is not None:
            machine.call(Method(found[0], owner), name, value)
            return
    if isinstance(owner, Unknown) and owner.hint is not MISSING and hasattr(owner.hint, "attributes"):
        owner = owner.hint
    write = machine.vocabulary.of_kind("assignments", owner, name)
    if write is not None and write(machine, owner, value) is not False:
        return
    if isinstance(owner, Module):
        modules.write(machine, owner, name, value)
    elif isinstance(owner, Namespace):
        owner.scope[name] = value
    elif isinstance(owner, Class):
        owner.namespace[name] = value
    elif isinstance(owner, (Unknown, Instance, Tensor, Optimizer, Schedule, Function)):
        machine.recorder.foreign_attribute(owner, name, value)
        owner.attributes[name] = value


def of_ast(node: ast.AST) -> str:
    """The source of a node, as text."""
    try:
        return ast.unparse(node)
    except Exception:
        return ""
