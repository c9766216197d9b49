"""FRZ503: the comparison becomes the assignment that was meant."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.fixing.scene import Mend, Scene


def mends(scene: Scene) -> Iterator[Mend]:
    """`p.requires_grad == x` becomes `p.requires_grad = x`; for a module its method is called."""
    script = scene.here
    statement = script.statement_at(scene.finding.location)
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Compare):
        return
    left, right = statement.value.left, statement.value.comparators[0]
    flag = left if isinstance(left, ast.Attribute) else right
    value = scene.finding.evidence.get("value")
    if not isinstance(flag, ast.Attribute) or value not in ("True", "False"):
        return
    assigned = f"{script.text(flag)} = {value}"
    called = f"{script.text(flag.value)}.requires_grad_({value})"
    at = scene.finding.location.at()
    compared = [e for e in scene.trace.events_of("compared") if e.location and e.location.at() == at]
    on_module = any(event.modules for event in compared)
    title = f"set `requires_grad` to {value}"
    for text in (called, assigned) if on_module else (assigned, called):
        yield Mend(title, (script.replace(statement, text),))
