"""A source file as a mend sees it: its syntax tree with the places of things, and edits in the file's own
style.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TypeVar

from freezelint.evidence import Location
from freezelint.finding import Edit
from freezelint.source.files.source_file import SourceFile

Node = TypeVar("Node", bound=ast.AST)
Definition = ast.FunctionDef | ast.AsyncFunctionDef
_Statements = (ast.stmt, ast.ExceptHandler, ast.match_case)


class NoPlaceError(Exception):
    """The code leaves no place for an edit; the message says why, as in "not mended: …"."""


class Script:
    """One file. Nodes belong to `tree`; locations are those that the witnesses give."""

    def __init__(self, file: SourceFile, tree: ast.Module) -> None:
        self.file = file
        self.tree = tree

    @property
    def path(self) -> str:
        return self.file.path

    # -- finding ------------------------------------------------------------------------------------------

    def node_at(self, location: Location, kind: type[Node]) -> Node | None:
        """The node of this kind that the location spans; where only its line is known (Python before 3.11
        tells running programs no columns), the only one that begins on it and is not part of another.
        """
        line = self.line_of(location)
        found = [node for node in self._by_line.get(line, ()) if isinstance(node, kind)]
        if location.end_column is None and location.column <= 1:
            outermost = [node for node in found if not any(outer in found for outer in self.parents(node))]
            return outermost[0] if len(outermost) == 1 else None
        exact = [node for node in found if self._spans(node, location)]
        return exact[0] if exact else None

    def statement_at(self, location: Location) -> ast.stmt | None:
        """The innermost statement around the beginning of the location."""
        line = self.line_of(location)
        only_line = location.end_column is None and location.column <= 1
        best: ast.stmt | None = None
        for node in ast.walk(self.tree):
            if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno):
                where = self.file.location(node)
                after = node.lineno == line and where.column > location.column and not only_line
                if not after and (best is None or _begins(node) >= _begins(best)):
                    best = node
        return best

    def line(self, location: Location) -> str:
        """The line that the location begins on."""
        return self.file.lines[self.line_of(location) - 1]

    def parent(self, node: ast.AST) -> ast.AST | None:
        return self._parents.get(node)

    def parents(self, node: ast.AST) -> Iterator[ast.AST]:
        """What contains the node, innermost first."""
        outer = self._parents.get(node)
        while outer is not None:
            yield outer
            outer = self._parents.get(outer)

    def statement_of(self, node: ast.AST) -> ast.stmt:
        """The innermost statement that the node is, or is part of."""
        for each in (node, *self.parents(node)):
            if isinstance(each, ast.stmt):
                return each
        raise NoPlaceError("it is no part of a statement")

    def function_of(self, node: ast.AST) -> Definition | None:
        """The function that the node is in."""
        return next((each for each in self.parents(node) if isinstance(each, Definition)), None)

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """The class that the node is in."""
        return next((each for each in self.parents(node) if isinstance(each, ast.ClassDef)), None)

    @cached_property
    def definitions(self) -> dict[str, list[Definition]]:
        """The functions and methods of the file by name; by the name of a class its constructor."""
        found: dict[str, list[Definition]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, Definition):
                owner = self._parents.get(node)
                made = node.name == "__init__" and isinstance(owner, ast.ClassDef)
                found.setdefault(owner.name if made else node.name, []).append(node)  # type: ignore[union-attr]
        return found

    def body_of(self, statement: ast.stmt) -> list[ast.stmt]:
        """The suite that the statement is in."""
        parent = self._parents.get(statement)
        for name in ("body", "orelse", "finalbody"):
            suite = getattr(parent, name, None)
            if isinstance(suite, list) and statement in suite:
                return suite
        raise NoPlaceError("it is in no block of statements")

    def text(self, node: ast.AST) -> str:
        """The source of a node as it is written, its lines ended by newlines."""
        where = self.file.location(node)
        return self.between(where)

    def between(self, place: Location) -> str:
        """What stands from the beginning of a place to its end."""
        first = self.line_of(place)
        last = first + (place.end_line or place.line) - place.line
        lines = self.file.lines[first - 1 : last]
        lines[-1] = lines[-1][: (place.end_column or 1) - 1]
        return "\n".join([lines[0][place.column - 1 :], *lines[1:]])

    def after_text(self, node: ast.AST) -> str:
        """The rest of the line that a node ends on."""
        end = getattr(node, "end_lineno", None) or 1
        return self.file.lines[end - 1][(self.file.location(node).end_column or 1) - 1 :]

    # -- style --------------------------------------------------------------------------------------------

    def indent(self, node: ast.AST) -> str:
        """The blanks at the beginning of the line that a node begins on."""
        line = self.file.lines[_begins(node)[0] - 1]
        return line[: len(line) - len(line.lstrip())]

    @cached_property
    def unit(self) -> str:
        """What one level of indentation is in this file."""
        steps = Counter(step for node in ast.walk(self.tree) if (step := self._step(node)))
        return steps.most_common(1)[0][0] if steps else "    "

    @cached_property
    def quote(self) -> str:
        """The quotes that this file prefers."""
        text = self.file.text
        return "'" if text.count("'") > text.count('"') else '"'

    @cached_property
    def names(self) -> frozenset[str]:
        """All names that the file uses anywhere."""
        return frozenset(re.findall(r"[^\W\d]\w*", self.file.text))

    def fresh(self, *wanted: str) -> str:
        """The first of these names that the file does not use yet, else one made from the last."""
        name = next((name for name in wanted if name not in self.names), wanted[-1])
        number = 2
        while name in self.names:
            name, number = f"{wanted[-1]}_{number}", number + 1
        return name

    # -- changing -----------------------------------------------------------------------------------------

    def location(self, node: ast.AST) -> Location:
        return self.file.location(node)

    def replace(self, node: ast.AST, text: str) -> Edit:
        return Edit(self.file.location(node), text)

    def remove(self, statement: ast.stmt) -> Edit:
        """Take a statement out, its lines included; `pass` takes its place where a block would be empty."""
        if len(self.body_of(statement)) == 1:
            return self.replace(statement, "pass")
        self._require_own_lines(statement)
        return self.remove_lines(_begins(statement)[0], statement.end_lineno or statement.lineno)

    def remove_lines(self, first: int, last: int) -> Edit:
        """Take lines of the text out, with their ends; at the end of a cell, or of a file that ends with a
        line, with the blank lines above them.
        """
        cell = self.file.position(first)[0]
        is_end = last >= self._last_line(cell, last)
        while is_end and self.is_blank(first - 1, first):
            first -= 1
        line, end = self.file.position(first)[1], self.file.position(last)[1]
        if not is_end:
            return Edit(Location(self.path, line, 1, end + 1, 1, cell=cell), "")
        start = (line - 1, self._width(first - 1) + 1) if line > 1 else (1, 1)
        return Edit(Location(self.path, *start, end, self._width(last) + 1, cell=cell), "")

    def before(self, statement: ast.stmt, lines: Sequence[str]) -> Edit:
        """Put lines before a statement, as far indented; their own indentation is in units of this file."""
        line = _begins(statement)[0]
        if self.file.lines[line - 1][: self._column(statement)].strip():
            raise NoPlaceError("something stands before it on its line")
        cell, shown = self.file.position(line)
        text = "".join(f"{each}\n" for each in self._indented(statement, lines))
        return Edit(Location(self.path, shown, 1, shown, 1, cell=cell), text)

    def after(self, statement: ast.stmt, lines: Sequence[str]) -> Edit:
        """Put lines after a statement, as far indented; their own indentation is in units of this file."""
        return self.after_raw(statement, self._indented(statement, lines))

    def after_raw(self, statement: ast.stmt, lines: Sequence[str]) -> Edit:
        """Put lines after a statement as they are."""
        self._require_own_lines(statement)
        last = statement.end_lineno or statement.lineno
        cell, shown = self.file.position(last)
        end = self._width(last) + 1
        text = "".join(f"\n{line}" for line in lines)
        return Edit(Location(self.path, shown, end, shown, end, cell=cell), text)

    def block(self, statement: ast.stmt) -> tuple[int, int]:
        """The first and the last line of a statement in the text, with the comments right above it. Raises
        NoPlaceError where it shares them.
        """
        self._require_own_lines(statement)
        first, last = _begins(statement)[0], statement.end_lineno or statement.lineno
        comment = f"{self.indent(statement)}#"
        top = first - self.file.position(first)[1] + 1
        while first > top and self.file.lines[first - 2].startswith(comment):
            first -= 1
        return first, last

    def is_blank(self, line: int, beside: int) -> bool:
        """Whether a line of the text, in the same cell as another one, holds nothing."""
        known = 0 < line <= len(self.file.lines)
        same = known and self.file.position(line)[0] == self.file.position(beside)[0]
        return same and not self.file.lines[line - 1].strip()

    def with_edits(self, first: int, last: int, edits: Iterable[Edit]) -> list[str]:
        """These lines of the text as they are after edits that lie within them."""
        lines = self.file.lines[first - 1 : last]
        for edit in sorted(edits, key=lambda each: (self.line_of(each.location), each.location.column))[::-1]:
            where = edit.location
            start, line = self.line_of(where) - first, where.end_line or where.line
            end = start + line - where.line
            head = lines[start][: where.column - 1]
            tail = lines[end][(where.end_column or where.column) - 1 :]
            lines[start : end + 1] = f"{head}{edit.text}{tail}".split("\n")
        return lines

    def _indented(self, statement: ast.stmt, lines: Sequence[str]) -> list[str]:
        outer, unit = self.indent(statement), self._unit_at(statement)
        told = []
        for line in lines:
            bare = line.lstrip("\t")
            told.append(f"{outer}{unit * (len(line) - len(bare))}{bare}" if bare else "")
        return told

    def _unit_at(self, statement: ast.stmt) -> str:
        """One level of indentation as it is around this statement: some files, and most long notebooks, mix
        them.
        """
        for node in (statement, *self.parents(statement)):
            step = self._step(node)
            if step:
                return step
        return self.unit

    def _step(self, node: ast.AST) -> str:
        """By how much the block of a statement is indented; empty for what has none."""
        body = getattr(node, "body", None)
        if not isinstance(node, ast.stmt) or not isinstance(body, list) or not body:
            return ""
        outer, inner = self.indent(node), self.indent(body[0])
        return inner[len(outer) :] if body[0].lineno > node.lineno and inner.startswith(outer) else ""

    def _require_own_lines(self, statement: ast.stmt) -> None:
        """Raises NoPlaceError where another statement shares a line with this one."""
        first, last = _begins(statement)[0], statement.end_lineno or statement.lineno
        before = self.file.lines[first - 1][: self._column(statement)]
        end = (self.file.location(statement).end_column or 1) - 1
        after = self.file.lines[last - 1][end:].strip()
        if before.strip() or (after and not after.startswith("#")):
            raise NoPlaceError("another statement stands on its line")

    def _column(self, statement: ast.stmt) -> int:
        decorators = getattr(statement, "decorator_list", None)
        node = decorators[0] if decorators else statement
        column = self.file.location(node).column - 1
        return column - 1 if decorators else column

    def _width(self, line: int) -> int:
        return len(self.file.lines[line - 1])

    def _last_line(self, cell: int | None, line: int) -> int:
        """The last line of the cell, or file, that a line is in."""
        firsts = [each.first for each in self.file.cells if cell is not None and each.first > line]
        return firsts[0] - 1 if firsts else len(self.file.lines)

    def line_of(self, location: Location) -> int:
        """The line in the whole text on which a location begins."""
        if location.cell is None:
            return location.line
        first = next((cell.first for cell in self.file.cells if cell.number == location.cell), 1)
        return first + location.line - 1

    def _spans(self, node: ast.AST, location: Location) -> bool:
        where = self.file.location(node)
        start, end = (where.line, where.column), (where.end_line, where.end_column)
        wanted = (location.end_line, location.end_column)
        return start == (location.line, location.column) and (end == wanted or location.end_column is None)

    @cached_property
    def _by_line(self) -> dict[int, list[ast.AST]]:
        found: dict[int, list[ast.AST]] = {}
        for node in ast.walk(self.tree):
            if hasattr(node, "lineno"):
                found.setdefault(node.lineno, []).append(node)
        return found

    @cached_property
    def _parents(self) -> dict[ast.AST, ast.AST]:
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}


def _begins(node: ast.AST) -> tuple[int, int]:
    """Where a node begins, its decorators included."""
    decorators = getattr(node, "decorator_list", None)
    if decorators:
        return decorators[0].lineno, decorators[0].col_offset
    return getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
