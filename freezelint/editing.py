"""Changing source files, scripts and notebooks, where asked and nowhere else: every other byte stays."""

from __future__ import annotations

import io
import json
import os
import re
import stat
import tempfile
import tokenize
from collections.abc import Iterable, Sequence
from pathlib import Path

from freezelint.evidence import Location
from freezelint.finding import Edit
from freezelint.notebook_json import RawCell, line_spans, read_cells

_BOM = b"\xef\xbb\xbf"
_Splice = tuple[int, int, str]  # start, end, what is put between


class NotEditableError(Exception):
    """The file cannot be written without changing more than asked; the message says why."""


def insertion(path: str, line: int, column: int, text: str, cell: int | None = None) -> Edit:
    """The edit that puts the text before the character `column` of a line; both count from 1."""
    return Edit(Location(path, line, column, line, column, cell=cell), text)


def edited(data: bytes, edits: Iterable[Edit]) -> bytes:
    """The file with these edits, new lines ended as its others are. Raises NotEditableError where one of
    them has no place in it, or two overlap.
    """
    every = list(edits)
    if any(edit.location.cell is not None for edit in every):
        return _in_notebook(data, every)
    text, encoding = decoded(data)
    spans = line_spans(text)
    ending = _line_end(text)
    splices = [(*_span(edit, spans), edit.text.replace("\n", ending)) for edit in every]
    return _encoded(_spliced(text, splices), encoding)


def write(path: Path, data: bytes) -> None:
    """Replace what the file holds, at once: whoever reads meanwhile, or an interruption, sees the old bytes
    or the new ones. Permissions stay. Raises OSError.
    """
    path = Path(os.path.realpath(path))
    if not os.access(path, os.W_OK):
        raise PermissionError(13, "no permission to write it")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(stat.S_IMODE(path.stat().st_mode))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def decoded(data: bytes) -> tuple[str, str]:
    """The text, its line ends as they are, and its encoding. Raises NotEditableError where the text would not
    give these bytes again.
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
        faithful = text.encode(encoding) == data
    except (SyntaxError, UnicodeError, LookupError) as error:
        raise NotEditableError("its encoding cannot be told") from error
    if not faithful:
        raise NotEditableError(f"its bytes are not those that {encoding} would write")
    return text, encoding


def _in_notebook(data: bytes, edits: Sequence[Edit]) -> bytes:
    try:
        text = data.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotEditableError("it is not UTF-8") from error
    cells = read_cells(text)
    splices: list[_Splice] = []
    for edit in edits:
        cell = cells.get(edit.location.cell or 0)
        if cell is None:
            raise NotEditableError(f"its cell {edit.location.cell} cannot be found")
        start, end = _span(edit, cell.lines())
        new = edit.text.replace("\n", _line_end(cell.source))
        splices.append(_raw(cell, start, end, new, ascii_only=text.isascii()))
    return data[: len(data) - len(data.removeprefix(_BOM))] + _spliced(text, splices).encode()


def _raw(cell: RawCell, start: int, end: int, new: str, *, ascii_only: bool) -> _Splice:
    """The splice of a cell's source in the JSON, where it is written as one string for each line. What goes
    over the end of a string takes the quotes between them along.
    """
    lines = (json.dumps(line, ensure_ascii=ascii_only)[1:-1] for line in re.split(r"(?<=\n)", new))
    return cell.offset(start), cell.offset(end), cell.between.join(lines)


def _line_end(text: str) -> str:
    """How the lines of a text end: as the first one does."""
    first = text.find("\n")
    if first < 0:
        return "\r" if "\r" in text else "\n"
    return "\r\n" if text[max(first - 1, 0)] == "\r" else "\n"


def _span(edit: Edit, spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    where = edit.location
    start = _position(where.line, where.column, spans)
    end = _position(where.end_line or where.line, where.end_column or where.column, spans)
    if end < start:
        raise NotEditableError(f"its line {where.line} ends before it begins")
    return start, end


def _position(line: int, column: int, spans: Sequence[tuple[int, int]]) -> int:
    if not 0 < line <= len(spans):
        raise NotEditableError(f"it has no line {line}")
    start, end = spans[line - 1]
    return min(start + column - 1, end)


def _spliced(text: str, splices: Iterable[_Splice]) -> str:
    pieces, last = [], 0
    for start, end, new in sorted(splices, key=lambda splice: splice[:2]):
        if start < last:
            raise NotEditableError("two changes overlap")
        pieces += [text[last:start], new]
        last = end
    return "".join([*pieces, text[last:]])


def _encoded(text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeError as error:
        raise NotEditableError(f"{encoding} cannot write what is to be inserted") from error
