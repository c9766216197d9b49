"""Lines put after calls of `train()`: the loop over norm layers once in a file, however many those are."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from freezelint.finding import Edit
from freezelint.fixing.modes.calls import ModeCall, loop_name
from freezelint.fixing.modes.forms import NormLoop
from freezelint.fixing.script import Script

HELPER = "keep_frozen_norms_in_eval"


@dataclass(frozen=True)
class Placed:
    """What is to follow a call: lines, or the loop over the receiver's modules; or what takes its place."""

    call: ModeCall
    lines: tuple[str, ...] = ()
    loop: NormLoop | None = None
    instead: str = ""

    @property
    def receiver(self) -> str:
        return self.call.receiver


def edits(placed: Sequence[Placed]) -> Iterator[Edit]:
    """The edits of all files. Raises NoPlaceError."""
    by_file: dict[str, list[Placed]] = {}
    for each in placed:
        by_file.setdefault(each.call.script.path, []).append(each)
    for group in by_file.values():
        yield from _in_one_file(group)


def _in_one_file(placed: list[Placed]) -> Iterator[Edit]:
    script = placed[0].call.script
    for each in placed:
        if each.instead:
            yield script.replace(each.call.call, each.instead)
        elif each.lines:
            yield script.after(each.call.statement, each.lines)
    loops = [each for each in placed if each.loop is not None]
    if not loops:
        return
    known, written = _helper(script), list(_written_loops(script))
    loop = _strictest([each.loop for each in loops if each.loop is not None])
    yield from loop.imports
    if known is None and len(loops) + len(written) == 1:
        call = loops[0].call
        yield script.after(call.statement, loop.lines(call.receiver, loop_name(call.scope)))
        return
    name = known or script.fresh(HELPER, "freeze_norm_statistics")
    if known is None:
        tested = loop if loop.test or not any("requires_grad" in script.text(w) for w in written) else None
        first = min((each.call.statement for each in loops), key=lambda statement: statement.lineno)
        first = min([first, *written], key=lambda statement: statement.lineno)
        yield _definition(
            script, first, name, tested or NormLoop(loop.spelling, "not {0}.weight.requires_grad")
        )
        for statement in written:
            receiver, _, _ = script.text(statement.iter).rpartition(".modules()")
            yield script.replace(statement, f"{name}({receiver})")
    for each in loops:
        yield script.after(each.call.statement, [f"{name}({each.receiver})"])


def _strictest(loops: list[NormLoop]) -> NormLoop:
    return max(loops, key=lambda loop: (len(loop.test), len(loop.spelling)))


def _helper(script: Script) -> str | None:
    """The function of an earlier fix."""
    names = [node.name for node in script.tree.body if isinstance(node, ast.FunctionDef)]
    return next((name for name in names if name.startswith(HELPER)), None)


def _written_loops(script: Script) -> Iterator[ast.For]:
    """The loops that do nothing but what the helper would do, as an earlier fix wrote them."""
    for node in ast.walk(script.tree):
        if not isinstance(node, ast.For) or not isinstance(node.iter, ast.Call) or len(node.body) != 1:
            continue
        test, func = node.body[0], node.iter.func
        if not isinstance(func, ast.Attribute) or func.attr != "modules" or not isinstance(test, ast.If):
            continue
        if len(test.body) == 1 and not test.orelse and "isinstance" in script.text(test.test):
            target = script.text(node.target)
            if script.text(test.body[0]) == f"{target}.eval()" and not node.orelse:
                yield node


def _definition(script: Script, first_use: ast.stmt, name: str, loop: NormLoop) -> Edit:
    lines = [
        f"def {name}(model):",
        '\t"""Undo `train()` for frozen norm layers: their statistics must not change."""',
        *(f"\t{line}" for line in loop.lines("model", "module")),
    ]
    top = first_use
    for outer in script.parents(first_use):
        if isinstance(outer, ast.stmt):
            top = outer
    if isinstance(top, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return script.before(top, [*lines, "", ""])
    cell = script.location(top).cell
    before = [
        node
        for node in script.tree.body
        if node.lineno < top.lineno and script.location(node).cell == cell and _is_head(node)
    ]
    if before:
        behind = isinstance(before[-1], ast.Import | ast.ImportFrom)
        return script.after(before[-1], ["", "", *lines, *([""] if behind else [])])
    return script.before(top, [*lines, "", ""])


def _is_head(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)
