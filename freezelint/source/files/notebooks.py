"""Notebooks as one source: the code cells in their order, with what is IPython's and not Python's taken out.

Every line keeps its number and, as far as possible, its columns.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from freezelint.evidence import Location
from freezelint.source.files.source_file import Cell, PassedOverError, SourceFile, UnreadableError

# Cell magics whose body is Python that runs in the notebook's own scope.
_PYTHON_CELLS = {"time", "capture", "prun", "memit", "mprun", "lprun", "heat", "wandb"}
_MAGIC = re.compile(r"[ \t]*(?:%|!|\?|/)")
_ASSIGNED = re.compile(r"(?P<target>[ \t]*[\w.,\[\]'\" \t]*?[\w\]][ \t]*=[ \t]*)(?:!|%(?!\s))")
_HELP = re.compile(r"[ \t]*[\w.*%\[\]]+\?{1,2}[ \t]*;?[ \t]*$")
_TIMED = re.compile(r"([ \t]*)%time[ \t](?=\S)")
_IGNORED = re.compile(r"#[^\n]*|\\.|(?P<quote>'''|\"\"\"|'|\")|(?P<open>[(\[{])|(?P<close>[)\]}])", re.DOTALL)


def joined(data: bytes, shown: str, place: Path) -> SourceFile:
    """The notebook as one source. Raises UnreadableError where it is none, PassedOverError for other
    languages.
    """
    document = _document(data, shown)
    language = _language(document)
    if language not in ("python", "python3", "ipython", "ipython3", ""):
        raise PassedOverError(shown, f"its language is {language}")
    cells: list[Cell] = []
    lines: list[str] = []
    for number, source in _code_cells(document, shown):
        cells.append(Cell(number, len(lines) + 1))
        lines.extend(python_of(source).split("\n"))
    return SourceFile(shown, "".join(f"{line}\n" for line in lines), place, tuple(cells))


def cell_lines(data: bytes) -> dict[int, list[str]]:
    """The lines of each code cell as they are written, by number; none where this is no notebook."""
    try:
        return {number: source.split("\n") for number, source in _code_cells(_document(data, ""), "")}
    except UnreadableError:
        return {}


def _document(data: bytes, shown: str) -> dict[str, Any]:
    advice = "open it in Jupyter and save it again"
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        line = getattr(error, "lineno", 1)
        raise UnreadableError(
            f"the file is no notebook, which is JSON: {reason}", Location(shown, line), advice
        ) from error
    if not isinstance(document, dict) or not isinstance(
        document.get("cells", document.get("worksheets")), list
    ):
        raise UnreadableError("the file is no notebook: it has no list of cells", Location(shown, 1), advice)
    return document


def _language(document: dict[str, Any]) -> str:
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        return ""
    for key, name in (("language_info", "name"), ("kernelspec", "language")):
        told = metadata.get(key)
        if isinstance(told, dict) and isinstance(told.get(name), str):
            return str(told[name]).lower()
    return ""


def _code_cells(document: dict[str, Any], shown: str) -> Iterator[tuple[int, str]]:
    """The numbers, from 1 and among all cells, and the sources of the code cells."""
    sheets = [sheet for sheet in document.get("worksheets", ()) if isinstance(sheet, dict)]
    cells = document.get("cells") or [cell for sheet in sheets for cell in sheet.get("cells", ())]
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict):
            raise UnreadableError(f"the file is no notebook: its cell {number} is none", Location(shown, 1))
        if cell.get("cell_type") != "code":
            continue
        source = cell.get("source", cell.get("input", ""))
        if isinstance(source, list) and all(isinstance(line, str) for line in source):
            source = "".join(source)
        if not isinstance(source, str):
            raise UnreadableError(
                f"the file is no notebook: the source of its cell {number} is no text", Location(shown, 1)
            )
        yield number, source.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").rstrip("\n")


def python_of(source: str) -> str:
    """The cell with magics, shell commands and questions replaced by lines that do nothing."""
    if _parses(source):
        return source
    lines = source.split("\n")
    first = next((position for position, line in enumerate(lines) if line.strip()), 0)
    if lines[first].startswith("%%"):
        name = re.match(r"%%[ \t]*(\w*)", lines[first])
        if name is None or name[1] not in _PYTHON_CELLS:
            return "\n" * (len(lines) - 1)
        return "\n" * (first + 1) + python_of("\n".join(lines[first + 1 :]))
    indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
    if indent:
        lines = [line.removeprefix(indent) for line in lines]
    return "\n".join(_without_magics(lines))


def _parses(source: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _without_magics(lines: list[str]) -> Iterator[str]:
    """Only lines that begin a statement can be magics: `%` inside of brackets is a remainder."""
    state = _Scan()
    continued = False  # a magic whose line ends in a backslash goes on
    for line in lines:
        magic = continued or (state.between_statements and _is_magic(line))
        if magic:
            yield "" if continued else _replacement(line)
            continued = line.rstrip().endswith("\\")
            continue
        if state.between_statements and (assigned := _ASSIGNED.match(line)):
            # What a shell command gives is known to nobody.
            yield f"{assigned['target']}get_ipython()"
            continued = line.rstrip().endswith("\\")
            continue
        state.feed(line)
        yield line


def _is_magic(line: str) -> bool:
    return bool(_MAGIC.match(line) or _HELP.match(line))


def _replacement(line: str) -> str:
    timed = _TIMED.match(line)
    if timed:
        statement = line[timed.end() :]
        if _parses(statement) and not re.match(r"(?:for|while|if|with|def|class|try)\b", statement):
            # As long as what it replaces: the statement keeps its columns.
            return f"{timed[1]}{'True; '.ljust(timed.end() - len(timed[1]))}{statement}"
    return f"{line[: len(line) - len(line.lstrip())]}pass"


class _Scan:
    """Whether a line begins a statement: no bracket, no long string and no backslash before it is open."""

    def __init__(self) -> None:
        self._depth = 0
        self._quote = ""
        self._backslash = False

    @property
    def between_statements(self) -> bool:
        return not (self._depth or self._quote or self._backslash)

    def feed(self, line: str) -> None:
        position = 0
        while position < len(line):
            if self._quote:
                end = _end_of_string(line, position, self._quote)
                if end < 0:
                    break
                position, self._quote = end, ""
                continue
            found = _IGNORED.search(line, position)
            if found is None:
                break
            position = found.end()
            if found["quote"]:
                self._quote = found["quote"]
            elif found["open"]:
                self._depth += 1
            elif found["close"]:
                self._depth = max(self._depth - 1, 0)
        self._backslash = line.endswith("\\") and not self._quote
        if len(self._quote) == 1 and not line.endswith("\\"):
            self._quote = ""  # a short string ends with its line


def _end_of_string(line: str, start: int, quote: str) -> int:
    """The position after the closing quote; -1 where the line has none."""
    position = start
    while True:
        found = line.find(quote, position)
        if found < 0:
            return -1
        backslashes = len(line[:found]) - len(line[:found].rstrip("\\"))
        if backslashes % 2 == 0:
            return found + len(quote)
        position = found + 1
