"""Imports: modules of the checked project are read; everything else is a library."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from freezelint.source import attributes
from freezelint.source.signals import BreakSignal, BudgetError, ContinueSignal, RaisedSignal, ReturnSignal
from freezelint.source.values import Deferred, Library, Namespace, Scope, Value

if TYPE_CHECKING:
    from freezelint.source.files import SourceFile
    from freezelint.source.machine import Machine


def import_(machine: Machine, node: ast.Import) -> None:
    """`import a.b as c`."""
    file, scope = machine.frame.file, machine.frame.scope
    for alias in node.names:
        if alias.asname is not None:
            scope[alias.asname] = _deferred(file, alias.name, 0)
            continue
        top = alias.name.partition(".")[0]
        scope[top] = _deferred(file, top, 0)


def import_from(machine: Machine, node: ast.ImportFrom) -> None:
    """`from a import b as c`, `from . import b`, `from a import *`."""
    name = node.module or ""
    if name == "__future__":
        return
    file, scope = machine.frame.file, machine.frame.scope
    for alias in node.names:
        if alias.name == "*":
            _import_all(machine, load(machine, file, name, node.level))
        else:
            scope[alias.asname or alias.name] = _deferred(file, name, node.level, alias.name)


def _deferred(file: SourceFile, name: str, level: int, member: str = "") -> Deferred:
    def resolve(machine: Machine) -> Value:
        module = load(machine, file, name, level)
        return _member(machine, module, member) if member else module

    return Deferred(resolve)


def resolved(machine: Machine, scope: Scope, name: str) -> Value:
    """The value of a name in a scope that has it, read now if it was imported and not looked at yet."""
    value = scope[name]
    if isinstance(value, Deferred):
        # In a cycle of imports the name is not there yet.
        scope[name] = Library(name)
        value = scope[name] = value.load(machine)
    return value


def _member(machine: Machine, module: Value, name: str) -> Value:
    if isinstance(module, Namespace):
        found = attributes.get(machine, module, name)
        # A name that the module does not define (made by `globals()`, or a cycle of imports) is nobody's.
        return Library(f"{module.name}.{name}") if found is attributes.ABSENT else found
    found = attributes.get(machine, module, name)
    return Library(name) if found is attributes.ABSENT else found


def _import_all(machine: Machine, module: Value) -> None:
    frame = machine.frame
    if isinstance(module, Namespace):
        exported = module.scope.get("__all__")
        names = exported if isinstance(exported, list) else [n for n in module.scope if not n.startswith("_")]
        for name in names:
            if isinstance(name, str) and name in module.scope:
                frame.scope[name] = resolved(machine, module.scope, name)
        frame.globals.setdefault("*", []).extend(module.scope.get("*", ()))
    elif isinstance(module, Library):
        frame.globals.setdefault("*", []).append(module.name)


def load(machine: Machine, importing: SourceFile, name: str, level: int) -> Value:
    """The module of this name: one of the project, read once a run, or a library."""
    file = machine.project.find(importing, name, level)
    if file is None:
        return Library(name if not level else f"{'.' * level}{name}")
    known = machine.modules.get(file.path)
    return read(machine, file, name) if known is None else known


def submodule(machine: Machine, owner: Namespace, name: str) -> Value:
    """`package.module`, where the package itself does not define the name."""
    if owner.file is None:
        return attributes.ABSENT
    file = machine.project.find(owner.file, name, 1) if owner.file.path.endswith("__init__.py") else None
    if file is None or file.path == owner.file.path:
        return attributes.ABSENT
    known = machine.modules.get(file.path)
    return read(machine, file, f"{owner.name}.{name}") if known is None else known


def read(machine: Machine, file: SourceFile, name: str) -> Namespace:
    """Run the body of a module of the project."""
    from freezelint.source.machine import Frame

    namespace = Namespace(name, file)
    machine.modules[file.path] = namespace
    tree = machine.project.tree(file)
    if tree is None:
        machine.limit(f"`{name}`", "its source cannot be read")
        return namespace
    if len(machine.modules) > _MOST_MODULES:
        machine.limit(f"`{name}`", "the script imports too many modules to follow")
        return namespace
    scope: Scope = namespace.scope
    scope["__name__"] = name
    scope["__file__"] = file.path
    depth = len(machine.frames)
    machine.frames.append(Frame(file, scope, scope))
    # The import may be looked at inside `no_grad` or a loop: the body knows nothing of that.
    mode, machine.grad_enabled = machine.grad_enabled, True
    loops, machine.loops = machine.loops, []
    machine.importing += 1
    began, most = machine.ticks, machine.most_ticks
    machine.most_ticks = min(most, began + _MOST_TICKS)
    try:
        machine.execute(tree.body)
    except (RaisedSignal, ReturnSignal, BreakSignal, ContinueSignal):
        machine.limit(f"`{name}`", "its body ends early", machine.location())
    except BudgetError:
        if machine.ticks > most:
            raise
        machine.limit(f"`{name}`", "its body is too long to follow")
    finally:
        del machine.frames[depth:]
        machine.grad_enabled, machine.loops = mode, loops
        machine.importing -= 1
        # What this module took is not to the account of the one that imports it.
        allowed = most + machine.ticks - began if machine.importing else most
        machine.most_ticks = min(allowed, machine.whole_ticks)
    return namespace


_MOST_MODULES = 60
# Expressions and statements that the body of one imported module may evaluate: definitions are few of them.
_MOST_TICKS = 10_000
