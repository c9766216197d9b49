"""What the words around a change of mode claim, and whether the code that says so freezes by other means.

By the text of the code: whatever may freeze counts, and what cannot be read leaves the answer open.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from freezelint.source.interpreter import imports
from freezelint.source.interpreter.values import (
    Class,
    Descriptor,
    Function,
    Instance,
    Library,
    Method,
    Module,
    Namespace,
    Optimizer,
    Scope,
    Unknown,
    Value,
)
from freezelint.source.recording.freeze_plans import is_flag
from freezelint.source.recording.surroundings import surroundings_at

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_MEANS = frozenset(
    {"requires_grad_", "no_grad", "inference_mode", "set_grad_enabled", "detach", "detach_"}
    | {"jit", "onnx", "export"}
)
# Methods of modules, tensors and Python's own types, which freeze nothing.
_KNOWN_METHODS = frozenset(
    {"eval", "train", "parameters", "named_parameters", "children", "named_children", "modules"}
    | {"named_modules", "buffers", "named_buffers", "to", "cuda", "cpu", "half", "float", "double"}
    | {
        "zero_grad",
        "state_dict",
        "get_submodule",
        "get_parameter",
        "size",
        "dim",
        "numel",
        "items",
        "keys",
        "values",
    }
    | {"append", "extend", "get", "pop", "add", "update", "index", "count", "sort", "copy", "insert"}
    | {"remove", "format", "join", "split", "startswith", "endswith", "lower", "upper", "strip", "replace"}
    | {"info", "debug", "warning", "warn", "error", "print"}
)
_MOST_FUNCTIONS = 40


def claim_here(machine: Machine) -> dict[str, Any]:
    """The fields `says`, `says_where` and `freezes_otherwise` of a change of mode at this statement."""
    frame = machine.frame
    line = getattr(frame.node, "lineno", None) or getattr(frame.statement, "lineno", None)
    found = None if line is None else surroundings_at(machine, frame.file, line)
    if found is None or line is None or found.context.says is None:
        return {}
    says, where = found.context.says, found.context.says_where
    if says != "freeze":
        return {"says": says, "says_where": where}
    if any(_asks_for_kind(test) for test in found.conditions):
        return {}
    key = (frame.file.path, line, "claim")
    known = machine.recorder.misses.claims.get(key, key)
    if known is key:
        known = machine.recorder.misses.claims[key] = _freezes_otherwise(machine)
    return {"says": says, "says_where": where, "freezes_otherwise": known}


def _asks_for_kind(test: ast.expr) -> bool:
    return any(isinstance(part, ast.Name) and part.id in ("isinstance", "type") for part in ast.walk(test))


def _freezes_otherwise(machine: Machine) -> bool | None:
    frame = machine.frame
    function = frame.function
    if function is None:
        tree = machine.project.tree(frame.file)
        return None if tree is None else _means(tree)
    search = _Search(machine)
    if function.owner is not None:
        receiver = frame.receiver
        cls = receiver.cls if isinstance(receiver, (Module, Instance, Optimizer)) else receiver
        search.read_class(cls if isinstance(cls, Class) else function.owner)
    search.read(function)
    return True if search.found else None if search.unread else False


@dataclass
class _Search:
    """A search through a function and everything that it calls."""

    machine: Machine
    found: bool = False
    unread: bool = False
    _met: set[int] = field(default_factory=set)

    def read_class(self, cls: Class) -> None:
        """All methods of a class and its bases."""
        if id(cls) in self._met:
            return
        self._met.add(id(cls))
        self.unread = self.unread or cls.is_open
        for ancestor in cls.mro():
            if isinstance(ancestor, Class):
                self.found = self.found or _means(ancestor.node)
            elif isinstance(ancestor, Library) and not _is_plain_base(self.machine, ancestor):
                self.unread = True

    def read(self, function: Function) -> None:
        """A function, and what it calls."""
        if id(function.node) in self._met or self.found:
            return
        self._met.add(id(function.node))
        if len(self._met) > _MOST_FUNCTIONS:
            self.unread = True
            return
        self.found = _means(function.node)
        scopes = (*function.closure, function.globals)
        for call in (part for part in ast.walk(function.node) if isinstance(part, ast.Call)):
            self._follow(call, function, scopes)

    def _follow(self, call: ast.Call, function: Function, scopes: tuple[Scope, ...]) -> None:
        target = call.func
        if isinstance(target, ast.Name):
            self._called(
                next(
                    (self._in(scope, target.id) for scope in scopes if target.id in scope),
                    self._builtin(target.id),
                )
            )
        elif isinstance(target, ast.Attribute):
            if _is_super(target.value):
                self.unread = self.unread or not self._is_inherited(function, target.attr)
                return
            owner = self._of_library(target, scopes)
            if owner is not None:
                self._called(owner)
            elif target.attr not in _KNOWN_METHODS:
                self._methods(target.attr, function)
        else:
            self.unread = True

    def _builtin(self, name: str) -> Value:
        known = self.machine.vocabulary.knows(f"builtins.{name}")
        return Library(f"builtins.{name}") if known or name in _BUILTINS else Unknown(name)

    def _of_library(self, target: ast.Attribute, scopes: tuple[Scope, ...]) -> Value | None:
        """The function of a library or of a module of the project that a dotted name means."""
        root: ast.expr = target
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name):
            return None
        value = next((self._in(scope, root.id) for scope in scopes if root.id in scope), None)
        if isinstance(value, Library):
            return value
        if isinstance(value, Namespace) and target.value is root:
            known = target.attr in value.scope
            return self._in(value.scope, target.attr) if known else Unknown(target.attr)
        return None

    def _in(self, scope: Scope, name: str) -> Value:
        return imports.resolved(self.machine, scope, name)

    def _called(self, value: Value) -> None:
        if isinstance(value, Method):
            value = value.function
        if isinstance(value, Descriptor):
            value = value.function
        if isinstance(value, Function):
            self.read(value)
        elif isinstance(value, Class):
            self.read_class(value)
        elif not (isinstance(value, Library) and _is_harmless(value.name)):
            self.unread = True

    def _methods(self, name: str, function: Function) -> None:
        """A method of something: any method of that name in the file may be meant."""
        imports.complete(self.machine, function.globals)
        classes = [value for value in function.globals.values() if isinstance(value, Class)]
        if function.owner is not None:
            classes.append(function.owner)
        found = [cls.find(name) for cls in dict.fromkeys(classes)]
        if not any(found):
            self.unread = True
        for one in found:
            if one is not None:
                self._called(one[0])

    def _is_inherited(self, function: Function, name: str) -> bool:
        """Whether `super().name()` is known: classes of the script are read whole, torch's do not freeze."""
        if function.owner is None:
            return False
        if function.owner.find(name, after=function.owner) is not None or name in _KNOWN_METHODS:
            return True
        return name.startswith("__")


