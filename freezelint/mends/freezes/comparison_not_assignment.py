"""FRZ503: the comparison becomes the assignment that was meant."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import Script


def mends(scene: Scene) -> Iterator[Mend]:
    """`p.requires_grad == x` becomes `p.requires_grad = x`; for a module its method is called."""
    script = scene.here
    statement = script.statement_at(scene.finding.location)
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Compare):
        return
    compared = statement.value
    left, right = compared.left, compared.comparators[0]
    flag, other = (left, right) if _is_flag(left) else (right, left)
    value = scene.finding.evidence.get("value")
    if value not in ("True", "False"):
        value = _assigned(script, compared.ops[0], other)
    if len(compared.ops) != 1 or not _is_flag(flag) or value is None:
        return
    text = script.text(flag)
    at = scene.finding.location.at()
    events = [e for e in scene.trace.events_of("compared") if e.location and e.location.at() == at]
    assigned, called = f"{text} = {value}", f"{text}_({value})"
    on_module = any(event.modules for event in events)
    title = f"set `requires_grad` to {value}"
    for line in (called, assigned) if on_module else (assigned, called):
        yield Mend(title, (script.replace(statement, line),))


def _is_flag(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "requires_grad"


def _assigned(script: Script, operator: ast.cmpop, other: ast.expr) -> str | None:
    """What was to be assigned, where it is no constant: `p.requires_grad == args.train`."""
    if isinstance(operator, ast.Eq | ast.Is) and not isinstance(other, ast.Constant):
        return script.text(other)
    return None
