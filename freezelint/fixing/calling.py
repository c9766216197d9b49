"""Expressions of a function as its callers would write them: with their arguments in the place of its
parameters."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from freezelint.evidence import Location
from freezelint.fixing.scene import Scene
from freezelint.fixing.scopes import bound_in
from freezelint.fixing.script import Definition, Script


@dataclass(frozen=True)
class Site:
    """A statement, and an expression as it would stand beside it."""

    script: Script
    statement: ast.stmt
    expression: str


def sites(scene: Scene, inner: Site, calls: Sequence[Location]) -> Iterator[Site]:
    """The site in a function, and those at the calls that led to it, from the inside out, as far as their
    arguments tell what the expression is there.
    """
    yield inner
    site = inner
    for place in calls:
        function = site.script.function_of(site.statement)
        caller = scene.script(place.path)
        statement = caller.statement_at(place)
        call = caller.node_at(place, ast.Call)
        if function is None or statement is None or call is None:
            return
        expression = _handed_over(caller, call, function, site)
        if expression is None:
            return
        site = Site(caller, statement, expression)
        yield site


def argument(call: ast.Call, function: Definition, name: str) -> ast.expr | None:
    """What a call gives a function for one of its parameters, or for `self`; None where it does not say."""
    if ast.unparse(call.func).rpartition(".")[2] != function.name:
        return None
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    given: dict[str, ast.expr] = {}
    if names[:1] == ["self"] and isinstance(call.func, ast.Attribute):
        given["self"] = call.func.value
        names = names[1:]
    if not any(isinstance(value, ast.Starred) for value in call.args):
        given.update(zip(names, call.args, strict=False))
    given.update({keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None})
    return given.get(name)


def _handed_over(caller: Script, call: ast.Call, function: Definition, site: Site) -> str | None:
    """The expression with what the call gives; None where it needs what the caller does not have."""
    tree = ast.parse(site.expression, mode="eval")
    own = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    assigned = {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id not in own
    }
    text = site.expression.encode()
    ends = [0, *(position + 1 for position, byte in enumerate(text) if byte == 10)]
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id not in own]
    for node in sorted(names, key=lambda node: (node.lineno, node.col_offset), reverse=True):
        if node.id not in bound_in(function):
            if not hasattr(builtins, node.id) and (caller is not site.script or node.id in assigned):
                return None
            continue
        value = argument(call, function, node.id)
        if value is None or node.id in assigned or not isinstance(value, _SIMPLE):
            return None
        start = ends[node.lineno - 1] + node.col_offset
        text = text[:start] + caller.text(value).encode() + text[start + len(node.id.encode()) :]
    return text.decode()


_SIMPLE = (ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.List, ast.Tuple, ast.Call)
