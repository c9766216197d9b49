"""Assignments: to names, attributes, items and patterns of these."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from freezelint.source.interpreter import items, operators
from freezelint.source.interpreter.values import Instance, Module, Optimizer, Schedule, Tensor, Unknown, Value
from freezelint.source.semantics import modules

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


def assign(machine: Machine, target: ast.expr, value: Value) -> None:
    """`target = value`."""
    if isinstance(target, ast.Name):
        bind(machine, target.id, value)
    elif isinstance(target, ast.Attribute):
        owner = machine.evaluate(target.value)
        machine.frame.node = target
        _name_after(value, f"{target.value.id}.{target.attr}" if isinstance(target.value, ast.Name) else "")
        machine.set(owner, target.attr, value)
    elif isinstance(target, ast.Subscript):
        owner, key = machine.evaluate(target.value), machine.evaluate(target.slice)
        machine.frame.node = target
        items.set_item(machine, owner, key, value)
    elif isinstance(target, ast.Starred):
        assign(machine, target.value, value)
    elif isinstance(target, (ast.Tuple, ast.List)):
        _unpack(machine, target.elts, value)


def bind(machine: Machine, name: str, value: Value) -> None:
    """Give a name of the current frame a value."""
    frame = machine.frame
    if isinstance(value, (Module, Optimizer)) and name not in ("self", "_"):
        _name_after(value, name)
    if isinstance(value, Unknown) and not value.text:
        value.text = name
    if name in frame.global_names:
        frame.globals[name] = value
    elif name in frame.nonlocal_names:
        scope = next((scope for scope in frame.closure if name in scope), frame.scope)
        scope[name] = value
    else:
        frame.scope[name] = value


def _name_after(value: Value, name: str) -> None:
    """A model is called as the first variable that holds it; `self.model` by the attribute."""
    if isinstance(value, Module) and not value.name and name:
        value.name = name.removeprefix("self.")
    elif isinstance(value, Optimizer) and name and value.name == "optimizer":
        value.name = name


def _unpack(machine: Machine, targets: list[ast.expr], value: Value) -> None:
    star = next((i for i, target in enumerate(targets) if isinstance(target, ast.Starred)), None)
    values = None if isinstance(value, (Unknown, Tensor)) else machine.elements(value, "an assignment")
    if values is None or (len(values) != len(targets) if star is None else len(values) < len(targets) - 1):
        for position, target in enumerate(targets):
            assign(machine, target, items.element(machine, value, position))
        return
    if star is not None:
        after = len(targets) - star - 1
        end = len(values) - after
        values = [*values[:star], values[star:end], *values[end:]]
    for target, element in zip(targets, values, strict=True):
        assign(machine, target, element)


def augment(machine: Machine, node: ast.AugAssign) -> None:
    """`target += value`; lists grow in place, as those of Python do."""
    target = node.target
    right = machine.evaluate(node.value)
    if isinstance(target, ast.Name):
        left = machine.evaluate(ast.copy_location(ast.Name(target.id, ast.Load()), target))
        bind(machine, target.id, _augmented(machine, node, left, right))
    elif isinstance(target, ast.Attribute):
        owner = machine.evaluate(target.value)
        left = machine.get(owner, target.attr)
        machine.frame.node = target
        machine.set(owner, target.attr, _augmented(machine, node, left, right))
    elif isinstance(target, ast.Subscript):
        owner, key = machine.evaluate(target.value), machine.evaluate(target.slice)
        left = items.get_item(machine, owner, key)
        machine.frame.node = target
        items.set_item(machine, owner, key, _augmented(machine, node, left, right))


def _augmented(machine: Machine, node: ast.AugAssign, left: Value, right: Value) -> Value:
    if isinstance(left, list) and isinstance(node.op, ast.Add):
        added = machine.elements(right, "a list")
        if added is None or len(left) + len(added) > operators.LONGEST:
            return Unknown("list")
        left.extend(added)
        machine.parts.taken(left, right)
        machine.parts.added(left)
        return left
    return operators.binary(machine, node.op, left, right)


def delete(machine: Machine, target: ast.expr) -> None:
    """`del target`."""
    if isinstance(target, ast.Name):
        machine.frame.scope.pop(target.id, None)
    elif isinstance(target, (ast.Tuple, ast.List)):
        for part in target.elts:
            delete(machine, part)
    elif isinstance(target, ast.Attribute):
        delete_attribute(machine, machine.evaluate(target.value), target.attr)
    elif isinstance(target, ast.Subscript):
        items.delete_item(machine, machine.evaluate(target.value), machine.evaluate(target.slice))


def delete_attribute(machine: Machine, owner: Value, name: str) -> None:
    """`del owner.name`."""
    if isinstance(owner, Module):
        modules.removed(machine, owner, name)
        for table in (owner.children, owner.parameters, owner.buffers, owner.attributes):
            table.pop(name, None)
    elif isinstance(owner, (Instance, Unknown, Schedule, Optimizer)):
        owner.attributes.pop(name, None)
