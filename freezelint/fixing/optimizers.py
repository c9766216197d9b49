"""What several mends ask about optimizers: where they are built, from what, and how the code calls them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.evidence import Location, Optimizer
from freezelint.fixing.scene import Scene
from freezelint.fixing.scopes import assignment_of, is_in_scope
from freezelint.fixing.script import Script


def parameters_of(call: ast.Call) -> ast.expr | None:
    """What an optimizer's construction is given to train."""
    if call.args:
        return call.args[0]
    return next((keyword.value for keyword in call.keywords if keyword.arg == "params"), None)


def groups_of(script: Script, given: ast.expr, statement: ast.stmt) -> ast.List | None:
    """The list of groups, written at the construction or in the one assignment of a variable."""
    if isinstance(given, ast.Name | ast.Attribute):
        assigned = assignment_of(script, given, statement)
        given = assigned.value if assigned is not None else given
    if isinstance(given, ast.List) and given.elts and all(isinstance(each, ast.Dict) for each in given.elts):
        return given
    return None


def built_before(scene: Scene, location: Location) -> Iterator[tuple[Optimizer, Location]]:
    """The optimizers that were built before something happened at this place, the latest first."""
    trace = scene.trace
    happened = [e.index for e in trace.events if e.location is not None and e.location.at() == location.at()]
    for optimizer in reversed(trace.optimizers):
        built = trace.event(optimizer.built)
        if built is not None and built.location is not None and happened and built.index < max(happened):
            yield optimizer, built.location


def name_at(scene: Scene, optimizer: Optimizer, script: Script, statement: ast.stmt) -> str | None:
    """What the optimizer is called at this statement; None where it has no name there."""
    steps = [event for event in scene.trace.events_of("stepped") if event.optimizer == optimizer.index]
    names = [optimizer.name, *(_receiver(scene, event.location) for event in steps)]
    return next((name for name in names if name and is_in_scope(script, name, statement)), None)


def _receiver(scene: Scene, location: Location | None) -> str:
    """How `optimizer.step()` at this place calls the optimizer."""
    if location is None:
        return ""
    script = scene.script(location.path)
    call = script.node_at(location, ast.Call)
    if call is not None and isinstance(call.func, ast.Attribute) and call.func.attr == "step":
        return script.text(call.func.value)
    return ""


def counts_groups(script: Script) -> bool:
    """Whether the file speaks of an optimizer's groups by their number, as a schedule with a list of rates
    does: then none of them can go.
    """
    if "param_groups[" in script.file.text or "_lr()[" in script.file.text:
        return True
    schedules = (
        node
        for node in ast.walk(script.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("LR")
    )
    given = (
        value for call in schedules for value in (*call.args, *(keyword.value for keyword in call.keywords))
    )
    return any(isinstance(value, ast.List | ast.Tuple | ast.ListComp) for value in given)
