"""Subscripts: `owner[key]`, read, written and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.signals import RaisedSignal
from freezelint.source.interpreter.values import (
    MISSING,
    Class,
    Instance,
    Items,
    Library,
    Module,
    Tensor,
    Unknown,
    Value,
)
from freezelint.source.semantics import groups, modules, tensors

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


def get_item(machine: Machine, owner: Value, key: Value) -> Value:
    """`owner[key]`."""
    if isinstance(owner, Module):
        return _of_module(machine, owner, key)
    if isinstance(owner, Tensor):
        return machine.derived(owner)
    if isinstance(owner, Library) and owner.name.endswith(".__dict__"):
        name = key.hint if isinstance(key, Unknown) else key
        return (
            machine.get(Library(owner.name.removesuffix(".__dict__")), name)
            if isinstance(name, str)
            else owner
        )
    members = owner.namespace.get("__members__") if isinstance(owner, Class) else None
    if isinstance(members, dict) and _plain(key):
        return members.get(key, Unknown(f"{text_of(owner)}[{text_of(key)}]"))
    if isinstance(owner, (Class, Library)):
        return owner  # `list[int]`, `Optional[Module]`
    if isinstance(owner, Unknown):
        return _of_unknown(machine, owner, key)
    if isinstance(key, Unknown) and key.hint is not MISSING and isinstance(owner, (dict, list, tuple, str)):
        key = key.hint
    if isinstance(owner, (list, tuple, str, dict, range, bytes)):
        return _of_plain(machine, owner, key)
    defined = machine.get(owner, "__getitem__")
    if isinstance(defined, Unknown):
        return Unknown(f"{text_of(owner)}[{text_of(key)}]")
    return machine.call(defined, key)


def _of_plain(machine: Machine, owner: Value, key: Value) -> Value:
    if isinstance(key, (Unknown, Tensor)):
        return _some_element(owner, key)
    if isinstance(key, slice) and isinstance(owner, (list, tuple, str)):
        machine.tick(len(owner) // 50)
    try:
        return owner[key]
    except (KeyError, IndexError) as error:
        kind = type(error).__name__
        if any(kind in names or "Exception" in names for names in machine.frame.handled):
            raise RaisedSignal(kind) from None
        default = getattr(owner, "default_factory", None)
        if default is None and _plain(key):
            machine.mistakes.add(f"a {type(owner).__name__} has no item {key!r:.40}")
        return Unknown(f"{text_of(owner)}[{text_of(key)}]") if default is None else default
    except Exception:
        if _plain(key):
            machine.mistakes.add(f"a {type(owner).__name__} has no item {key!r:.40}")
        return Unknown(f"{text_of(owner)}[{text_of(key)}]")


def _some_element(owner: Value, key: Value) -> Value:
    """What stands at an unknown place: the only element, else nobody knows."""
    values = list(owner.values()) if isinstance(owner, dict) else list(owner)[:2]
    if len(values) == 1:
        return values[0]
    return Unknown(f"{text_of(owner)}[{text_of(key)}]")


def _of_unknown(machine: Machine, owner: Unknown, key: Value) -> Value:
    if owner.hint is not MISSING and isinstance(owner.hint, (dict, list, tuple, str)):
        found = _of_plain(machine, owner.hint, key.hint if isinstance(key, Unknown) else key)
        if not isinstance(found, Unknown):
            return Unknown(f"{owner.text}[{text_of(key)}]", found) if _plain(found) else found
    place = ("item", key if _plain(key) else text_of(key))
    if place not in owner.attributes:
        owner.attributes[place] = tensors.unseen(f"{owner.text}[{text_of(key)}]", owner)
    return owner.attributes[place]


def _plain(key: Value) -> bool:
    return isinstance(key, (str, int, float, bool, type(None)))


def _of_module(machine: Machine, owner: Module, key: Value) -> Value:
    if owner.cls is not None and owner.cls.find("__getitem__"):
        return machine.call(machine.get(owner, "__getitem__"), key)
    names = list(owner.children)
    if isinstance(key, Unknown) and key.hint is not MISSING:
        key = key.hint
    if isinstance(key, str) and key in owner.children:
        return owner.children[key]
    if isinstance(key, int) and -len(names) <= key < len(names):
        return owner.children[names[key]]
    if isinstance(key, slice):
        try:
            chosen = names[key]
        except (TypeError, ValueError):
            return Unknown(f"{text_of(owner)}[…]")
        part = Module(owner.class_name, owner.library, role=owner.role, bases=owner.bases, open=owner.open)
        # A slice of a Sequential keeps the names, one of a list is numbered anew. The modules stay where they
        # are, too.
        kept = "Sequential" in {owner.class_name, *owner.bases}
        part.children = {
            name if kept else str(position): owner.children[name] for position, name in enumerate(chosen)
        }
        part.built = machine.location()
        modules.set_apart(part)
        return part
    if owner.open or isinstance(key, Unknown):
        return Unknown(f"{text_of(owner)}[{text_of(key)}]")
    if any("IndexError" in names or "Exception" in names for names in machine.frame.handled):
        raise RaisedSignal("IndexError")
    return Unknown(f"{text_of(owner)}[{text_of(key)}]")


def set_item(machine: Machine, owner: Value, key: Value, value: Value) -> None:
    """`owner[key] = value`."""
    if isinstance(owner, Module):
        _into_module(machine, owner, key, value)
    elif isinstance(owner, Unknown):
        if owner.hint is not MISSING and isinstance(owner.hint, dict) and _plain(key):
            owner.hint[key] = value
        owner.attributes["item", key if _plain(key) else text_of(key)] = value
    elif isinstance(owner, Tensor):
        tensors.written(machine, owner, value)
    elif isinstance(owner, (list, dict)):
        groups.written(machine, owner, key, value)
        try:
            owner[key] = value
        except Exception:
            return
    else:
        defined = machine.get(owner, "__setitem__")
        if not isinstance(defined, Unknown):
            machine.call(defined, key, value)


def _into_module(machine: Machine, owner: Module, key: Value, value: Value) -> None:
    names = list(owner.children)
    if isinstance(key, Unknown) and key.hint is not MISSING:
        key = key.hint
    if isinstance(key, int) and -len(names) <= key < len(names):
        machine.set(owner, names[key], value)
    elif isinstance(key, str):
        machine.set(owner, key, value)
    else:
        owner.open = True


def delete_item(machine: Machine, owner: Value, key: Value) -> None:
    """`del owner[key]`."""
    if isinstance(owner, Module):
        names = list(owner.children)
        chosen = names[key] if isinstance(key, (int, slice)) and _inside(names, key) else None
        for name in [chosen] if isinstance(chosen, str) else chosen or []:
            owner.children.pop(name, None)
        if chosen is None:
            owner.open = True
        elif owner.class_name in ("Sequential", "ModuleList"):
            owner.children = {str(i): child for i, child in enumerate(owner.children.values())}
    elif isinstance(owner, (list, dict)):
        try:
            del owner[key]
        except Exception:
            return


def _inside(names: list[str], key: int | slice) -> bool:
    if not isinstance(key, slice):
        return -len(names) <= key < len(names)
    parts = (key.start, key.stop, key.step)
    return key.step != 0 and all(part is None or isinstance(part, int) for part in parts)


def element(machine: Machine, value: Value, position: int) -> Value:
    """One of the values that something unknown is unpacked into."""
    if isinstance(value, Tensor):
        return machine.derived(value)
    if isinstance(value, Unknown):
        return get_item(machine, value, position)
    if isinstance(value, (list, tuple)) and position < len(value):
        return value[position]
    if isinstance(value, (Instance, Items)):
        return Unknown(f"{text_of(value)}[{position}]")
    return Unknown()
