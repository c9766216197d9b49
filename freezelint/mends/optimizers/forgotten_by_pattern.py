"""FRZ210: the optimizer is given all that trains, instead of a choice that forgets some of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.fixing.calling import Site, sites
from freezelint.fixing.freezes import outermost_loop, taken
from freezelint.fixing.lists import with_one_more
from freezelint.fixing.optimizers import groups_of, parameters_of
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import NoPlaceError, Script


def mends(scene: Scene) -> Iterator[Mend]:
    """Groups get one more for what was unfrozen; a choice becomes everything that is trainable."""
    script = scene.here
    call = script.node_at(scene.finding.location, ast.Call)
    given = parameters_of(call) if call is not None else None
    if call is None or given is None:
        return
    groups = groups_of(script, given, script.statement_of(call))
    if groups is not None:
        yield from _one_more(scene, script, groups)
        return
    for model in _models(given):
        title = "give the optimizer everything that is trainable"
        told = f"[p for p in {script.text(model)}.parameters() if p.requires_grad]"
        yield Mend(title, (script.replace(given, told),), "unsafe")


def _one_more(scene: Scene, script: Script, groups: ast.List) -> Iterator[Mend]:
    made = script.statement_of(groups)
    for place in scene.finding.related:
        where = scene.script(place.location.path)
        try:
            statement = outermost_loop(where, place.location)
            inner = Site(where, statement, taken(where, statement))
        except NoPlaceError:
            continue
        for site in sites(scene, inner, place.location.calls):
            if site.script is script and script.function_of(site.statement) is script.function_of(made):
                text = f"{{{script.quote}params{script.quote}: {site.expression}}}"
                edit = with_one_more(script, groups, text)
                yield Mend("add a group for what was unfrozen", (edit,), "unsafe")


def _models(given: ast.expr) -> Iterator[ast.expr]:
    """What the parameters are chosen from: the nearest module first."""
    calls = [node for node in ast.walk(given) if isinstance(node, ast.Call)]
    for call in calls:
        function = call.func
        if isinstance(function, ast.Attribute) and function.attr in ("parameters", "named_parameters"):
            owner = function.value
            while isinstance(owner, ast.Attribute | ast.Subscript):
                owner = owner.value
                yield owner
