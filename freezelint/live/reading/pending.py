"""Unfreezes that the script still has ahead of it: read from its files, as two steps do not get there."""

from __future__ import annotations

import ast
import linecache
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from freezelint.evidence import Location
from freezelint.live.reading.places import is_user_file, shown_path


@dataclass(frozen=True)
class _Scope:
    """The function that a statement is in ("" at module level), its lines, the loops around the statement.

    Two functions may have one name: the lines tell which of them is running.
    """

    path: str
    function: str = ""
    lines: tuple[int, int] | None = None
    loops: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class _Use:
    """A statement that unfreezes, or a mention of a function."""

    scope: _Scope
    line: int
    name: str = ""  # of the function mentioned
    freezes: bool = False  # a call that passes a constant False and no True


@dataclass
class _Source:
    """What one file of the user's says about unfreezing."""

    writes: list[_Use] = field(default_factory=list)
    freezes: list[_Use] = field(default_factory=list)
    mentions: list[_Use] = field(default_factory=list)
    constant_writers: set[str] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)


def pending_unfreezes(position: Location | None) -> tuple[Location, ...]:
    """Statements that can unfreeze something and that can still run, seen from where the script is now.

    A statement counts when it writes True, or something that is not a constant, to `requires_grad`. It is
    ahead when it comes later in a function that is running (or in the same loop), or in a function that
    something ahead calls, or in a method that only a framework can call.
    """
    if position is None:
        return ()
    running = (position, *position.calls)
    sources = [_read(name) for name in user_files({site.path for site in running})]
    horizon = _Horizon(sources, running)
    writes = [write for source in sources for write in source.writes if horizon.is_ahead(write)]
    return tuple(Location(write.scope.path, write.line, function=write.scope.function) for write in writes)


def freezes_ahead(position: Location | None) -> tuple[Location, ...]:
    """Statements that freeze in a later stage: after the running loops, in the functions that are running."""
    if position is None:
        return ()
    running = (position, *position.calls)
    sources = [_read(name) for name in user_files({site.path for site in running})]
    horizon = _Horizon(sources, running)
    later = [freeze for source in sources for freeze in source.freezes if horizon.is_later(freeze)]
    return tuple(Location(use.scope.path, use.line, function=use.scope.function) for use in later)


class _Horizon:
    """Decides what can still run."""

    def __init__(self, sources: list[_Source], running: tuple[Location, ...]) -> None:
        self._running = running
        self._mentions: dict[str, list[_Use]] = {}
        for source in sources:
            for mention in source.mentions:
                self._mentions.setdefault(mention.name, []).append(mention)
        self._constant = set().union(*(source.constant_writers for source in sources))
        self._methods = set().union(*(source.methods for source in sources))
        self._asked: set[str] = set()

    def is_ahead(self, use: _Use) -> bool:
        self._asked.clear()
        return self._ahead(use)

    def is_later(self, use: _Use) -> bool:
        """Whether the statement comes after the running line, and not in a loop around both."""
        line = self._line_in(use.scope)
        return line is not None and use.line > line and not _around(use, line)

    def _ahead(self, use: _Use) -> bool:
        line = self._line_in(use.scope)
        if line is not None and (use.line > line or _around(use, line)):
            return True
        return self._again(use.scope.function)

    def _line_in(self, scope: _Scope) -> int | None:
        """The line that this function is running now."""
        first, last = scope.lines or (0, sys.maxsize)
        for site in self._running:
            if (site.path, site.function) == (scope.path, scope.function) and first <= site.line <= last:
                return site.line
        return None

    def _again(self, function: str) -> bool:
        """Whether the function can be called (once more)."""
        if not function or function in self._asked:
            return False
        self._asked.add(function)
        mentions = self._mentions.get(function, [])
        if not mentions:
            return function in self._methods and not function.startswith(("__", "test_"))
        return any(self._ahead(use) for use in mentions if not use.freezes or function in self._constant)


def _around(use: _Use, line: int) -> bool:
    return any(start <= line <= end for start, end in use.scope.loops)


def user_files(running: set[str]) -> list[str]:
    """The user's files that are imported now; other tests than the `running` one are left out."""
    # Not by `getattr`: modules that load lazily look far and wide for what they lack.
    files = {getattr(module, "__dict__", {}).get("__file__") for module in list(sys.modules.values())}
    own = [name for name in files if isinstance(name, str) and name.endswith(".py") and is_user_file(name)]
    return sorted(name for name in own if not _is_another_test(name) or shown_path(name) in running)


def _is_another_test(filename: str) -> bool:
    """Tests that pytest has collected do not run each other's code."""
    return "_pytest" in sys.modules and Path(filename).name.startswith("test_")


@lru_cache(maxsize=512)
def _read(filename: str) -> _Source:
    source = _Source()
    text = "".join(linecache.getlines(filename))
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return source
    for use in _uses(tree, _Scope(shown_path(filename)), source):
        (source.mentions if use.name else source.writes).append(use)
    return source


def _uses(node: ast.AST, scope: _Scope, source: _Source) -> Iterator[_Use]:
    for child in ast.iter_child_nodes(node):
        inside = scope
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            inside = _Scope(scope.path, child.name, _lines(child))
            if isinstance(node, ast.ClassDef):
                source.methods.add(child.name)
        elif isinstance(child, (ast.For, ast.While, ast.AsyncFor)):
            inside = replace(scope, loops=(*scope.loops, _lines(child)))
        yield from _own_uses(child, scope, source)
        yield from _uses(child, inside, source)


def _own_uses(node: ast.AST, scope: _Scope, source: _Source) -> Iterator[_Use]:
    written = _written(node)
    if written is not None and not (isinstance(written, ast.Constant) and not written.value):
        if isinstance(written, ast.Constant):
            source.constant_writers.add(scope.function)
        yield _Use(scope, node.lineno)  # type: ignore[attr-defined]
    elif written is not None:
        source.freezes.append(_Use(scope, node.lineno))  # type: ignore[attr-defined]
    if isinstance(node, ast.Call):
        name = _name(node.func)
        values = [
            a.value for a in (*node.args, *(k.value for k in node.keywords)) if isinstance(a, ast.Constant)
        ]
        freezes = any(v is False for v in values) and not any(v is True for v in values)
        if name:
            yield _Use(scope, node.lineno, name, freezes)
        for argument in node.args:
            if isinstance(argument, (ast.Name, ast.Attribute)) and (mentioned := _name(argument)):
                yield _Use(scope, node.lineno, mentioned)


def _lines(node: ast.stmt) -> tuple[int, int]:
    return node.lineno, node.end_lineno or node.lineno


def _written(node: ast.AST) -> ast.expr | None:
    """The expression that a statement or call writes to `requires_grad`, if it does."""
    if isinstance(node, ast.Assign):
        targets = [t for t in node.targets if isinstance(t, ast.Attribute) and t.attr == "requires_grad"]
        return node.value if targets else None
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "requires_grad_"
    ):
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        return given[0] if given else ast.Constant(True)
    if isinstance(node, ast.Call) and _name(node.func) == "setattr" and len(node.args) == 3:
        attribute = node.args[1]
        return (
            node.args[2]
            if isinstance(attribute, ast.Constant) and attribute.value == "requires_grad"
            else None
        )
    return None


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""
