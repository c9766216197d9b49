"""FRZ106: scale and shift are frozen along with the statistics, or with each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.evidence import Model, Module
from freezelint.facts.norms import layers_named
from freezelint.finding import Edit
from freezelint.fixing.modes.calls import loop_name
from freezelint.fixing.modes.expressions import expressions
from freezelint.fixing.modes.forms import norm_class
from freezelint.fixing.modes.freezes import frames
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.scopes import is_in_scope
from freezelint.fixing.script import NoPlaceError, Script

_MOST_LINES = 3


def mends(scene: Scene) -> Iterator[Mend]:
    """Before the optimizer is built, so that it need not hold them."""
    layers = _layers(scene)
    built = next((event.location for event in scene.trace.events_of("optimizer-built")), None)
    if layers is None or built is None:
        return
    model, modules = layers
    for script, statement in frames(scene, built):
        name = _name(script, statement, model)
        if name is None:
            continue
        lines, imports = _lines(script, statement, model, modules, name)
        title = f"freeze scale and shift of {layers_named(modules)}, too"
        yield Mend(title, (*imports, script.before(statement, lines)), "unsafe")
        return
    raise NoPlaceError("the model has no name where the optimizer is built")


def _layers(scene: Scene) -> tuple[Model, list[Module]] | None:
    for model in scene.trace.models:
        found = [m for m in model.modules if f"{model.name}.{m.path}" in scene.finding.subjects]
        if found:
            return model, found
    return None


def _name(script: Script, statement: ast.stmt, model: Model) -> str | None:
    names = (model.name, f"self.{model.name}")
    return next((name for name in names if is_in_scope(script, name, statement)), None)


def _lines(
    script: Script, statement: ast.stmt, model: Model, layers: list[Module], name: str
) -> tuple[list[str], tuple[Edit, ...]]:
    """A line for each of a few layers; a loop where they are all of their kind."""
    names = expressions(script, model, name, "", [layer.path for layer in layers])
    if 0 < len(names) <= _MOST_LINES:
        return [f"{each}.requires_grad_(False)" for each in names], ()
    norms = [module for module in model.modules if module.norm is not None and module.norm.has_statistics]
    if len(norms) > len(layers):
        raise NoPlaceError("nothing tells these norm layers from the others")
    spelling, imports = norm_class(script, layers)
    each = loop_name(script.function_of(statement) or script.tree)
    return [
        f"for {each} in {name}.modules():",
        f"\tif isinstance({each}, {spelling}):",
        f"\t\t{each}.requires_grad_(False)",
    ], imports
