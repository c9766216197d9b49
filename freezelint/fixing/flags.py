"""Where the code writes a flag, or something that was to be one: `m.requires_grad = False`, `setattr`."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator
from dataclasses import dataclass

from freezelint.evidence import Location
from freezelint.finding import Edit
from freezelint.fixing.script import NoPlaceError, Script


@dataclass(frozen=True)
class Write:
    """One write of an attribute. `node` is the target of an assignment or the call of `setattr`, `owner` what
    the attribute belongs to, as it is written before a dot, `name` the attribute.
    """

    script: Script
    node: ast.Attribute | ast.Call
    owner: str
    name: str

    @property
    def value(self) -> str:
        """What is written, where that can be said once more. Raises NoPlaceError."""
        if isinstance(self.node, ast.Call):
            return _flag(self.script, self.node.args[-1])
        assigned = self.script.parent(self.node)
        if isinstance(assigned, ast.Assign):
            return _flag(self.script, assigned.value)
        raise NoPlaceError(f"`{self.name}` is not set by a plain assignment")

    def called(self, value: str) -> str:
        """The call of the method that sets the flags, of modules and of tensors."""
        return f"{self.owner}.requires_grad_({value})"


def writes_at(script: Script, location: Location, names: Container[str]) -> list[Write]:
    """The writes of such attributes at this place; where only its line is known, all on this line."""
    every = list(_writes(script, names))
    exact = [write for write in every if _is_at(script.location(write.node), location)]
    if exact or location.end_column is not None:
        return exact
    return [write for write in every if script.location(write.node).at() == location.at()]


def by_call(write: Write, names: Container[str]) -> Edit:
    """The call of the method in the place of the write; a line for each target where the assignment has
    several. Raises NoPlaceError.
    """
    script = write.script
    if isinstance(write.node, ast.Call):
        return script.replace(write.node, write.called(write.value))
    statement = script.statement_of(write.node)
    if not isinstance(statement, ast.Assign):
        raise NoPlaceError(f"`{write.name}` is not set by a plain assignment")
    if len(statement.targets) == 1 and statement.targets[0] is write.node:
        return script.replace(statement, write.called(write.value))
    return script.replace(statement, f"\n{script.indent(statement)}".join(_apart(script, statement, names)))


def _apart(script: Script, statement: ast.Assign, names: Container[str]) -> list[str]:
    script.block(statement)  # raises where it shares its line
    lines: list[str] = []
    for target in statement.targets:
        for one, value in _pairs(target, statement.value):
            write = _write(script, one, names)
            if len(statement.targets) > 1 and not isinstance(value, ast.Constant | ast.Name):
                raise NoPlaceError("what several targets get would be evaluated several times")
            if write is None:
                lines.append(f"{script.text(one)} = {script.text(value)}")
            else:
                lines.append(write.called(_flag(script, value)))
    return lines


def _writes(script: Script, names: Container[str]) -> Iterator[Write]:
    for node in ast.walk(script.tree):
        if isinstance(node, ast.Attribute | ast.Call):
            write = _write(script, node, names)
            if write is not None:
                yield write


def _write(script: Script, node: ast.expr, names: Container[str]) -> Write | None:
    if isinstance(node, ast.Attribute):
        if isinstance(node.ctx, ast.Store) and node.attr in names:
            owner = script.text(node).removesuffix(node.attr).rstrip().removesuffix(".")
            return Write(script, node, owner, node.attr)
    elif isinstance(node, ast.Call) and not node.keywords and len(node.args) in (2, 3):
        name = node.args[-2]
        if isinstance(name, ast.Constant) and name.value in names:
            owner = _owner_of_call(script, node)
            return Write(script, node, owner, str(name.value)) if owner else None
    return None


def _owner_of_call(script: Script, call: ast.Call) -> str:
    """x of `setattr(x, name, value)` and of `x.__setattr__(name, value)`."""
    if len(call.args) == 3 and ast.unparse(call.func) in ("setattr", "object.__setattr__"):
        text = script.text(call.args[0])
        needs_none = isinstance(call.args[0], ast.Name | ast.Attribute | ast.Subscript | ast.Call)
        return text if needs_none else f"({text})"
    if len(call.args) == 2 and isinstance(call.func, ast.Attribute) and call.func.attr == "__setattr__":
        return script.text(call.func).removesuffix("__setattr__").rstrip().removesuffix(".")
    return ""


def _flag(script: Script, value: ast.expr) -> str:
    """The value as `requires_grad_` takes it."""
    if not isinstance(value, ast.Constant):
        return script.text(value)
    if isinstance(value.value, int) and value.value in (0, 1):
        return str(bool(value.value))
    raise NoPlaceError(f"{script.text(value)} is no value of a flag")


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Every target with what it gets. Raises NoPlaceError where that is not written out."""
    if not isinstance(target, ast.Tuple | ast.List):
        yield target, value
        return
    if not isinstance(value, ast.Tuple | ast.List) or len(value.elts) != len(target.elts):
        raise NoPlaceError("what each target gets is not written out")
    if any(isinstance(each, ast.Starred) for each in (*target.elts, *value.elts)):
        raise NoPlaceError("what each target gets is not written out")
    for one, given in zip(target.elts, value.elts, strict=True):
        yield from _pairs(one, given)


def _is_at(node: Location, location: Location) -> bool:
    return (node.at(), node.column) == (location.at(), location.column)
