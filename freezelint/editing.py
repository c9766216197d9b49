"""Inserting text into source files, scripts and notebooks, and nothing else: every other byte stays."""

from __future__ import annotations

import io
import json
import os
import stat
import tempfile
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from freezelint.notebook_json import line_spans, read_cells

_BOM = b"\xef\xbb\xbf"


class NotInsertableError(Exception):
    """The file cannot be written without changing more than asked; the message says why."""


@dataclass(frozen=True)
class Insertion:
    """`text` is put before the character `column`, from 0, of a line, from 1; of a notebook's cell where
    `cell` is given.
    """

    line: int
    column: int
    text: str
    cell: int | None = None


def inserted(data: bytes, insertions: Iterable[Insertion]) -> bytes:
    """The file with these insertions. Raises NotInsertableError where one of them has no place in it."""
    every = list(insertions)
    if any(insertion.cell is not None for insertion in every):
        return _in_notebook(data, every)
    text, encoding = _decoded(data)
    spans = line_spans(text)
    at = {_position(insertion, spans): insertion.text for insertion in every}
    return _encoded(_spliced(text, at), encoding)


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


def _in_notebook(data: bytes, insertions: Sequence[Insertion]) -> bytes:
    try:
        text = data.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotInsertableError("it is not UTF-8") from error
    cells = read_cells(text)
    at: dict[int, str] = {}
    for insertion in insertions:
        cell = cells.get(insertion.cell or 0)
        if cell is None:
            raise NotInsertableError(f"its cell {insertion.cell} cannot be found")
        at[cell.offset(_position(insertion, cell.lines()))] = json.dumps(insertion.text)[1:-1]
    return data[: len(data) - len(data.removeprefix(_BOM))] + _spliced(text, at).encode()


def _position(insertion: Insertion, spans: Sequence[tuple[int, int]]) -> int:
    if not 0 < insertion.line <= len(spans):
        raise NotInsertableError(f"it has no line {insertion.line}")
    start, end = spans[insertion.line - 1]
    return min(start + insertion.column, end)


def _spliced(text: str, at: Mapping[int, str]) -> str:
    pieces, last = [], 0
    for position in sorted(at):
        pieces += [text[last:position], at[position]]
        last = position
    return "".join([*pieces, text[last:]])


def _decoded(data: bytes) -> tuple[str, str]:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
        faithful = text.encode(encoding) == data
    except (SyntaxError, UnicodeError, LookupError) as error:
        raise NotInsertableError("its encoding cannot be told") from error
    if not faithful:
        raise NotInsertableError(f"its bytes are not those that {encoding} would write")
    return text, encoding


def _encoded(text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeError as error:
        raise NotInsertableError(f"{encoding} cannot write what is to be inserted") from error
