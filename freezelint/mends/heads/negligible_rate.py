"""FRZ407: what learns so slowly is frozen, and its group goes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.evidence import OptimizerState, Step
from freezelint.facts import is_trainable
from freezelint.fixing.flagging import flag_lines
from freezelint.fixing.lists import without
from freezelint.fixing.modules import is_bound_in_expression, parameters_told
from freezelint.fixing.optimizers import groups_of, parameters_of
from freezelint.fixing.rates import value_of
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.scopes import assignment_of
from freezelint.fixing.script import NoPlaceError, Script


def mends(scene: Scene) -> Iterator[Mend]:
    """Groups that are written out are taken out by number; those that a loop makes, by their rate."""
    script = scene.here
    call = script.node_at(scene.finding.location, ast.Call)
    given = parameters_of(call) if call is not None else None
    if call is None or given is None or is_bound_in_expression(script, call):
        raise NoPlaceError("the optimizer's groups are not written where it is built")
    if "param_groups[" in script.file.text:
        raise NoPlaceError("the file asks for groups by their number")
    statement = script.statement_of(call)
    groups = groups_of(script, given, statement)
    positions = _slow(scene)
    if groups is not None and not _grows(script, given) and max(positions) < len(groups.elts):
        yield _written_out(script, groups, positions)
    else:
        yield _made_by_a_loop(script, given, statement)


def _slow(scene: Scene) -> list[int]:
    """The positions of the groups whose rate is negligible."""
    slow = set(parameters_told(scene))
    for step in scene.trace.completed:
        found = _positions(step, step.stepping, slow)
        if found:
            return found
    raise NoPlaceError("which groups learn so slowly is not known")


def _positions(step: Step, state: OptimizerState | None, slow: set[int]) -> list[int]:
    groups = state.groups if state is not None else ()
    trained = [{p for p in group.parameters if is_trainable(step, p)} for group in groups]
    return [number for number, parameters in enumerate(trained) if parameters and parameters <= slow]


def _grows(script: Script, given: ast.expr) -> bool:
    """Whether the list of groups is added to after it was made."""
    if not isinstance(given, ast.Name | ast.Attribute):
        return False
    name = script.text(given)
    return any(
        isinstance(node, ast.Attribute)
        and node.attr in ("append", "extend", "insert", "pop")
        and script.text(node.value) == name
        for node in ast.walk(script.tree)
    )


def _written_out(script: Script, groups: ast.List, positions: list[int]) -> Mend:
    if len(positions) == len(groups.elts):
        raise NoPlaceError("nothing would be left to train")
    made = script.statement_of(groups)
    lines: list[str] = []
    for position in positions:
        parameters = value_of(groups.elts[position], "params")
        if parameters is None:
            raise NoPlaceError("the group's parameters are not written out")
        lines += flag_lines(script, parameters, made, "False")
    removed = without(script, groups, positions)
    title = "freeze what learns so slowly, and take it out of the optimizer"
    return Mend(title, (script.before(made, lines), *removed), "unsafe")


def _made_by_a_loop(script: Script, given: ast.expr, statement: ast.stmt) -> Mend:
    """What is under a thousandth of the highest rate is frozen, whatever the loop comes to."""
    if not isinstance(given, ast.Name):
        raise NoPlaceError("the groups are made where the optimizer is built, by a loop or a call")
    if not _all_have_rates(script, given, statement):
        raise NoPlaceError("not every group has a rate of its own")
    name, key = given.id, f"{script.quote}lr{script.quote}"
    group, parameter = script.fresh("group", "parameter_group"), script.fresh("parameter", "weight")
    lowest = script.fresh("lowest", "lowest_rate")
    lines = [
        f"{lowest} = max({group}[{key}] for {group} in {name}) / 1000",
        f"for {group} in {name}:",
        f"\tif {group}[{key}] < {lowest}:",
        f"\t\tfor {parameter} in {group}[{script.quote}params{script.quote}]:",
        f"\t\t\t{parameter}.requires_grad = False",
    ]
    kept = f"[{group} for {group} in {name} if {group}[{key}] >= {lowest}]"
    title = "freeze the groups with less than a thousandth of the highest rate, and leave them out"
    return Mend(title, (script.before(statement, lines), script.replace(given, kept)), "unsafe")


def _all_have_rates(script: Script, given: ast.Name, statement: ast.stmt) -> bool:
    """Whether every dictionary that is put in the list is written with its rate."""
    scope = script.function_of(statement) or script.tree
    found = [
        node
        for node in ast.walk(scope)
        if isinstance(node, ast.Dict) and value_of(node, "params") is not None
    ]
    assigned = assignment_of(script, given, statement)
    made = assigned.value if assigned is not None else None
    if not isinstance(made, ast.List | ast.ListComp):
        return False
    return bool(found) and all(value_of(node, "lr") is not None for node in found)
