"""What the source around a statement that freezes or unfreezes says about it: conditions, loops, words.

Read from the syntax tree of the user's file, once a statement; only the values of names are looked up every
time.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from freezelint.evidence import Intent
from freezelint.reading.resolving import Names, same_name, strings_compared

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.ClassDef, ast.Module)
_LOOPS = (ast.For, ast.AsyncFor)
_Statements = list[ast.stmt]

_FREEZE = re.compile(r"\bfreez(?:e|es|ing)\b", re.IGNORECASE)
_UNFREEZE = re.compile(r"\b(?:un|de)[- ]?freez(?:e|es|ing)\b|\bdefrost(?:s|ing)?\b", re.IGNORECASE)
# Words that make a comment or a name say something else than "freeze" or "unfreeze", or more than that.
_DOUBTFUL = re.compile(
    r"\b(?:except|excluding|but|not|no|non|never|\w+n'?t|cannot|only|until|unless|without|other than|rest|"
    r"if|when|whether|after|before|once|instead|or|vs|versus|then|toggle|switch|could|should|would|may|might|maybe|optionally|was|were|"
    r"previous|previously|already|check|test|verify|assert|todo|fixme|undo|revert|pre|post)\b|\?",
    re.IGNORECASE,
)
# "freeze the body, train the head": the comment tells both.
_TRAINS = re.compile(r"\b(?:re)?(?:train|fine-?tun|learn|updat|enabl|allow)\w*|\bkeep\w*", re.IGNORECASE)
# `freeze_to`, `prepare_for_freeze`: what comes after or before the verb is what the function is about.
_DOUBTFUL_IN_A_NAME = re.compile(r"\b(?:to|for|from|is|has|get|can|load|make|create|build)\b", re.IGNORECASE)
_CODE = re.compile(r"\w\(|[=\[\]{}]")
_LONGEST_QUOTE = 60


@dataclass(frozen=True)
class Context:
    """What surrounds a statement that writes `requires_grad`; empty where nothing is known.

    `patterns` are the strings that its conditions look for in names. `zipped` is True where its loop pairs
    modules with parameters by `zip`. `says` is what a comment or the function's name claims, and
    `says_where` which of them. `only_writes` is the one constant that the function ever writes.
    """

    patterns: tuple[str, ...] = ()
    zipped: bool = False
    says: Intent | None = None
    says_where: str = ""
    only_writes: bool | None = None


@dataclass(frozen=True)
class Surroundings:
    """The part of a context that the source alone tells; `conditions` need the values of the moment."""

    conditions: tuple[ast.expr, ...]
    names: frozenset[str]  # the loop variables that conditions compare
    context: Context

    def with_values(self, names: Names) -> Context:
        """The context, with the strings that the conditions look for at this moment."""
        if not self.conditions:
            return self.context
        return replace(self.context, patterns=strings_compared(self.conditions, self.names, names))


@dataclass(frozen=True)
class Source:
    """A parsed file with its comments by line."""

    tree: ast.Module
    comments: dict[int, str]
    lines: list[str]


def read(text: str) -> Source | None:
    """The source, unless it cannot be parsed (the file has changed since it was imported)."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    return source_of(tree, text)


def source_of(tree: ast.Module, text: str) -> Source:
    """The source of a tree that is parsed already."""
    return Source(tree, dict(_comments(text)), text.splitlines(keepends=True))


