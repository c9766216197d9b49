"""What the user's files say about learning rates: what can step a schedule, and what writes rates."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from freezelint.evidence import Location
from freezelint.live.reading.pending import user_files
from freezelint.live.reading.places import shown_path

# What is asked of a schedule without handing it on.
_HARMLESS = {
    *("get_last_lr", "get_lr", "print_lr", "state_dict", "load_state_dict"),
    *("last_epoch", "base_lrs", "optimizer", "_last_lr"),
}
# Bases of a class whose code does not reach for the attributes that a subclass sets on itself.
_INDIFFERENT = {"object", "Module", "ABC", "Generic", "Protocol"}

# A statement that steps something: its place in the user's files.
_Place = tuple[str, int]
# How a name is used: as a variable, as an attribute of anything, in an import, as text.
_Kind = Literal["variable", "attribute", "import", "text"]


@dataclass(frozen=True)
class _Statement:
    """A statement that may hold what was built, the names of the bases of the class around it, and whether it
    is in a function.
    """

    node: ast.stmt
    bases: frozenset[str]
    local: bool


@dataclass(frozen=True)
class _Holder:
    """A variable of one file, or an attribute that a class sets on itself."""

    name: str
    attribute: bool
    path: str
    local: bool

    def kinds(self, path: str) -> tuple[_Kind, ...]:
        """What in this file could mean it."""
        if self.attribute:
            return ("attribute", "text")
        if path == self.path:
            return ("variable", "text") if self.local else ("variable", "attribute", "text")
        return () if self.local else ("import", "attribute")


@dataclass
class _Source:
    """What one file says."""

    path: str
    statements: list[_Statement] = field(default_factory=list)
    uses: dict[tuple[_Kind, str], list[bool]] = field(default_factory=dict)  # of each: is it harmless?
    steps: set[int] = field(default_factory=set)  # lines with something called or fetched as `.step`
    writes: list[Location] = field(default_factory=list)  # `group["lr"] = …`


def can_step(built: Location | None, at_work: frozenset[_Place] | None) -> bool:
    """Whether something may still step the schedule that was built here, as far as the user's files tell.

    Nothing can where the name that holds it is used nowhere. `at_work` is given once the script has ended:
    then nothing can, either, where its files step nothing but at these places.
    """
    sources = _sources(set() if built is None else {built.path})
    if at_work is not None and all((s.path, line) in at_work for s in sources for line in s.steps):
        return False
    if built is None:
        return True
    holders = _holders(built, {source.path: source for source in sources})
    return holders is None or any(_hands_on(source, holder) for source in sources for holder in holders)


def rate_writes() -> tuple[Location, ...]:
    """The statements in the user's files that write the rate of a parameter group."""
    return tuple(write for source in _sources(set()) for write in source.writes)


def _hands_on(source: _Source, holder: _Holder) -> bool:
    """Whether a file may do more with it than ask for its rate or its state."""
    kinds = holder.kinds(source.path)
    if ("import", "*") in source.uses and not holder.local:
        kinds = (*kinds, "variable")
    uses = (source.uses.get((kind, holder.name), ()) for kind in kinds)
    return any(not harmless for found in uses for harmless in found)


def _holders(built: Location, sources: dict[str, _Source]) -> tuple[_Holder, ...] | None:
    """What holds the thing that was built here, nothing if it is dropped at once; None where that is
    unknown.
    """
    for site in (built, *built.calls):
        source = sources.get(site.path)
        found = [] if source is None else [s for s in source.statements if _spans(s.node, site)]
        if not found:
            return None
        around = min(found, key=lambda s: (s.node.end_lineno or 0) - s.node.lineno)
        statement = around.node
        if isinstance(statement, ast.Expr):
            return () if _is_at(statement.value, site) else None
        value = getattr(statement, "value", None)
        if not isinstance(value, ast.Call) or not _is_at(value, site):
            return None
        if isinstance(statement, ast.Assign):
            return _held(statement.targets, around, site.path)
        if isinstance(statement, ast.AnnAssign):
            return _held([statement.target], around, site.path)
        if not isinstance(statement, ast.Return):
            return None
    return None


