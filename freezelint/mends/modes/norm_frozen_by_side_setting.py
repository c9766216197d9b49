"""FRZ103: the layers are put in eval mode, and the setting that stood for it goes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.finding import Edit
from freezelint.fixing.modes.keeping import ways
from freezelint.fixing.modes.kept import Kept, of_layers
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import NoPlaceError, Script


def mends(scene: Scene) -> Iterator[Mend]:
    """After every `train()`, as for FRZ101."""
    kept = of_layers(scene)
    if kept is not None:
        yield from ways(scene, kept, "unsafe", tuple(_without_the_setting(scene, kept)))


def _without_the_setting(scene: Scene, kept: Kept) -> Iterator[Edit]:
    events = {layer.norm.set_by for layer in kept.layers if layer.norm is not None}
    for location in scene.places([scene.trace.location(event) for event in events]):
        script = scene.script(location.path)
        statement = script.statement_at(location)
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            raise NoPlaceError("the setting is not made by an assignment")
        yield script.remove(_all_that_it_does(script, statement))


def _all_that_it_does(script: Script, statement: ast.stmt) -> ast.stmt:
    """The statement, or the loop and the conditions that contain nothing else."""
    while True:
        outer = script.parent(statement)
        alone = isinstance(outer, ast.For | ast.If) and outer.body == [statement] and not outer.orelse
        if not alone or not isinstance(outer, ast.stmt):
            return statement
        statement = outer
