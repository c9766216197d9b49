"""The entries of a file: its body, and what nothing in it calls."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezelint.source import functions
from freezelint.source.signals import Signal
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
    from freezelint.source.machine import Machine

# A fragment without any of these says nothing about freezing.
_CONCERNS = re.compile(
    r"requires?d?_?grad|freez|\.eval\(|\.train\(|optim|from_pretrained|no_grad|configure_optimizers|training_step|backward"
)
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
    scope = _run_body(machine, tree, entry)
    if not entry.is_fragment:
        return
    machine.recorder.begin()
    machine.ticks = 0
    frame = _frame(machine, scope)
    machine.frames.append(frame)
    try:
        _run_fragment(machine, entry, scope)
    finally:
        machine.frames.clear()


def _run_body(machine: Machine, tree: ast.Module, entry: Entry) -> dict[str, Value]:
    # A fragment needs the definitions: what stands under the main guard runs for the main entry only.
    name = entry.name if entry.is_fragment else "__main__"
    scope: dict[str, Value] = {"__name__": name, "__file__": machine.file.path, "__doc__": None}
    namespace = Namespace("__main__", machine.file, scope)
    machine.modules[machine.file.path] = namespace
    machine.frames.append(_frame(machine, scope))
    try:
        machine.execute(tree.body)
    except Signal:
        if not entry.is_fragment:
            return scope
    finally:
        machine.frames.clear()
    return scope


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
            machine.call_with(Method(method, made), unknown)
    elif isinstance(made, (Instance, Module, Optimizer)):
        machine.recorder.begin_step()


