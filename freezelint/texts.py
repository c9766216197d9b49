"""The texts that findings point into: by line, in a notebook by cell and line."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Mapping
from pathlib import Path

from freezelint.evidence import Location
from freezelint.notebook_json import read_cells
from freezelint.source.files.notebooks import cell_lines
from freezelint.source.files.source_file import NOTEBOOK

_DEFINITION = re.compile(r"(?:async\s+)?(?:def|class)\s+(\w+)")


class Texts:
    """The lines of files, each read once; none where a file cannot be read. `given` are the texts that are in
    no file, by path; the text of a notebook is its JSON.
    """

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self._given = dict(given or {})
        self._lines: dict[tuple[str, int | None], list[str]] = {}
        self._cells: dict[str, dict[int, list[str]]] = {}
        self._json: dict[str, dict[int, list[int]]] = {}

    def lines(self, path: str, cell: int | None = None) -> list[str]:
        """The lines without their ends, numbered as Python numbers them: a form feed ends none."""
        key = (path, cell)
        if key not in self._lines:
            self._lines[key] = self._plain(path) if cell is None else self._of_cells(path).get(cell, [])
        return self._lines[key]

    def cells(self, path: str) -> list[int | None]:
        """The numbers of the code cells of a notebook; for any other file None, the one text that it is."""
        return [*self._of_cells(path)] if path.endswith(NOTEBOOK) else [None]

    def line(self, location: Location) -> str:
        """The line that a location begins on; empty where it is not known."""
        lines = self.lines(location.path, location.cell)
        return lines[location.line - 1] if 0 < location.line <= len(lines) else ""

    def enclosing(self, location: Location) -> str:
        """The dotted name of the functions and classes around a line, as its indentation tells; empty at the
        top. The same for any version of Python, and for files that do not parse.
        """
        lines = self.lines(location.path, location.cell)[: location.line]
        names: list[str] = []
        if not lines:
            return ""
        indent = _indent(lines[-1])
        for line in reversed(lines[:-1]):
            if indent == 0:
                break
            if not line.strip() or line.lstrip().startswith("#") or _indent(line) >= indent:
                continue
            definition = _DEFINITION.match(line.strip())
            if definition:
                names.append(definition[1])
                indent = _indent(line)
        return ".".join(reversed(names))

    def line_in_file(self, location: Location) -> int:
        """The line in the file: in a notebook that of its JSON, on which this line of a cell stands."""
        if location.cell is None:
            return location.line
        if location.path not in self._json:
            self._json[location.path] = _lines_of_cells(self._bytes(location.path))
        lines = self._json[location.path].get(location.cell, [])
        return lines[location.line - 1] if 0 < location.line <= len(lines) else 1

    def _plain(self, path: str) -> list[str]:
        if path in self._given:
            return self._given[path].replace("\r\n", "\n").replace("\r", "\n").split("\n")
        try:
            with tokenize.open(path) as file:
                return file.read().split("\n")
        except (OSError, SyntaxError, UnicodeError, ValueError):
            return []

    def _of_cells(self, path: str) -> dict[int, list[str]]:
        if path not in self._cells:
            self._cells[path] = cell_lines(self._bytes(path))
        return self._cells[path]

    def _bytes(self, path: str) -> bytes:
        if path in self._given:
            return self._given[path].encode("utf-8", "surrogatepass")
        try:
            return Path(path).read_bytes()
        except (OSError, ValueError):
            return b""


def _indent(line: str) -> int:
    expanded = line.expandtabs()
    return len(expanded) - len(expanded.lstrip())


def _lines_of_cells(data: bytes) -> dict[int, list[int]]:
    """For each cell the lines of the JSON that hold its lines."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeError:
        return {}
    found: dict[int, list[int]] = {}
    for number, cell in read_cells(text).items():
        line, last = 1, 0
        found[number] = []
        for start, _ in cell.lines():
            here = cell.offset(start)
            line += text.count("\n", last, here)
            last = here
            found[number].append(line)
    return found
