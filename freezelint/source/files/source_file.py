"""One source file as the reader sees it: its text, decoded as Python does it, and how its lines are told."""

from __future__ import annotations

import ast
import codecs
import gc
import io
import re
import stat
import sys
import tokenize
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from freezelint.evidence import Failure, Limit, Location

# Larger sources are tables of data; parsing takes about a second for ten of these bytes' millions.
MOST_BYTES = 4_000_000
NOTEBOOK = ".ipynb"
STUB = ".pyi"
STANDARD_INPUT = "-"

_PYTHON_2 = re.compile(
    r"""^[ \t]*(?:
        print[ \t]+(?:["'\w(>%]|$) | print[ \t]*$ | exec[ \t]+["'\w] | raise[ \t]+[\w.]+[ \t]*,
      | except[ \t]+[\w.()\s,]+?,[ \t]*\w+[ \t]*: )
      | `[\w.()\s]+` | \w[ ]*<>[ ]*\w | \b[0-9]+[lL]\b | \bur["']""",
    re.MULTILINE | re.VERBOSE,
)


class UnreadableError(Exception):
    """A file that is no Python source, or that cannot be read at all: FRZ002."""

    def __init__(self, message: str, location: Location, advice: str = "") -> None:
        super().__init__(message)
        self.failure = Failure("unreadable", message, location, advice)


class PassedOverError(Exception):
    """A file that this reader leaves alone on purpose; `limit` says why."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(why)
        self.limit = Limit(f"{path} was not read", why, path)


@dataclass(frozen=True)
class Cell:
    """A code cell of a notebook: its number among all cells, from 1, and the line of the text on which it
    begins.
    """

    number: int
    first: int


@dataclass(frozen=True, eq=False)
class SourceFile:
    """A source file. `path` is how reports name it; `place` where it is, None for a nameless standard
    input; `cells` are those of a notebook, whose text is that of its code cells, one after the other.
    """

    path: str
    text: str
    place: Path | None = None
    cells: tuple[Cell, ...] = ()

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends, numbered as Python numbers them (a form feed ends no line)."""
        return self.text.split("\n")

    @cached_property
    def _firsts(self) -> list[int]:
        return [cell.first for cell in self.cells]

    @property
    def is_package(self) -> bool:
        """Whether this is the `__init__.py` of a package, whose modules are its attributes."""
        return self.place is not None and self.place.name == "__init__.py"

    @property
    def is_notebook(self) -> bool:
        return self.place is not None and self.place.suffix == NOTEBOOK

    def position(self, line: int) -> tuple[int | None, int]:
        """The cell (None outside notebooks) and the line in it of a line of the text."""
        if not self.cells:
            return None, line
        cell = self.cells[max(bisect_right(self._firsts, line) - 1, 0)]
        return cell.number, line - cell.first + 1

    def location(self, node: ast.AST, function: str = "") -> Location:
        """Where this syntax node stands. Columns count characters, as an editor does, from 1."""
        line: int = getattr(node, "lineno", 1)
        end: int = getattr(node, "end_lineno", None) or line
        start_offset: int = getattr(node, "col_offset", 0)
        end_offset: int | None = getattr(node, "end_col_offset", None)
        cell, shown = self.position(line)
        return Location(
            self.path,
            shown,
            self._column(line, start_offset),
            self.position(end)[1],
            None if end_offset is None else self._column(end, end_offset),
            function,
            cell=cell,
        )

    def at(self, line: int, column: int = 1) -> Location:
        """A place by its line in the text."""
        cell, shown = self.position(max(line, 1))
        return Location(self.path, shown, max(column, 1), cell=cell)

    def _column(self, line: int, offset: int) -> int:
        """The column of a byte offset: the parser counts the bytes of UTF-8."""
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        if text.isascii():
            return offset + 1
        return len(text.encode("utf-8", "surrogatepass")[:offset].decode("utf-8", "ignore")) + 1


