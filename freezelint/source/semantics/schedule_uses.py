"""Whether anything can step a schedule: where its name is used in the files that were read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from freezelint.source.interpreter.values import Call, Class, Namespace, Schedule, Value

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

# What is asked of a schedule without handing it on.
_HARMLESS = frozenset(
    {
        *("get_last_lr", "get_lr", "print_lr", "state_dict", "load_state_dict"),
        *("last_epoch", "base_lrs", "optimizer", "_last_lr"),
    }
)
# Bases of a class whose code does not reach for the attributes that a subclass sets on itself.
_INDIFFERENT = frozenset({"object", "Module", "ABC", "Generic", "Protocol"})


def holders_here(machine: Machine, call: Call) -> tuple[str, ...] | None:
    """The names that the value of the current call is given, none if it is dropped; None where that is
    unknown.
    """
    node: ast.AST | None = call.node
    for frame in reversed(machine.frames):
        statement = frame.statement
        if statement is None or getattr(statement, "value", None) is not node:
            return None
        if isinstance(statement, ast.Expr):
            return ()
        if isinstance(statement, ast.Assign):
            return _names(statement.targets, frame.receiver)
        if isinstance(statement, ast.AnnAssign):
            return _names([statement.target], frame.receiver)
        if not isinstance(statement, ast.Return):
            return None
        above = machine.frames.index(frame) - 1
        node = machine.frames[above].node if above >= 0 else None
    return None


def _names(targets: list[ast.expr], receiver: Value) -> tuple[str, ...] | None:
    names = []
    for target in targets:
        if isinstance(target, ast.Name):
            names.append(target.id)
        elif (
            isinstance(target, ast.Attribute)
            and isinstance(target.value, ast.Name)
            and _is_indifferent(receiver)
        ):
            names.append(target.attr)
        else:
            return None
    return tuple(names)


def _is_indifferent(receiver: Value) -> bool:
    """Whether all that can reach for an attribute of this object is in the files that were read."""
    cls = getattr(receiver, "cls", None)
    if not isinstance(cls, Class) or cls.is_open:
        return False
    return {library.name.rpartition(".")[2] for library in cls.libraries()} <= _INDIFFERENT


def can_step(machine: Machine, schedule: Schedule, names: tuple[str, ...] | None) -> bool | None:
    """Whether it was stepped, or something in the files can still step it; None where that is unknown."""
    if schedule.stepped:
        return True
    if names is None:
        return None
    wanted = frozenset(names)
    return any(wanted & used for used in _used_names(machine))


def _used_names(machine: Machine) -> Iterator[frozenset[str]]:
    """For each file that was read, the names in it that are read and may be handed on."""
    for namespace in list(machine.modules.values()):
        if isinstance(namespace, Namespace) and namespace.file is not None:
            key = f"used names in {namespace.file.path}"
            if key not in machine.sources:
                tree = machine.project.tree(namespace.file)
                machine.sources[key] = frozenset() if tree is None else frozenset(_read(tree))
            yield machine.sources[key]


def _read(tree: ast.AST) -> Iterator[str]:
    pending: list[tuple[ast.AST, ast.AST]] = [(tree, tree)]
    while pending:
        node, parent = pending.pop()
        pending.extend((child, node) for child in ast.iter_child_nodes(node))
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
            if not (isinstance(parent, ast.Attribute) and parent.attr in _HARMLESS):
                yield node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            yield node.value
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.name for alias in node.names)