_BUILTINS = frozenset(
    {"super", "print", "isinstance", "len", "getattr", "hasattr", "list", "tuple", "dict", "type"}
)
_HARMLESS = (
    "builtins.",
    "torch.",
    "logging.",
    "warnings.",
    "math.",
    "re.",
    "copy.",
    "functools.",
    "itertools.",
    "numpy.",
)


def _is_harmless(name: str) -> bool:
    return name.startswith(_HARMLESS) and not (_MEANS & set(name.split(".")))


def _is_plain_base(machine: Machine, library: Library) -> bool:
    """Whether a base of a library has no freezing of its own that a method may rely on."""
    name = machine.vocabulary.canonical(library.name)
    return name.partition(".")[0] in (
        "torch",
        "builtins",
        "abc",
        "typing",
        "enum",
        "collections",
        "torchvision",
    )


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def _means(tree: ast.AST) -> bool:
    """Whether the code freezes by anything but eval mode."""
    return any(_is_means(part) for part in ast.walk(tree))


def _is_means(part: ast.AST) -> bool:
    if isinstance(part, ast.Attribute):
        return part.attr in _MEANS or (is_flag(part) and isinstance(part.ctx, ast.Store))
    if isinstance(part, ast.Name):
        return part.id in _MEANS
    if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == "setattr":
        name = part.args[1] if len(part.args) > 1 else None
        return not isinstance(name, ast.Constant) or name.value == "requires_grad"
    return False