def load(path: Path, shown: str | None = None) -> SourceFile:
    """The file at this path. Raises UnreadableError or PassedOverError where there is nothing to read."""
    name = str(path) if shown is None else shown
    return decoded(read_bytes(path, name), name, path)


def read_bytes(path: Path, shown: str) -> bytes:
    """What the file holds. Raises UnreadableError where the system does not give it out."""
    try:
        if stat.S_ISFIFO(path.stat().st_mode):  # who opens it waits until somebody writes
            raise UnreadableError("the file cannot be read: it is a pipe", Location(shown, 1))
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableError(f"the file cannot be read: {reason}", Location(shown, 1)) from error
    if len(data) > MOST_BYTES:
        raise PassedOverError(shown, f"it is larger than {MOST_BYTES // 1_000_000} MB")
    return data


def decoded(data: bytes, shown: str, place: Path | None = None) -> SourceFile:
    """The source that these bytes are, a notebook where the place is called so. Raises UnreadableError or
    PassedOverError.
    """
    if place is not None and place.suffix == STUB:
        raise PassedOverError(shown, "a type stub holds no code")
    if place is not None and place.suffix == NOTEBOOK:
        from freezelint.source.files.notebooks import joined

        return joined(data, shown, place)
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        kind = "UTF-16 or UTF-32 text" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "a binary file"
        advice = "save it as UTF-8" if kind[0] == "U" else ""
        raise UnreadableError(f"the file contains null bytes: it is {kind}", Location(shown, line), advice)
    return SourceFile(shown, _text(data, shown), place)


def parse(file: SourceFile) -> ast.Module:
    """The syntax tree. Raises UnreadableError for what is no Python, PassedOverError for what is Python 2 or
    beyond the parser's depth.
    """
    flags = ast.PyCF_ONLY_AST | (ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if file.is_notebook else 0)
    try:
        with warnings.catch_warnings(), _no_collection():
            warnings.simplefilter("ignore")  # of odd escapes, which are the author's business
            tree = compile(file.text, file.path, "exec", flags, dont_inherit=True)
    except (RecursionError, MemoryError) as error:
        raise PassedOverError(file.path, "its code nests too deeply for the parser") from error
    except SyntaxError as error:
        if _PYTHON_2.search(file.text):
            raise PassedOverError(file.path, "it is written in Python 2") from error
        raise _no_python(file, error) from error
    except ValueError as error:
        raise UnreadableError(f"the file is not valid Python: {error}", Location(file.path, 1)) from error
    assert isinstance(tree, ast.Module)
    return tree


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection: a tree is a hundred thousand objects and no garbage, and counting them over and
    over takes most of the time of parsing.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _no_python(file: SourceFile, error: SyntaxError) -> UnreadableError:
    location = file.at(error.lineno or 1, error.offset or 1)
    version = ".".join(map(str, sys.version_info[:2]))
    return UnreadableError(f"this is not valid Python {version}: {error.msg}", location)


def _text(data: bytes, shown: str) -> str:
    """Decoded by byte order mark and coding cookie, every kind of line end as a newline."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except SyntaxError as error:
        if "invalid or missing encoding declaration" in str(error):
            return _decoded(data, "utf-8", shown)  # which tells the byte
        advice = "correct the coding comment, or save the file as UTF-8"
        raise UnreadableError(
            f"its encoding cannot be told: {error.msg}", Location(shown, 1), advice
        ) from error
    return _decoded(data, encoding, shown)


def _decoded(data: bytes, encoding: str, shown: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        advice = "save it as UTF-8, or say its encoding in the first line (`# coding: latin-1`)"
        raise UnreadableError(
            f"byte 0x{data[error.start]:02x} is not {_name(encoding)} text", Location(shown, line), advice
        ) from error
    except (LookupError, ValueError) as error:  # a codec that is none for text
        raise UnreadableError(f"it cannot be decoded as {encoding}: {error}", Location(shown, 1)) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _name(encoding: str) -> str:
    return codecs.lookup(encoding).name.removesuffix("-sig").upper()
