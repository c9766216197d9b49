"""The code that froze something: whether it always does, for good, and what it goes over."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from freezelint.evidence import Event, Location, Trace
from freezelint.fixing.modes.calls import names_in
from freezelint.fixing.scene import Scene
from freezelint.fixing.script import NoPlaceError, Script

_OVER_MODULES = frozenset(
    {
        "parameters",
        "named_parameters",
        "modules",
        "named_modules",
        "children",
        "named_children",
        "_modules",
    }
)
_Loop = ast.For | ast.AsyncFor


def is_always_frozen(scene: Scene, events: Sequence[Event]) -> bool:
    """Whether nothing that can be set from outside decides what these statements freeze."""
    return all(event.location is not None and _is_unconditional(scene, event.location) for event in events)


def stays_frozen(trace: Trace, events: Sequence[Event], parameters: set[int]) -> bool:
    """Whether nothing unfreezes these parameters after they were frozen."""
    if trace.pending_unfreezes:
        return False
    first = min((event.index for event in events), default=-1)
    later = (event for event in trace.events_of("unfrozen") if event.index > first)
    return not any(parameters.intersection(event.parameters) for event in later)


def frames(scene: Scene, location: Location) -> Iterator[tuple[Script, ast.stmt]]:
    """The statement at the location and those that called it, innermost first, as far as they are the
    project's.
    """
    for place in (location, *location.calls):
        try:
            script = scene.script(place.path)
        except NoPlaceError:
            return
        statement = script.statement_at(place)
        if statement is not None:
            yield script, statement


def whole_freeze(script: Script, statement: ast.stmt) -> ast.stmt:
    """The loop over modules or parameters that a freezing statement is in, or the statement itself."""
    whole = statement
    for outer in script.parents(statement):
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            break
        if isinstance(outer, _Loop) and goes_over_modules(outer):
            whole = outer
    return whole


def goes_over_modules(loop: _Loop) -> bool:
    """Whether a loop goes over modules, parameters, or what is written out in it."""
    if isinstance(loop.iter, ast.List | ast.Tuple | ast.Set):
        return True
    called = {node.attr for node in ast.walk(loop.iter) if isinstance(node, ast.Attribute)}
    return bool(called & _OVER_MODULES)


def frozen_expressions(statement: ast.stmt) -> list[ast.expr]:
    """The modules that a freeze is written for: X of `X.requires_grad_(False)`, and of `X.parameters()` that
    a loop goes over.
    """
    found = []
    for node in ast.walk(statement.iter if isinstance(statement, _Loop) else statement):
        func = node.func if isinstance(node, ast.Call) else None
        if isinstance(func, ast.Attribute) and func.attr in ("requires_grad_", *_OVER_MODULES):
            found.append(func.value)
    return found


def _is_unconditional(scene: Scene, location: Location) -> bool:
    read = list(frames(scene, location))
    return bool(read) and all(_runs_always(script, statement) for script, statement in read)


def _runs_always(script: Script, statement: ast.stmt) -> bool:
    if not _writes_a_constant(script, statement):
        return False
    inner: ast.AST = statement
    for outer in script.parents(statement):
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
            return True
        if isinstance(outer, ast.If | ast.Match) and not (
            _is_part_of_a_loop(script, outer) or _is_the_main_guard(outer)
        ):
            return False
        if isinstance(outer, _Loop) and inner is not outer.iter and not _is_fixed(outer):
            return False
        inner = outer
    return True


def _is_the_main_guard(test: ast.If | ast.Match) -> bool:
    return isinstance(test, ast.If) and "__name__" in names_in(test.test)


def _is_part_of_a_loop(script: Script, test: ast.If | ast.Match) -> bool:
    """Whether it chooses among what a loop over modules or parameters goes over, and by nothing else."""
    asked = names_in(test.test if isinstance(test, ast.If) else test.subject)
    for outer in script.parents(test):
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
            return False
        if isinstance(outer, _Loop) and goes_over_modules(outer):
            bound = names_in(outer.target) | {
                node.id
                for node in ast.walk(outer)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            }
            if asked & bound:
                return all(_is_constant(script, name) for name in asked - bound)
    return False


def _is_constant(script: Script, name: str) -> bool:
    """Whether a name always means the same: a builtin, or what is assigned once, from constants."""
    values = [
        node.value
        for node in ast.walk(script.tree)
        if isinstance(node, ast.Assign) and any(name in names_in(target) for target in node.targets)
    ]
    if not values:
        arguments = {node.arg for node in ast.walk(script.tree) if isinstance(node, ast.arg)}
        return name not in arguments
    plain = (ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Load)
    return len(values) == 1 and all(isinstance(node, plain) for node in ast.walk(values[0]))


def _is_fixed(loop: _Loop) -> bool:
    """Whether a loop around a freeze goes over modules, or counts."""
    called = {node.id for node in ast.walk(loop.iter) if isinstance(node, ast.Name)}
    return goes_over_modules(loop) or "range" in called


def _writes_a_constant(script: Script, statement: ast.stmt) -> bool:
    """Whether the flag that the statement writes, if it does, is no setting."""
    values: list[ast.expr] = []
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Attribute):
        values = [statement.value] if statement.targets[0].attr == "requires_grad" else []
    for node in ast.walk(statement):
        func = node.func if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and isinstance(func, ast.Attribute) and func.attr == "requires_grad_":
            values += node.args
    loops = [outer for outer in script.parents(statement) if isinstance(outer, _Loop)]
    bound = {name for loop in loops if goes_over_modules(loop) for name in names_in(loop.target)}
    return all(
        isinstance(value, ast.Constant)
        or (names_in(value) & bound and all(_is_constant(script, name) for name in names_in(value) - bound))
        for value in values
    )
