"""The entries of a file: its body, and what nothing in it calls."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezelint.source.interpreter import functions, imports
from freezelint.source.interpreter.signals import RaisedSignal, Signal
from freezelint.source.interpreter.values import (
    Call,
    Class,
    Descriptor,
    Function,
    Instance,
    Method,
    Module,
    Namespace,
    Optimizer,
    Value,
)
from freezelint.source.signs import Signs, definitions, signs_of

if TYPE_CHECKING:
    from freezelint.source.files.source_file import SourceFile
    from freezelint.source.interpreter.machine import Frame, Machine

# A fragment that names none of these says nothing about freezing.
_CONCERNS = re.compile(
    r"requires?d?_?grad|freez|^eval$|^train$|optim|from_pretrained|configure_optimizers|training_step|backward"
)
_TOLD = re.compile(_CONCERNS.pattern.replace("^", r"\b").replace("$", r"\b"))
# Longer texts are documentation.
_LONGEST_NAME = 80
_MODES = re.compile(r"\.(train|eval)\(")
MOST_FRAGMENTS = 60
# Expressions and statements that one call into another module may take: what is built there matters for who
# trains it; of who only sets flags mostly the own module does.
_ABROAD, _ABROAD_FOR_FLAGS = 8_000, 1_500


@dataclass(frozen=True)
class Entry:
    """The module body ("main"), a function, a class, or one method of a class that nothing calls. `trains`
    tells whether it may take steps: otherwise only what is written to flags and modes matters.
    """

    name: str
    function: str = ""
    cls: str = ""
    trains: bool = True

    @property
    def is_fragment(self) -> bool:
        return bool(self.function or self.cls)


MAIN = Entry("main")


def run(machine: Machine, entry: Entry, tree: ast.Module) -> None:
    """Run an entry from the beginning: the body of the file, then the fragment, if it is one."""
    run_body(machine, tree, as_script=not entry.is_fragment)
    if entry.is_fragment:
        begin_fragment(machine, entry)
        run_fragment(machine, entry)


def run_body(machine: Machine, tree: ast.Module, *, as_script: bool) -> None:
    """Run the body of the file: as a script, or as far as a fragment needs it, for its definitions,
    without what stands under the main guard.
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


def open_body(machine: Machine) -> None:
    """Begin with the body of a file that only defines things: each is defined when somebody asks for it."""
    imports.read(machine, machine.file, machine.file.path)


def begin_fragment(machine: Machine, entry: Entry) -> None:
    """What all fragments of a class have in common: an object of it, built with unknown arguments. The
    trace and the budget begin here.
    """
    machine.recorder.begin()
    machine.ticks, machine.built, machine.raised = 0, None, False
    machine.in_fragment, machine.most_abroad = True, _ABROAD if entry.trains else _ABROAD_FOR_FLAGS
    with _at_top(machine):
        cls = _made_here(machine, entry.cls)
        if isinstance(cls, Class):
            machine.built = functions.instantiate(machine, cls, Call(ast.Pass(), complete=False))


def run_fragment(machine: Machine, entry: Entry) -> None:
    """Run what nothing calls, with unknown arguments."""
    unknown = Call(ast.Pass(), complete=False)
    with _at_top(machine):
        if not entry.cls:
            function = _made_here(machine, entry.function)
            if isinstance(function, Function):
                functions.run(machine, function, unknown)
            return
        cls, made = _made_here(machine, entry.cls), machine.built
        found = cls.find(entry.function) if isinstance(cls, Class) and entry.function else None
        if isinstance(cls, Class) and found is not None and made is not None:
            method = found[0].function if isinstance(found[0], Descriptor) else found[0]
            _forget_modes(machine, cls, method)
            machine.call_with(Method(method, made), unknown)
        elif isinstance(made, (Instance, Module, Optimizer)):
            machine.recorder.begin_step()


def _made_here(machine: Machine, name: str) -> Value:
    """What the file defines under this name."""
    scope = machine.modules[machine.file.path].scope
    return imports.resolved(machine, scope, name) if name in scope else None


@contextmanager
def _at_top(machine: Machine) -> Iterator[None]:
    """In a frame at the level of the module."""
    machine.frames.append(_frame(machine, machine.modules[machine.file.path].scope))
    try:
        yield
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


def _frame(machine: Machine, scope: dict[str, Value]) -> Frame:
    from freezelint.source.interpreter.machine import Frame

    return Frame(machine.file, scope, scope)


def concern_anybody(file: SourceFile, tree: ast.Module) -> bool:
    """Whether running the body of a file, or anything that it defines, can show anything at all."""
    signs = signs_of(file, tree)
    return any(_tells(file, signs, node) for node in signs.functions()) or signs.in_body()