def _comments(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("#!: ").strip()


def surroundings_of(file: Source, line: int) -> Surroundings | None:
    """What surrounds the statement on this line."""
    around = _statements_around(file.tree, line)
    if not around:
        return None
    statement, outer = around[-1], around[:-1]
    scope = next((node for node in reversed(outer) if isinstance(node, _SCOPES)), None)
    inside = outer[outer.index(scope) + 1 :] if scope is not None else outer
    function = scope if isinstance(scope, _FUNCTIONS) else None
    says, where = _claim(file, statement, inside, function)
    return Surroundings(
        conditions=tuple(_conditions(statement, inside)),
        names=frozenset(_loop_variables(statement, inside)),
        context=Context(
            zipped=any(
                isinstance(node, _LOOPS) and _pairs_modules_with_parameters(node.iter) for node in inside
            ),
            says=says,
            says_where=where,
            only_writes=None if function is None else _one_constant(function),
        ),
    )


def _statements_around(tree: ast.Module, line: int) -> _Statements:
    """The statements that contain the line, outermost first; of several on it the one that writes a flag."""
    found: _Statements = []
    block: list[ast.stmt] = tree.body
    while True:
        covering = list(_covering(block, line))
        if not covering:
            return found
        chosen = next((node for node in covering if any(True for _ in _writes(node))), covering[-1])
        found.append(chosen)
        block = list(_children(chosen))


def _covering(block: list[ast.stmt], line: int) -> Iterator[ast.stmt]:
    """The statements of a block that a line is part of. They stand in order."""
    for position in range(bisect_left(block, line, key=_last_line), len(block)):
        if _first_line(block[position]) > line:
            return
        yield block[position]


def _last_line(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _children(node: ast.AST) -> Iterator[ast.stmt]:
    """The statements directly below, handlers and match cases looked through."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        elif not isinstance(child, ast.expr):
            yield from _children(child)


# --- conditions ---


def _conditions(statement: ast.stmt, inside: _Statements) -> Iterator[ast.expr]:
    """Every expression that decides whether, or with what value, the statement writes."""
    path = [*inside, statement]
    for node, child in pairwise(path):
        if isinstance(node, (ast.If, ast.While)):
            yield from _followed(node.test, path)
        if isinstance(node, _LOOPS):
            yield from _comprehension_tests(node.iter)
        yield from _guards_before(child, node, path)
    yield from _followed_value(statement, path)


def _guards_before(child: ast.stmt, parent: ast.stmt, path: _Statements) -> Iterator[ast.expr]:
    """The tests of `if …: continue` that stand before the statement in its loop."""
    if isinstance(parent, _LOOPS):
        for sibling in parent.body:
            if sibling is child:
                return
            if isinstance(sibling, ast.If) and any(
                isinstance(n, (ast.Continue, ast.Break)) for n in sibling.body
            ):
                yield from _followed(sibling.test, path)


def _followed(test: ast.expr, path: _Statements) -> Iterator[ast.expr]:
    """A test, and what its bare names were given in the loop around it (`train = "fc" in name`)."""
    yield test
    wanted = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
    for loop in path:
        if isinstance(loop, _LOOPS):
            for sibling in loop.body:
                if isinstance(sibling, ast.Assign) and any(
                    isinstance(target, ast.Name) and target.id in wanted for target in sibling.targets
                ):
                    yield sibling.value


def _followed_value(statement: ast.stmt, path: _Statements) -> Iterator[ast.expr]:
    for node in ast.iter_child_nodes(statement):
        if isinstance(node, ast.expr):
            yield from _followed(node, path)


def _comprehension_tests(node: ast.expr) -> Iterator[ast.expr]:
    """`for p in [p for n, p in model.named_parameters() if "fc" in n]`: the loop runs over a choice."""
    for part in ast.walk(node):
        if isinstance(part, ast.comprehension):
            yield from part.ifs


def _loop_variables(statement: ast.stmt, inside: _Statements) -> Iterator[str]:
    """The variables of the loops and comprehensions around, and what is only another spelling of them."""
    loops = [node for node in inside if isinstance(node, _LOOPS)]
    headers: list[ast.AST] = [*(loop.iter for loop in loops), statement]
    targets = [loop.target for loop in loops]
    for part in (part for header in headers for part in ast.walk(header)):
        if isinstance(part, ast.comprehension):
            targets.append(part.target)
    found = {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    for sibling in (sibling for loop in loops for sibling in loop.body):
        if isinstance(sibling, ast.Assign) and same_name(sibling.value, frozenset(found)):
            found |= {target.id for target in sibling.targets if isinstance(target, ast.Name)}
    yield from found


def _pairs_modules_with_parameters(node: ast.expr) -> bool:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "zip":
            methods = {
                part.func.attr
                for argument in call.args
                for part in ast.walk(argument)
                if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute)
            }
            if methods & {"modules", "named_modules", "children", "named_children"} and methods & {
                "parameters",
                "named_parameters",
            }:
                return True
    return False


# --- what is written ---


def _writes(node: ast.AST) -> Iterator[bool | None]:
    """Every value that is written to a `requires_grad` in the tree; None for what is no constant."""
    for part in ast.walk(node):
        if isinstance(part, ast.Assign):
            for target in part.targets:
                if _is_flag(target):
                    yield _constant(part.value)
                elif any(_is_flag(inner) for inner in ast.walk(target)):
                    yield None
        elif isinstance(part, (ast.AugAssign, ast.AnnAssign)) and _is_flag(part.target):
            yield _constant(part.value) if isinstance(part, ast.AnnAssign) else None
        elif isinstance(part, ast.Call):
            yield from _written_by(part)


def _written_by(call: ast.Call) -> Iterator[bool | None]:
    if isinstance(call.func, ast.Attribute) and call.func.attr == "requires_grad_":
        values = [*call.args, *(keyword.value for keyword in call.keywords)]
        yield _constant(values[0]) if values else True
    elif isinstance(call.func, ast.Name) and call.func.id == "setattr" and len(call.args) == 3:
        name = call.args[1]
        if isinstance(name, ast.Constant) and name.value == "requires_grad":
            yield _constant(call.args[2])


def _is_flag(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "requires_grad"


def _constant(node: ast.expr | None) -> bool | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, bool) else None


def _one_constant(node: ast.AST) -> bool | None:
    values = set(_writes(node))
    return values.pop() if len(values) == 1 else None


# --- what is claimed ---


def _claim(
    file: Source, statement: ast.stmt, inside: _Statements, function: ast.stmt | None
) -> tuple[Intent | None, str]:
    """What the nearest words about freezing say: at the statement, around it, in the function's name."""
    for node in (statement, *reversed(inside)):
        for line, text in _comments_at(file, node, whole=node is statement):
            if _FREEZE.search(text) or _UNFREEZE.search(text):
                # A comment over a loop that writes both values tells about the loop, not this statement.
                said = None if node is not statement and _one_constant(node) is None else _said(text)
                return said, "" if said is None else f'the comment "{_quoted(text)}" on line {line}'
    if isinstance(function, _FUNCTIONS):
        said = _said_by_name(function.name)
        return said, "" if said is None else f"function `{function.name}`"
    return None, ""


def _comments_at(file: Source, node: ast.stmt, *, whole: bool) -> Iterator[tuple[int, str]]:
    """The comment at the end of the node's lines (of a loop's header), then the block directly above it."""
    body: _Statements = getattr(node, "body", [])
    last = (node.end_lineno or node.lineno) if whole or not body else body[0].lineno - 1
    for line in range(node.lineno, max(last, node.lineno) + 1):
        if line in file.comments and not _stands_alone(file, line):
            yield line, file.comments[line]
    line = node.lineno - 1
    block: list[str] = []
    while line in file.comments and _stands_alone(file, line):
        block.insert(0, file.comments[line])
        line -= 1
    if block:
        yield line + 1, " ".join(block)


def _stands_alone(file: Source, line: int) -> bool:
    return file.lines[line - 1].lstrip().startswith("#")


def _said(text: str) -> Intent | None:
    if _DOUBTFUL.search(text) or _CODE.search(text):
        return None
    unfreezes = bool(_UNFREEZE.search(text))
    freezes = bool(_FREEZE.search(_UNFREEZE.sub("", text)))
    if freezes == unfreezes or (freezes and _TRAINS.search(text)):
        return None
    return "freeze" if freezes else "unfreeze"


def _said_by_name(name: str) -> Intent | None:
    """`freeze_backbone`, `unfreezeAll`, `un_freeze`: the words of a name, read like a comment."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").strip()
    return None if _DOUBTFUL_IN_A_NAME.search(words) else _said(words)


def _quoted(text: str) -> str:
    return text if len(text) <= _LONGEST_QUOTE else f"{text[: _LONGEST_QUOTE - 1].rstrip()}…"
