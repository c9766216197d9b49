"""FRZ501: the module's own method is called instead."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.fixing.scene import Mend, Scene


def mends(scene: Scene) -> Iterator[Mend]:
    """`m.requires_grad = x` and `m.requires_grad_ = x` become `m.requires_grad_(x)`, as does `setattr`."""
    script = scene.here
    statement = script.statement_at(scene.finding.location)
    title = "call `requires_grad_` on the module"
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Attribute):
            called = f"{script.text(target.value)}.requires_grad_({script.text(statement.value)})"
            yield Mend(title, (script.replace(statement, called),))
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        if isinstance(call.func, ast.Name) and call.func.id == "setattr" and len(call.args) == 3:
            called = f"{script.text(call.args[0])}.requires_grad_({script.text(call.args[2])})"
            yield Mend(title, (script.replace(statement, called),))
