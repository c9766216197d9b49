"""Moving a statement behind another one, with what depends on it."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator, Sequence

from freezelint.evidence import Location
from freezelint.finding import Edit
from freezelint.fixing.scene import Scene
from freezelint.fixing.scopes import loaded, stored
from freezelint.fixing.script import Definition, NoPlaceError, Script


def moved_behind(scene: Scene, what: Location, behind: Location) -> tuple[Edit, ...]:
    """Edits that let `what` happen after `behind`, where it happened before: the statements of one block that
    lead to the two are put in the other order, with those that use what the first one binds. Raises
    NoPlaceError where that would change more.
    """
    for script, first, last in _in_one_block(scene, what, behind):
        suite = script.body_of(first)
        between = suite[suite.index(first) + 1 : suite.index(last) + 1]
        moving = _dependent(first, between)
        if last in moving:
            raise NoPlaceError("what should come first depends on what should come second")
        _require_same_meaning(moving, between)
        return _moved(script, moving, last)
    raise NoPlaceError("no block of statements holds both places")


def _in_one_block(
    scene: Scene, what: Location, behind: Location
) -> Iterator[tuple[Script, ast.stmt, ast.stmt]]:
    """Pairs of statements of one block, in this order, that lead to the two places; the innermost first."""
    later = list(_leading(scene, behind))
    for script, first in _leading(scene, what):
        for other, last in later:
            if other is script and first is not last:
                suite = _suite(script, first)
                if last in suite and suite.index(first) < suite.index(last):
                    yield script, first, last


def _leading(scene: Scene, location: Location) -> Iterator[tuple[Script, ast.stmt]]:
    """The statements around a place, and around each of the calls that led to it, from the inside out."""
    for place in (location, *location.calls):
        script = scene.script(place.path)
        statement = script.statement_at(place)
        if statement is None:
            continue
        yield script, statement
        for outer in script.parents(statement):
            if isinstance(outer, Definition | ast.ClassDef | ast.Module):
                break
            if isinstance(outer, ast.stmt):
                yield script, outer


def _suite(script: Script, statement: ast.stmt) -> list[ast.stmt]:
    try:
        return script.body_of(statement)
    except NoPlaceError:
        return []


def _dependent(first: ast.stmt, between: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The statement and those that use what it binds, or what these bind."""
    moving, names = [first], set(stored(first))
    for statement in between:
        if names & loaded(statement):
            moving.append(statement)
            names |= stored(statement)
    return moving


def _require_same_meaning(moving: Sequence[ast.stmt], between: Sequence[ast.stmt]) -> None:
    if any(
        isinstance(each, ast.For | ast.While | ast.AsyncFor | Definition | ast.ClassDef) for each in moving
    ):
        raise NoPlaceError("a loop between the two places uses it already")
    staying = [each for each in between if each not in moving]
    needed = {name for each in moving for name in loaded(each)}
    for statement in staying:
        for name in stored(statement) & needed:
            if name not in loaded(statement):  # `model = wrap(model)` is the same model
                raise NoPlaceError(f"`{name}` gets another value between the two places")


def _moved(script: Script, moving: Sequence[ast.stmt], behind: ast.stmt) -> tuple[Edit, ...]:
    outer = script.indent(behind)
    lines = []
    for statement in moving:
        text = "\n".join(script.whole_lines(statement))
        lines += textwrap.dedent(text).split("\n") if outer else text.split("\n")
    told = [f"{outer}{line}" if line.strip() else "" for line in lines]
    return (*(script.remove(statement) for statement in moving), script.after_raw(behind, told))