def _held(targets: Sequence[ast.expr], around: _Statement, path: str) -> tuple[_Holder, ...] | None:
    """The names or attributes of the object itself that these targets are."""
    holders = []
    for target in targets:
        if isinstance(target, ast.Name):
            holders.append(_Holder(target.id, False, path, around.local))
        elif isinstance(target, ast.Attribute) and _is_own(target) and around.bases <= _INDIFFERENT:
            holders.append(_Holder(target.attr, True, path, around.local))
        else:
            return None
    return tuple(holders)


def _is_own(target: ast.Attribute) -> bool:
    return isinstance(target.value, ast.Name) and target.value.id == "self"


def _spans(statement: ast.stmt, site: Location) -> bool:
    return statement.lineno <= site.line <= (statement.end_lineno or statement.lineno)


def _is_at(value: ast.expr, site: Location) -> bool:
    """Whether this is the call that ran: one inside of it (an argument) starts elsewhere."""
    return isinstance(value, ast.Call) and (
        site.end_line is None
        or (value.lineno, value.col_offset + 1, value.end_lineno) == (site.line, site.column, site.end_line)
    )


def _sources(running: set[str]) -> list[_Source]:
    return [_read(name) for name in user_files(running)]


@lru_cache(maxsize=512)
def _read(filename: str) -> _Source:
    source = _Source(shown_path(filename))
    try:
        tree = ast.parse("".join(linecache.getlines(filename)))
    except (SyntaxError, ValueError, RecursionError):
        return source
    _Reader(source).visit_all(tree)
    return source


class _Reader:
    """Fills a `_Source` in one walk over the tree."""

    def __init__(self, source: _Source) -> None:
        self._source = source

    def visit_all(self, tree: ast.Module) -> None:
        pending: list[tuple[ast.AST, ast.AST, frozenset[str], str]] = [(tree, tree, frozenset(), "")]
        while pending:
            node, parent, bases, function = pending.pop()
            self._visit(node, parent, function)
            if isinstance(node, (ast.Assign, ast.AnnAssign, ast.Return, ast.Expr)):
                self._source.statements.append(_Statement(node, bases, bool(function)))
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                function = node.name
            elif isinstance(node, ast.ClassDef):
                bases, function = frozenset(_bases(node)), ""
            elif isinstance(node, ast.Global):
                self._source.uses.update({("variable", name): [False] for name in node.names})
            pending.extend((child, node, bases, function) for child in ast.iter_child_nodes(node))

    def _visit(self, node: ast.AST, parent: ast.AST, function: str) -> None:
        if isinstance(node, (ast.Assign, ast.AugAssign)):
            self._source.writes.extend(self._rates_written(node, function))
        for kind, name, harmless in _used(node, parent):
            self._source.uses.setdefault((kind, name), []).append(harmless)
        if isinstance(node, ast.Attribute) and node.attr == "step":
            self._source.steps.add(node.lineno)

    def _rates_written(self, node: ast.Assign | ast.AugAssign, function: str) -> Iterator[Location]:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if (
                isinstance(target, ast.Subscript)
                and isinstance(target.slice, ast.Constant)
                and target.slice.value == "lr"
            ):
                end = None if node.end_col_offset is None else node.end_col_offset + 1
                yield Location(
                    self._source.path, node.lineno, node.col_offset + 1, node.end_lineno, end, function
                )


def _used(node: ast.AST, parent: ast.AST) -> Iterator[tuple[_Kind, str, bool]]:
    """The name that is read here, and whether that hands nothing on: a text may name an attribute."""
    harmless = isinstance(parent, ast.Attribute) and parent.attr in _HARMLESS
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield "variable", node.id, harmless
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        yield "attribute", node.attr, harmless
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
        yield "text", node.value, False
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from (("import", alias.name, False) for alias in node.names)


def _bases(node: ast.ClassDef) -> Iterator[str]:
    """The last names of the bases; what cannot be named is a question mark."""
    for base in node.bases:
        plain = base.value if isinstance(base, ast.Subscript) else base
        yield plain.attr if isinstance(plain, ast.Attribute) else getattr(plain, "id", "?")
