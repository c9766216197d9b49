"""Which statements of a module make which of its names.

Of an imported module a script needs a function or two. Statements of its body are run when somebody
asks for a name that they make: those that bind the name or do something to it, and before them, in the
order of the file, those that make the names that these need. Python runs all of them, with the same
outcome for the names.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

_ATTRIBUTE = "freezelint_outline"
_Definition = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass
class Outline:
    """The statements of a module body. `makes` tells for each name which statements bind it or touch
    it, `needs` for each statement which names it looks up when it runs.
    """

    body: list[ast.stmt]
    makes: dict[str, list[int]] = field(default_factory=dict)
    bound: dict[str, None] = field(default_factory=dict)
    stars: list[int] = field(default_factory=list)  # `from … import *`, each of which may bind anything
    inner_stars: list[int] = field(default_factory=list)  # statements with such an import inside
    needs: dict[int, frozenset[str]] = field(default_factory=dict)

    @cached_property
    def _slices(self) -> dict[str, tuple[int, ...]]:
        return {}

    def slice(self, name: str) -> tuple[int, ...]:
        """The statements to run for a name, in order."""
        known = self._slices.get(name)
        if known is None:
            known = self._slices[name] = tuple(sorted(self._closure(name)))
        return known

    def _closure(self, name: str) -> set[int]:
        found: set[int] = set()
        names, pending = {name}, [name]
        while pending:
            for index in self.makes.get(pending.pop(), ()):
                if index not in found:
                    found.add(index)
                    pending.extend(self.needs[index] - names)
                    names |= self.needs[index]
        return found


def outline_of(tree: ast.Module) -> Outline:
    """The outline of a module; kept with its tree, which many runs share."""
    known: Outline | None = getattr(tree, _ATTRIBUTE, None)
    if known is None:
        known = Outline(list(_flat(tree.body)))
        for index, statement in enumerate(known.body):
            _enter(known, index, statement)
        setattr(tree, _ATTRIBUTE, known)
    return known


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module. Packages that import lazily tell the reader under `if TYPE_CHECKING`,
    and only there, where their names come from.
    """
    for statement in body:
        if isinstance(statement, ast.If) and _is_type_checking(statement.test):
            yield from statement.body
        else:
            yield statement


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _enter(outline: Outline, index: int, statement: ast.stmt) -> None:
    seen = _Seen()
    seen.statement(statement)
    outline.needs[index] = frozenset(seen.used)
    outline.bound.update(dict.fromkeys(seen.bound))
    for name in dict.fromkeys((*seen.bound, *seen.touched)):
        outline.makes.setdefault(name, []).append(index)
    if seen.star:
        (outline.stars if isinstance(statement, ast.ImportFrom) else outline.inner_stars).append(index)


class _Seen:
    """What a statement binds, touches and looks up as it runs: not what the functions in it do later."""

    def __init__(self) -> None:
        self.bound: list[str] = []
        self.touched: list[str] = []
        self.used: set[str] = set()
        self.star = False

    def statement(self, node: ast.stmt) -> None:
        pending: list[ast.AST] = [node]
        while pending:
            current = pending.pop()
            if isinstance(current, (*_Definition, ast.ClassDef)):
                self.bound.append(current.name)
                for part in _evaluated(current):
                    self._use(part)
            elif isinstance(current, (ast.Import, ast.ImportFrom)):
                self._import(current)
            elif isinstance(current, ast.expr):
                self._use(current)
            else:
                if isinstance(current, (ast.Expr, ast.AugAssign, ast.Delete)):
                    self.touched.extend(_names(current))
                elif isinstance(current, (ast.Global, ast.Nonlocal)):
                    self.bound.extend(current.names)
                elif (isinstance(current, ast.ExceptHandler) and current.name) or (
                    isinstance(current, (ast.MatchAs, ast.MatchStar)) and current.name
                ):
                    self.bound.append(current.name)
                pending.extend(ast.iter_child_nodes(current))

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":
                self.star = True
            else:
                self.bound.append(alias.asname or alias.name.partition(".")[0])

    def _use(self, node: ast.expr) -> None:
        for part in _without_lambdas(node):
            if isinstance(part, ast.Name):
                if isinstance(part.ctx, ast.Load):
                    self.used.add(part.id)
                else:
                    self.bound.append(part.id)
            elif isinstance(part, (ast.Attribute, ast.Subscript)) and not isinstance(part.ctx, ast.Load):
                self.touched.extend(_root(part))


def _evaluated(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Iterator[ast.expr]:
    """The expressions that are evaluated when a definition runs."""
    yield from node.decorator_list
    if not isinstance(node, ast.ClassDef):
        yield from node.args.defaults
        yield from (default for default in node.args.kw_defaults if default is not None)
        return
    yield from node.bases
    yield from (keyword.value for keyword in node.keywords)
    pending: list[ast.AST] = list(node.body)
    while pending:
        current = pending.pop()
        if isinstance(current, (*_Definition, ast.ClassDef)):
            yield from _evaluated(current)
        elif isinstance(current, ast.expr):
            yield from (part for part in ast.walk(current) if isinstance(part, ast.Name) and _loads(part))
        else:
            pending.extend(ast.iter_child_nodes(current))


def _loads(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)


def _without_lambdas(node: ast.AST) -> Iterator[ast.AST]:
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        if not isinstance(current, ast.Lambda):
            pending.extend(ast.iter_child_nodes(current))


def _names(node: ast.AST) -> Iterable[str]:
    return (part.id for part in _without_lambdas(node) if isinstance(part, ast.Name))


def _root(node: ast.expr) -> Iterator[str]:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id
