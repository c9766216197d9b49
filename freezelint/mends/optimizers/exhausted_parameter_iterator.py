"""FRZ206: the iterator becomes a list."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.scopes import assignment_of
from freezelint.fixing.script import Script


def mends(scene: Scene) -> Iterator[Mend]:
    """Where a variable gets an iterator that is used twice, it gets the list of what is in it."""
    script = scene.here
    statement = script.statement_at(scene.finding.location)
    call = script.node_at(scene.finding.location, ast.Call)
    if statement is None:
        return
    for name in _names(call if call is not None else statement):
        assigned = assignment_of(script, name, statement)
        if assigned is not None and not isinstance(assigned.value, ast.List | ast.ListComp | ast.Tuple):
            title = f"keep the parameters of `{script.text(name)}` in a list"
            yield Mend(title, (script.replace(assigned.value, _list(script, assigned.value)),))


def _names(node: ast.AST) -> Iterator[ast.expr]:
    """The variables that are handed over, those of the arguments first."""
    given = (
        [*node.args, *(keyword.value for keyword in node.keywords)] if isinstance(node, ast.Call) else [node]
    )
    for each in given:
        for inner in ast.walk(each):
            if isinstance(inner, ast.Name | ast.Attribute) and isinstance(inner.ctx, ast.Load):
                yield inner


def _list(script: Script, value: ast.expr) -> str:
    """The same parameters in a list, a simple filter as a comprehension."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "filter":
        test, given = value.args
        if isinstance(test, ast.Lambda) and len(test.args.args) == 1:
            name = test.args.args[0].arg
            return f"[{name} for {name} in {script.text(given)} if {script.text(test.body)}]"
    if isinstance(value, ast.GeneratorExp):
        text = script.text(value)
        return f"[{text.removeprefix('(').removesuffix(')')}]"
    return f"list({script.text(value)})"
