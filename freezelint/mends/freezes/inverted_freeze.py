"""FRZ511: the constant is turned round."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.finding import Edit
from freezelint.fixing.flags import writes_at
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import NoPlaceError, Script

_FLAG = ("requires_grad",)


def mends(scene: Scene) -> Iterator[Mend]:
    """All writes of a function whose name says the opposite; only this one where a comment does."""
    script = scene.here
    wrong = scene.finding.evidence.get("writes")
    node = _written_at(scene, script)
    if node is None or not isinstance(wrong, bool):
        return
    function = script.function_of(node)
    whole = function if str(scene.finding.evidence.get("says_where")).startswith("function") else None
    edits = tuple(_turned(script, node if whole is None else whole, right=str(not wrong)))
    if not edits:
        raise NoPlaceError("the flag's value is not written where it is set")
    yield Mend(f"set `requires_grad` to {not wrong}", edits, "unsafe")


def _written_at(scene: Scene, script: Script) -> ast.AST | None:
    """The assignment, the call of `setattr` or of `requires_grad_` that the finding points to."""
    where = scene.finding.location
    writes = writes_at(script, where, _FLAG)
    if writes:
        node = writes[0].node
        return node if isinstance(node, ast.Call) else script.statement_of(node)
    return script.node_at(where, ast.Call)


def _turned(script: Script, inside: ast.AST, *, right: str) -> Iterator[Edit]:
    for node in ast.walk(inside):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(each, ast.Attribute) and each.attr in _FLAG for each in targets):
                yield from _constant(script, node.value, right)
        elif isinstance(node, ast.Call):
            yield from _in_call(script, node, right)


def _in_call(script: Script, call: ast.Call, right: str) -> Iterator[Edit]:
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    if isinstance(call.func, ast.Attribute) and call.func.attr == "requires_grad_":
        if given:
            yield from _constant(script, given[0], right)
        else:
            yield script.replace(call, f"{script.text(call.func)}({right})")
    elif ast.unparse(call.func) == "setattr" and len(given) == 3:
        is_flag = isinstance(given[1], ast.Constant) and given[1].value in _FLAG
        yield from _constant(script, given[2], right) if is_flag else ()


def _constant(script: Script, value: ast.expr | None, right: str) -> Iterator[Edit]:
    if isinstance(value, ast.Constant) and isinstance(value.value, bool):
        yield script.replace(value, right)
