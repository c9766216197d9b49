"""Imports: modules of the checked project are read; everything else is a library."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from freezelint.source.interpreter import attributes
from freezelint.source.interpreter.outlines import outline_of
from freezelint.source.interpreter.signals import (
    BreakSignal,
    BudgetError,
    ContinueSignal,
    RaisedSignal,
    ReturnSignal,
)
from freezelint.source.interpreter.values import MISSING, Deferred, Library, Namespace, Pending, Scope, Value

if TYPE_CHECKING:
    from freezelint.source.files.source_file import SourceFile
    from freezelint.source.interpreter.machine import Machine


# Our own library is imitated, also for who checks a script next to its source.
_IMITATED = "freezelint"

# Where a module keeps what is left of it.
PENDING = "*pending"
# Where it keeps the modules from which it has all names, and which have some from others in turn.
FROM = "*from"


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
    """The value of a name in a scope that has it, read now if it was imported and not looked at yet; MISSING
    where it turns out that nothing binds it.
    """
    value = scope[name]
    if isinstance(value, Pending):
        value = _demanded(machine, value, scope, name)
    if isinstance(value, Deferred):
        # In a cycle of imports the name is not there yet.
        scope[name] = Library(name)
        value = scope[name] = value.load(machine)
        if value is MISSING:
            del scope[name]
    return value


def _demanded(machine: Machine, pending: Pending, scope: Scope, name: str) -> Value:
    """Run what makes a name of a module; the value may be an import that nobody looked at."""
    _run(machine, pending, pending.outline.slice(name))
    if scope.get(name) is pending:
        # Nothing bound it, on the path that was taken, or not yet, in a cycle.
        if all(index in pending.done for index in pending.outline.makes.get(name, ())):
            del scope[name]
        return MISSING
    return scope.get(name, MISSING)


def complete(machine: Machine, scope: Scope) -> None:
    """Run what is left of a module, for somebody who looks at all of its names."""
    pending = scope.get(PENDING)
    if isinstance(pending, Pending):
        _run(machine, pending, range(len(pending.outline.body)))
    for name in [name for name, value in scope.items() if isinstance(value, (Pending, Deferred))]:
        if name in scope and name != PENDING:
            resolved(machine, scope, name)


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
        exported = resolved(machine, module.scope, "__all__") if "__all__" in module.scope else None
        names = exported if isinstance(exported, list) else [n for n in module.scope if n[:1] not in "_*"]
        importing = frame.scope.get(PENDING)
        own = importing.outline.bound if isinstance(importing, Pending) else ()
        for name in names:
            if isinstance(name, str) and name in module.scope and name not in own:
                frame.scope[name] = Deferred(_of_module(module, name))
        frame.globals.setdefault("*", []).extend(module.scope.get("*", ()))
        if FROM in module.scope or (module.pending is not None and module.pending.outline.stars):
            frame.globals.setdefault(FROM, []).append(module)  # which may have more, when asked
    elif isinstance(module, Library):
        frame.globals.setdefault("*", []).append(module.name)


def _of_module(module: Namespace, name: str) -> Callable[[Machine], Value]:
    return lambda machine: resolved(machine, module.scope, name) if name in module.scope else MISSING


def load(machine: Machine, importing: SourceFile, name: str, level: int) -> Value:
    """The module of this name: one of the project, read once a run, or a library."""
    own = not level and name.partition(".")[0] == _IMITATED and _IMITATED not in importing.path.split("/")
    file = None if own else machine.project.find(importing, name, level)
    if file is None:
        return Library(name if not level else f"{'.' * level}{name}")
    known = machine.modules.get(file.path)
    return read(machine, file, name) if known is None else known


def submodule(machine: Machine, owner: Namespace, name: str) -> Value:
    """`package.module`, where the package itself does not define the name."""
    if owner.file is None or not owner.file.is_package:
        return attributes.ABSENT
    file = machine.project.find(owner.file, name, 1)
    if file is None or file.path == owner.file.path:
        return attributes.ABSENT
    known = machine.modules.get(file.path)
    return read(machine, file, f"{owner.name}.{name}") if known is None else known


def read(machine: Machine, file: SourceFile, name: str) -> Namespace:
    """A module of the project: its names, the statements behind which run when somebody looks at them."""
    namespace = Namespace(name, file)
    machine.modules[file.path] = namespace
    if len(machine.modules) > _MOST_MODULES or machine.imported > _MOST_CHARACTERS:
        machine.limit(f"`{name}`", "the script imports too many modules to follow")
        return namespace
    tree = machine.project.tree(file)
    if tree is None:
        machine.limit(f"`{name}`", "its source cannot be read")
        return namespace
    machine.tick(_TICKS_OF_A_MODULE)
    machine.imported += len(file.text)
    scope: Scope = namespace.scope
    scope["__name__"] = name
    scope["__file__"] = file.path
    outline = outline_of(tree)
    pending = namespace.pending = Pending(namespace, outline)
    scope.update(dict.fromkeys(outline.bound, pending))
    scope[PENDING] = pending
    if outline.inner_stars:
        _run(machine, pending, outline.inner_stars)
    return namespace


def find_starred(machine: Machine, scope: Scope, name: str, met: frozenset[int] = frozenset()) -> Value:
    """The value of a name that a module may have from a `from … import *`; MISSING where it has none.
    Only what may define the name is opened.
    """
    if id(scope) in met:
        return MISSING
    met |= {id(scope)}
    for module in scope.get(FROM, ()):
        found = _given_out(machine, module, name, met)
        if found is not MISSING:
            return found
    pending = scope.get(PENDING)
    if not isinstance(pending, Pending) or name in pending.missing:
        return MISSING
    searched: set[str] = set()
    for index in pending.outline.stars:
        node = pending.outline.body[index]
        if index in pending.done or not isinstance(node, ast.ImportFrom) or pending.namespace.file is None:
            continue
        file = machine.project.find(pending.namespace.file, node.module or "", node.level)
        if file is None or _may_define(machine, file, name, searched):
            _run(machine, pending, [index])
            found = _given_out(machine, pending.namespace, name, met - {id(scope)})
            if found is not MISSING:
                return found
    pending.missing.add(name)
    return MISSING


def _given_out(machine: Machine, module: Namespace, name: str, met: frozenset[int]) -> Value:
    found = resolved(machine, module.scope, name) if name in module.scope else MISSING
    return find_starred(machine, module.scope, name, met) if found is MISSING else found


# `from ..module import *`: the dots and the name.
_STAR = re.compile(r"^[ \t]*from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+\*", re.MULTILINE)


def _defining(name: str, *, exported: bool) -> str:
    """What a module that gives out a name must say."""
    if exported:
        return rf"""["']{name}["']"""
    defined = rf"^[ \t]*(?:(?:async[ \t]+)?def[ \t]+|class[ \t]+){name}\b"
    return rf"{defined}|^[ \t]*{name}[ \t]*[:=]|import\b[^\n]*\b{name}\b"


def _may_define(machine: Machine, file: SourceFile, name: str, met: set[str]) -> bool:
    if file.path in met or len(met) >= _MOST_STARS:
        return False
    met.add(file.path)
    if name in file.text and re.search(
        _defining(name, exported="__all__" in file.text), file.text, re.MULTILINE
    ):
        return True
    for dots, module in _STAR.findall(file.text):
        inner = machine.project.find(file, module, len(dots))
        if inner is not None and _may_define(machine, inner, name, met):
            return True
    return False


def repeat(machine: Machine, file: SourceFile, name: str, statements: Iterable[int]) -> None:
    """Read a module, and run statements of its body that another run had a use for."""
    known = machine.modules.get(file.path) or read(machine, file, name)
    if known.pending is not None:
        _run(machine, known.pending, sorted(statements))


def _run(machine: Machine, pending: Pending, statements: Iterable[int]) -> None:
    """Run these statements of a module, each once."""
    from freezelint.source.interpreter.machine import Frame

    left = [index for index in statements if index not in pending.done]
    namespace, scope = pending.namespace, pending.namespace.scope
    if not left or namespace.file is None:
        return
    depth = len(machine.frames)
    machine.frames.append(Frame(namespace.file, scope, scope))
    # The import may be looked at inside `no_grad` or a loop: the body knows nothing of that.
    mode, machine.grad_enabled = machine.grad_enabled, True
    loops, machine.loops = machine.loops, []
    machine.importing += 1
    began, most = machine.ticks, machine.most_ticks
    machine.most_ticks = min(most, began + _MOST_TICKS)
    try:
        for index in left:
            if index not in pending.done:
                pending.done.add(index)
                machine.execute([pending.outline.body[index]])
    except (RaisedSignal, ReturnSignal, BreakSignal, ContinueSignal):
        machine.limit(f"`{namespace.name}`", "its body ends early", machine.location())
    except BudgetError:
        if machine.ticks > most:
            raise
        machine.limit(f"`{namespace.name}`", "its body is too long to follow")
    finally:
        del machine.frames[depth:]
        machine.grad_enabled, machine.loops = mode, loops
        machine.importing -= 1
        # What this module took is not to the account of the one that imports it.
        allowed = most + machine.ticks - began if machine.importing else most
        machine.most_ticks = min(allowed, machine.whole_ticks)


_MOST_MODULES = 100
_MOST_CHARACTERS = 1_500_000  # which take a second to parse
# Modules that are searched for a name that may come from a `from … import *`.
_MOST_STARS = 150
# Expressions and statements that one look into an imported module may evaluate, and what opening it counts.
_MOST_TICKS = 10_000
_TICKS_OF_A_MODULE = 30
