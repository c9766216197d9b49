"""The texts that findings point into: by line, in a notebook by cell and line."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Mapping
from pathlib import Path

from freezelint.evidence import Location
from freezelint.notebook_json import read_cells
from freezelint.source.notebooks import cell_lines

_DEFINITION = re.compile(r"(?:async\s+)?(?:def|class)\s+(\w+)")


class Texts:
    """The lines of files, each file read once; none where it cannot be read. `given` are the texts that are in
    no file, by path.
    """

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self._lines: dict[tuple[str, int | None], list[str]] = {
            (path, None): text.split("\n") for path, text in (given or {}).items()
        }
        self._json: dict[str, dict[int, list[int]]] = {}

    def lines(self, path: str, cell: int | None = None) -> list[str]:
        """The lines without their ends, numbered as Python numbers them: a form feed ends none."""
        key = (path, cell)
        if key not in self._lines:
            self._lines[key] = _read(path, cell)
        return self._lines[key]

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
        """The line of the file itself: for a notebook the line of its JSON that holds this line of the cell."""
        if location.cell is None:
            return location.line
        if location.path not in self._json:
            self._json[location.path] = _lines_of_cells(location.path)
        lines = self._json[location.path].get(location.cell, [])
        return lines[location.line - 1] if 0 < location.line <= len(lines) else 1


def _indent(line: str) -> int:
    expanded = line.expandtabs()
    return len(expanded) - len(expanded.lstrip())


def _read(path: str, cell: int | None) -> list[str]:
    try:
        if cell is not None:
            return cell_lines(Path(path).read_bytes()).get(cell, [])
        with tokenize.open(path) as file:
            return file.read().split("\n")
    except (OSError, SyntaxError, UnicodeError, ValueError):
        return []


def _lines_of_cells(path: str) -> dict[int, list[int]]:
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeError, ValueError):
        return {}
    cells = read_cells(text)
    return {
        number: [text.count("\n", 0, cell.offset(start)) + 1 for start, _ in cell.lines()]
        for number, cell in cells.items()
    }
