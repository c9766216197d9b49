"""FRZ206: the iterator becomes a list."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from freezelint.finding import Edit
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.scopes import binding_of, bound_in, stored
from freezelint.fixing.script import Script

# What would take the words behind it for its own part.
_LOOSE = (ast.IfExp, ast.Lambda, ast.NamedExpr)
_LISTS = (ast.List, ast.ListComp, ast.Tuple, ast.Dict, ast.DictComp, ast.Constant)
_ITERATOR = re.compile(r"(?:\w+\.)*(?:Iterator|Generator)(?=\[|$)")


def mends(scene: Scene) -> Iterator[Mend]:
    """Where a variable gets an iterator that is used twice, it gets the list of what is in it."""
    script = scene.here
    statement = script.statement_at(scene.finding.location)
    call = script.node_at(scene.finding.location, ast.Call)
    if statement is None:
        return
    for name in _names(call if call is not None else statement):
        edits = _kept(script, name, statement)
        if edits:
            yield Mend(f"keep the parameters of `{script.text(name)}` in a list", tuple(edits))


def _names(node: ast.AST) -> Iterator[ast.expr]:
    """The variables that are gone through, those of the arguments first."""
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.Name | ast.Attribute) and isinstance(each.ctx, ast.Load):
            if not (isinstance(node, ast.Call) and each is node.func):
                yield each
        elif not isinstance(each, ast.stmt | ast.Subscript):
            yield from _names(each)


def _kept(script: Script, name: ast.expr, use: ast.stmt) -> list[Edit]:
    """The edits that let the variable hold a list; none where it holds one, or it is not told what."""
    bound = binding_of(script, name, use)
    if isinstance(bound, ast.Assign) and any(ast.unparse(name) in stored(each) for each in bound.targets):
        return _as_list(script, _value_of(ast.unparse(name), bound.targets[0], bound.value))
    if isinstance(bound, ast.AnnAssign):
        told = _ITERATOR.sub("list", script.text(bound.annotation))
        return [*_as_list(script, bound.value), script.replace(bound.annotation, told)]
    if bound is not None:
        named = (node for node in ast.walk(bound) if isinstance(node, ast.NamedExpr))
        value = next((each.value for each in named if ast.unparse(each.target) == ast.unparse(name)), None)
        return _as_list(script, value)
    function = script.function_of(use)
    if function is not None and isinstance(name, ast.Name) and name.id in bound_in(function):
        body = function.body[1:] if ast.get_docstring(function) is not None else function.body
        arguments = [each.arg for each in ast.walk(function.args) if isinstance(each, ast.arg)]
        if body and name.id in arguments:
            return [script.before(body[0], [f"{name.id} = list({name.id})"])]
    return []


def _value_of(name: str, target: ast.expr, value: ast.expr) -> ast.expr | None:
    """What a variable gets of an assignment, which may assign several."""
    if ast.unparse(target) == name:
        return value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        pairs = zip(target.elts, value.elts, strict=True)
        return next((given for part, given in pairs if ast.unparse(part) == name), None)
    return None


def _as_list(script: Script, value: ast.expr | None) -> list[Edit]:
    if value is None or isinstance(value, _LISTS):
        return []
    return [script.replace(value, _list(script, value))]


def _list(script: Script, value: ast.expr) -> str:
    """The same parameters in a list, a simple filter as a comprehension."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "filter":
        test, given = value.args if len(value.args) == 2 else (None, None)
        if isinstance(test, ast.Lambda) and given is not None and len(test.args.args) == 1:
            name = test.args.args[0].arg
            return f"[{name} for {name} in {_tight(script, given)} if {_tight(script, test.body)}]"
    if isinstance(value, ast.GeneratorExp):
        return f"[{script.text(value)[1:-1]}]"
    return f"list({script.text(value)})"


def _tight(script: Script, value: ast.expr) -> str:
    text = script.text(value)
    return f"({text})" if isinstance(value, _LOOSE) or "\n" in text else text
