"""Modes set right after a freeze: for models that nothing puts in train mode before the first step."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.evidence import Event, Location
from freezelint.finding import Edit
from freezelint.fixing.modes.calls import is_plain
from freezelint.fixing.modes.expressions import expressions, is_known
from freezelint.fixing.modes.forms import eval_lines, loop_lines, norm_loop
from freezelint.fixing.modes.freezes import frames, frozen_expressions, whole_freeze
from freezelint.fixing.modes.kept import Kept
from freezelint.fixing.scene import Scene
from freezelint.fixing.script import NoPlaceError, Script

_MOST_LINES = 3


def edits(scene: Scene, kept: Kept, *, always: bool) -> list[Edit]:
    """The edits that put these modules in eval after each statement that froze them. Raises NoPlaceError."""
    found: list[Edit] = []
    for event in kept.freezes:
        found += _after(scene, kept, event, always=always)
    if not found:
        raise NoPlaceError("it is not known where they were frozen")
    return list(dict.fromkeys(found))


def _after(scene: Scene, kept: Kept, event: Event, *, always: bool) -> list[Edit]:
    if event.location is None:
        raise NoPlaceError("it is not known where they were frozen")
    for script, whole, said in _sayings(scene, event.location):
        text = script.text(said)
        path = _meant(kept, event, text)
        if path is None:
            continue
        part = kept.within(path)
        wanted = set(kept.model.parameters_within(path))
        if part.blocks == (path,) and (always or wanted == set(event.parameters)):
            return [script.after(whole, [f"{text}.eval()"])]
        names = expressions(script, kept.model, text, path, part.blocks)
        known = all(is_known(script, path, block) for block in part.blocks)
        if always and known and 0 < len(names) <= _MOST_LINES:
            return [script.after(whole, eval_lines(names))]
        # Right behind a freeze of everything nothing else is left that a flag could tell apart.
        all_of_it = not any(isinstance(node, ast.If) for node in ast.walk(whole))
        loop = norm_loop(script, kept.model, part.layers, path, always=all_of_it)
        scope = script.function_of(whole) or script.tree
        return [*loop.imports, script.after(whole, loop_lines(loop, text, scope))]
    raise NoPlaceError("what was frozen has no name there")


def _sayings(scene: Scene, location: Location) -> Iterator[tuple[Script, ast.stmt, ast.expr]]:
    """Who says what is frozen: the freeze, where it names a module, else the call of the helper that does."""
    for script, statement in frames(scene, location):
        whole = whole_freeze(script, statement)
        said = [each for each in frozen_expressions(whole) if is_plain(each)]
        if not said and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            said = [each for each in statement.value.args if is_plain(each)]
        if len(said) == 1 and not _is_argument(script, whole, said[0]):
            yield script, whole, said[0]


def _is_argument(script: Script, statement: ast.stmt, said: ast.expr) -> bool:
    """Whether it is what a helper was handed, which serves for other modules, too; a method's `self` is
    not.
    """
    function = script.function_of(statement)
    if function is None or not isinstance(said, ast.Name):
        return False
    own = isinstance(script.parent(function), ast.ClassDef)
    return said.id in [each.arg for each in function.args.args[1 if own else 0 :]]


def _meant(kept: Kept, event: Event, text: str) -> str | None:
    """Which module the words mean: the smallest that holds all that was frozen, the model itself where the
    words are its name.
    """
    wanted = set(event.parameters)
    if text == kept.model.name:
        return ""
    receivers = [path for index, path in event.modules if index == kept.model.index]
    if len(receivers) == 1:
        return receivers[0]
    paths = [m.path for m in kept.model.modules if wanted <= set(kept.model.parameters_within(m.path))]
    named = [path for path in paths if path and path.rpartition(".")[2] == text.rpartition(".")[2]]
    return next(iter([*named[-1:], *paths[-1:]]), None)
