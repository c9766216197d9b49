"""FRZ202: the freeze takes the gradient away, so that no optimizer moves what it froze."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.evidence import Location
from freezelint.fixing.freezes import flag_values
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import Script


def mends(scene: Scene) -> Iterator[Mend]:
    """`p.grad = None` stands beside `p.requires_grad = False`; a module that is frozen whole drops all of its
    gradients.
    """
    at = scene.finding.location.at()
    places = [scene.finding.location, *(place.location for place in scene.finding.related)]
    freezes = {e.location.at() for e in scene.trace.events_of("frozen") if e.location is not None}
    for place in scene.places(places):
        if place.at() in freezes or place.at() == at:
            yield from _beside(scene.script(place.path), place)


def _beside(script: Script, place: Location) -> Iterator[Mend]:
    statement = script.statement_at(place)
    if statement is None:
        return
    values = list(flag_values(statement))
    freezes = len(values) == 1 and isinstance(values[0], ast.Constant)
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Attribute):
        frozen = script.text(statement.targets[0].value)
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        function = statement.value.func
        if not isinstance(function, ast.Attribute) or function.attr != "requires_grad_":
            return
        frozen = script.text(function.value)
        line = f"{frozen}.zero_grad(set_to_none=True)"
        lines = [line] if freezes else [f"if not {script.text(values[0])}:", f"\t{line}"]
        yield Mend(f"drop the gradients of `{frozen}`", (script.after(statement, lines),))
    else:
        return
    line = f"{frozen}.grad = None"
    lines = [line] if freezes else [f"if not {frozen}.requires_grad:", f"\t{line}"]
    yield Mend(f"drop the gradient of `{frozen}`", (script.after(statement, lines),))