def defined(file: SourceFile, tree: ast.Module) -> list[Entry]:
    """What a file defines and can show something, in its order, for one whose body calls nothing of it."""
    signs = signs_of(file, tree)
    found: dict[Entry, None] = {}
    for node in definitions(tree.body):
        if not isinstance(node, ast.ClassDef):
            found.update(dict.fromkeys(_function(file, signs, node.name, node)))
        else:
            methods = {
                part.name: part for part in definitions(node.body) if not isinstance(part, ast.ClassDef)
            }
            telling = list(_methods(file, signs, node.name, methods))
            found.update(dict.fromkeys([*_made(file, signs, node.name, node, telling), *telling]))
    return list(found)


def fragments(machine: Machine) -> list[Entry]:
    """What the run over the body has not entered and can show something, in the order of the file."""
    file, namespace = machine.file, machine.modules.get(machine.file.path)
    tree = machine.project.tree(file)
    if namespace is None or tree is None:
        return []
    signs = signs_of(file, tree)
    found: list[Entry] = []
    for name, value in list(namespace.scope.items()):
        if isinstance(value, Function) and value.file is file and not value.called:
            found.extend(_function(file, signs, name, value.node))
        elif isinstance(value, Class) and value.file is file:
            telling = list(_methods(file, signs, name, dict(_uncalled(value))))
            if not value.instantiated:
                found.extend(_made(file, signs, name, value.node, telling))
            found.extend(telling)
    return found


def _uncalled(cls: Class) -> Iterator[tuple[str, ast.AST]]:
    for name, value in cls.namespace.items():
        function = value.function if isinstance(value, Descriptor) else value
        if isinstance(function, Function) and not function.called:
            yield name, function.node


def _function(file: SourceFile, signs: Signs, name: str, node: ast.AST) -> Iterator[Entry]:
    if _tells(file, signs, node):
        yield Entry(f"function `{name}`", name, trains=signs.train(node))


def _made(
    file: SourceFile, signs: Signs, name: str, node: ast.ClassDef, telling: list[Entry]
) -> Iterator[Entry]:
    """The constructor by itself. Each method is run after it: it is run alone where it has something of its
    own.
    """
    alone = not telling or _concerns_beside(file, node, telling)
    if alone and signs.in_class(node) and _concerns(file, node):
        yield Entry(f"class `{name}`", cls=name, trains=signs.train(node))


def _methods(file: SourceFile, signs: Signs, cls: str, methods: Mapping[str, ast.AST]) -> Iterator[Entry]:
    for name, node in methods.items():
        if name not in ("__init__", "forward") and _tells(file, signs, node):
            yield Entry(f"method `{cls}.{name}`", name, cls, signs.train(node))


def _tells(file: SourceFile, signs: Signs, node: ast.AST) -> bool:
    return signs.in_function(node) and _concerns(file, node)


_ATTRIBUTE = "freezelint_concerns"


def _concerns(file: SourceFile, node: ast.AST) -> bool:
    """Whether the code names anything that concerns us. Kept with the node, which many runs ask."""
    known: bool | None = getattr(node, _ATTRIBUTE, None)
    if known is None:
        first, last = getattr(node, "lineno", 1), getattr(node, "end_lineno", 1)
        # The text is looked at first: it is a hundred times as fast.
        told = _TOLD.search("\n".join(file.lines[first - 1 : last])) is not None
        known = told and any(_CONCERNS.search(name) for name in _names(node))
        setattr(node, _ATTRIBUTE, known)
    return known


def _concerns_beside(file: SourceFile, cls: ast.ClassDef, methods: list[Entry]) -> bool:
    """Whether a class concerns us apart from these methods of it."""
    apart = {method.function for method in methods}
    return any(_concerns(file, part) for part in cls.body if getattr(part, "name", None) not in apart)


def _names(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.keyword):
            yield part.arg or ""
        elif isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield part.name
        elif (
            isinstance(part, ast.Constant) and isinstance(part.value, str) and len(part.value) < _LONGEST_NAME
        ):
            yield part.value


def _forget_modes(machine: Machine, cls: Class, method: Value) -> None:
    """Where other methods of the class set modes, nobody knows which of them ran before this one."""
    setting = [
        value
        for ancestor in cls.mro()
        if isinstance(ancestor, Class)
        for value in (d.function if isinstance(d, Descriptor) else d for d in ancestor.namespace.values())
        if isinstance(value, Function)
        and value is not method
        and value.name != "__init__"
        and _sets_modes(value)
    ]
    for root in machine.recorder.stock.roots() if setting else ():
        for _, module in root.walk():
            module.training = module.training_cause = None


def _sets_modes(function: Function) -> bool:
    first, last = getattr(function.node, "lineno", 1), getattr(function.node, "end_lineno", 1)
    return bool(_MODES.search("\n".join(function.file.lines[first - 1 : last])))
