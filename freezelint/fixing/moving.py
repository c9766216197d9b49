"""Moving a statement behind another one, with what depends on it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from freezelint.evidence import Location
from freezelint.finding import Edit
from freezelint.fixing.scene import Scene
from freezelint.fixing.scopes import altered, loaded, stored, used
from freezelint.fixing.script import Definition, NoPlaceError, Script

_LOOPS = (ast.For, ast.While, ast.AsyncFor)
_JUMPS = (ast.Return, ast.Break, ast.Continue)
# What these give is another value; other calls (`model = wrap(model)`) are taken to give the same model.
_CONVERSIONS = frozenset({"abs", "dict", "float", "int", "len", "list", "max", "min", "next", "round", "set"})
_CONVERSIONS |= {"sorted", "str", "sum", "tuple", "filter", "map", "zip", "reversed", "enumerate"}


def moved_behind(
    scene: Scene, what: Location, behind: Location, within: Sequence[Edit] = ()
) -> tuple[Edit, ...]:
    """Edits that let `what` happen after `behind`, where it happened before: the statements of one block that
    lead to the two are put in the other order, with those that use what the first one binds. `within` are
    edits of what moves. Raises NoPlaceError where that would change more.
    """
    for script, first, last in _in_one_block(scene, what, behind):
        suite = script.body_of(first)
        between = suite[suite.index(first) + 1 : suite.index(last) + 1]
        moving = _dependent(script, first, between)
        if last in moving:
            raise NoPlaceError("what should come first depends on what should come second")
        _require_same_meaning(moving, [each for each in between if each not in moving])
        return _moved(script, moving, last, within)
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


def _dependent(script: Script, first: ast.stmt, between: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The statement and those that use what it binds, or what these bind."""
    moving, names = [first], set(altered(first))
    for statement in between:
        # Who has an object may look at each of its attributes.
        owners = {f"{name.rpartition('.')[0]}.*" for name in names if "." in name}
        if (names | owners) & used(script, statement):
            moving.append(statement)
            names |= altered(statement)
    return moving


def _require_same_meaning(moving: Sequence[ast.stmt], staying: Sequence[ast.stmt]) -> None:
    bound = {name for each in moving for name in altered(each)}
    for each in moving[1:]:
        if isinstance(each, _LOOPS):
            raise NoPlaceError("a loop between the two places uses it already")
        if isinstance(each, Definition | ast.ClassDef):
            raise NoPlaceError(f"`{each.name}` between the two places is defined with it")
        if _jumps(each):
            raise NoPlaceError("the block may be left between the two places with it")
    needed = bound.union(*(loaded(each) for each in moving))
    for statement in staying:
        for name in sorted(stored(statement) & needed):
            if name in bound or not _is_the_same(statement, name):
                raise NoPlaceError(f"`{name}` gets another value between the two places")
        if any(not isinstance(jump, ast.Return) or _outlives(bound) for jump in _jumps(statement)):
            raise NoPlaceError("the block may be left between the two places, and it is used elsewhere")


def _is_the_same(statement: ast.stmt, name: str) -> bool:
    """Whether the name stands for the same object after the statement, wrapped or not, as in
    `model = wrap(model)`.
    """
    call = statement.value if isinstance(statement, ast.Assign) else None
    if not isinstance(call, ast.Call) or name not in loaded(call):
        return False
    return not isinstance(call.func, ast.Name) or call.func.id not in _CONVERSIONS


def _jumps(statement: ast.stmt) -> list[ast.stmt]:
    """What may leave the block of the statement: its own, not those of functions and loops within it."""
    found: list[ast.stmt] = []
    pending: list[tuple[ast.AST, bool]] = [(statement, False)]
    while pending:
        node, looping = pending.pop()
        if isinstance(node, Definition | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, _JUMPS) and (isinstance(node, ast.Return) or not looping):
            found.append(node)
        looping = looping or isinstance(node, _LOOPS)
        pending.extend((child, looping) for child in ast.iter_child_nodes(node))
    return found


def _outlives(names: set[str]) -> bool:
    """Whether one of these is more than a variable of the function."""
    return any("." in name for name in names)


def _moved(
    script: Script, moving: Sequence[ast.stmt], behind: ast.stmt, within: Sequence[Edit]
) -> tuple[Edit, ...]:
    told: list[str] = []
    removed: list[Edit] = []
    place = [
        edit
        for edit in within
        if not any(_lies_in(script, edit, *block) for block in _blocks(script, moving))
    ]
    if place:
        raise NoPlaceError("what it is built from is made before")
    for first, last in _blocks(script, moving):
        lines = script.with_edits(
            first, last, [each for each in within if _lies_in(script, each, first, last)]
        )
        apart = script.is_blank(first - 1, first)
        told += ["", *lines] if apart and lines[0].lstrip().startswith("#") else lines
        if apart or _opens(script, moving, first):
            while script.is_blank(last + 1, first) and last + 1 < len(script.file.lines):
                last += 1
        removed.append(script.remove_lines(first, last))
    return (*removed, script.after_raw(behind, told))


def _blocks(script: Script, statements: Sequence[ast.stmt]) -> list[tuple[int, int]]:
    """The lines of the statements, with their comments; those that follow each other as one."""
    found: list[tuple[int, int]] = []
    for statement in statements:
        first, last = script.block(statement)
        if found and found[-1][1] + 1 == first:
            first = found.pop()[0]
        found.append((first, last))
    return found


def _opens(script: Script, moving: Sequence[ast.stmt], first: int) -> bool:
    """Whether a line is the first of a suite: what follows should not begin with a blank line."""
    suite = script.body_of(moving[0])
    return suite[0] is moving[0] and script.block(moving[0])[0] == first


def _lies_in(script: Script, edit: Edit, first: int, last: int) -> bool:
    return edit.path == script.path and first <= script.line_of(edit.location) <= last
