"""The entries of a file: its body, and what nothing in it calls."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezelint.source import functions, imports
from freezelint.source.signals import RaisedSignal, Signal
from freezelint.source.values import (
    Call,
    Class,
    Descriptor,
    Function,
    Instance,
    Method,
    Module,
    Namespace,
    Optimizer,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from freezelint.source.files import SourceFile
    from freezelint.source.machine import Machine

# A fragment without any of these says nothing about freezing.
_CONCERNS = re.compile(
    r"requires?d?_?grad|freez|\.eval\(|\.train\(|optim|from_pretrained|no_grad|configure_optimizers|training_step|backward"
)
_MODES = re.compile(r"\.(train|eval)\(")
_MOST_FRAGMENTS = 60


@dataclass(frozen=True)
class Entry:
    """The module body ("main"), a function, a class, or one method of a class that nothing calls."""

    name: str
    function: str = ""
    cls: str = ""

    @property
    def is_fragment(self) -> bool:
        return bool(self.function or self.cls)


MAIN = Entry("main")


def run(machine: Machine, entry: Entry, tree: ast.Module) -> None:
    """Run an entry from the beginning: the body of the file, then the fragment, if it is one."""
    run_body(machine, tree, as_script=not entry.is_fragment)
    if entry.is_fragment:
        run_fragment(machine, entry)


def run_body(machine: Machine, tree: ast.Module, *, as_script: bool) -> None:
    """Run the body of the file: as a script, or as far as a fragment needs it, for its definitions, without what
    stands under the main guard.
    """
    name = "__main__" if as_script else machine.file.path
    scope: dict[str, Value] = {"__name__": name, "__file__": machine.file.path, "__doc__": None}
    machine.modules[machine.file.path] = Namespace("__main__", machine.file, scope)
    machine.frames.append(_frame(machine, scope))
    try:
        machine.execute(tree.body)
    except RaisedSignal:
        machine.raised = True
    except Signal:
        return
    finally:
        machine.frames.clear()


def run_fragment(machine: Machine, entry: Entry) -> None:
    """Run what nothing calls, after the body: with a trace and a budget of its own."""
    machine.recorder.begin()
    machine.ticks = 0
    scope = machine.modules[machine.file.path].scope
    machine.frames.append(_frame(machine, scope))
    try:
        _run_fragment(machine, entry, scope)
    finally:
        machine.frames.clear()


# A module, and which statements of its body have run.
Imported = tuple["SourceFile", str, frozenset[int]]


def imported(machine: Machine) -> list[Imported]:
    """The modules of the project that were looked into, and how far."""
    return [
        (module.file, module.name, frozenset(module.pending.done))
        for module in machine.modules.values()
        if module.file is not None and module.pending is not None
    ]


def import_all(machine: Machine, modules: Iterable[Imported]) -> None:
    """Look into these modules as far as another run did."""
    for file, name, statements in modules:
        imports.repeat(machine, file, name, statements)


def _frame(machine: Machine, scope: dict[str, Value]):  # type: ignore[no-untyped-def]
    from freezelint.source.machine import Frame

    return Frame(machine.file, scope, scope)


def fragments(machine: Machine) -> Iterator[Entry]:
    """What the run over the body has not entered, in the order of the file."""
    namespace = machine.modules.get(machine.file.path)
    found: list[Entry] = []
    for name, value in list(namespace.scope.items()) if namespace else []:
        if isinstance(value, Function) and value.file is machine.file and not value.called:
            if _concerns(machine, value.node):
                found.append(Entry(f"function `{name}`", function=name))
        elif isinstance(value, Class) and value.file is machine.file and _concerns(machine, value.node):
            if not value.instantiated:
                found.append(Entry(f"class `{name}`", cls=name))
            found.extend(_methods(machine, name, value))
    yield from found[:_MOST_FRAGMENTS]


def _methods(machine: Machine, name: str, cls: Class) -> Iterator[Entry]:
    for attribute, value in cls.namespace.items():
        function = value.function if isinstance(value, Descriptor) else value
        if isinstance(function, Function) and not function.called and attribute not in ("__init__", "forward"):
            if _concerns(machine, function.node):
                yield Entry(f"method `{name}.{attribute}`", attribute, name)


def _concerns(machine: Machine, node: ast.AST) -> bool:
    first, last = getattr(node, "lineno", 1), getattr(node, "end_lineno", 1)
    return bool(_CONCERNS.search("\n".join(machine.file.lines[first - 1 : last])))


def _forget_modes(machine: Machine, cls: Class, method: Value) -> None:
    """Where other methods of the class set modes, nobody knows which of them ran before this one."""
    setting = [
        value
        for ancestor in cls.mro()
        if isinstance(ancestor, Class)
        for value in (d.function if isinstance(d, Descriptor) else d for d in ancestor.namespace.values())
        if isinstance(value, Function) and value is not method and value.name != "__init__" and _sets_modes(value)
    ]
    for root in machine.recorder.stock.roots() if setting else ():
        for _, module in root.walk():
            module.training = module.training_cause = None


def _sets_modes(function: Function) -> bool:
    first, last = getattr(function.node, "lineno", 1), getattr(function.node, "end_lineno", 1)
    return bool(_MODES.search("\n".join(function.file.lines[first - 1 : last])))


def _run_fragment(machine: Machine, entry: Entry, scope: dict[str, Value]) -> None:
    unknown = Call(ast.Pass(), complete=False)
    if not entry.cls:
        function = scope.get(entry.function)
        if isinstance(function, Function):
            functions.run(machine, function, unknown)
        return
    cls = scope.get(entry.cls)
    if not isinstance(cls, Class):
        return
    made = functions.instantiate(machine, cls, Call(ast.Pass(), complete=False))
    if entry.function:
        found = cls.find(entry.function)
        if found is not None:
            method = found[0].function if isinstance(found[0], Descriptor) else found[0]
            _forget_modes(machine, cls, method)
            machine.call_with(Method(method, made), unknown)
    elif isinstance(made, (Instance, Module, Optimizer)):
        machine.recorder.begin_step()


