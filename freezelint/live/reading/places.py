"""Which statement of the user's is running: the walk from torch's files out to the user's own frame."""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType, TracebackType

from freezelint.evidence import Location
from freezelint.live.reading.names import Names

MOST_CALLS = 8

# A notebook's cells, under the names that IPython and its kernel give them.
_CELLS = ("<ipython-input", "<ipykernel")
_LIBRARIES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")

# A position is a code object and the index of its running instruction.
_Position = tuple[CodeType, int]


def user_location(skip: int = 0) -> Location | None:
    """The user's statement that is running: the innermost frame that is neither a library's nor freezelint's.

    `skip` leaves out that many frames next to the caller. None where no frame is the user's (a thread of
    autograd's, an interactive prompt).
    """
    return _places().locate(sys._getframe(1 + skip))


def user_frame(skip: int = 0) -> FrameType | None:
    """The frame that `user_location` tells about."""
    return _places().innermost(sys._getframe(1 + skip))


def location_outside(owner: object) -> Location | None:
    """The user's statement that is running, methods of `owner` left out.

    It tells where a user's own class is used, not where it is written.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if is_user_code(frame):
            with Names(frame) as names:
                inside = names.holds_first(owner)
            if not inside:
                return _places().locate(frame)
        frame = frame.f_back
    return None


def calling_library() -> str:
    """The package other than torch whose code is doing this (a trainer, peft); empty where it is the user's
    own code.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in ("freezelint", "torch"):
            return "" if is_user_code(frame) else package
        frame = frame.f_back
    return ""


def called_by_user() -> bool:
    """Whether the user's own code called the replaced function that asks: frames of freezelint's do not
    count.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith("freezelint."):
        frame = frame.f_back
    return frame is not None and is_user_code(frame)


def is_user_code(frame: FrameType) -> bool:
    """Whether a frame runs the user's own code."""
    return _places().users[frame.f_code.co_filename]


def is_user_file(filename: str) -> bool:
    """Whether a file (a code object's `co_filename`) is the user's own."""
    return _places().users[filename]


def raised_at(traceback: TracebackType | None) -> Location | None:
    """The user's statement that raised: the innermost of the user's frames in a traceback."""
    return _places().locate_raise(traceback)


def shown_path(filename: str) -> str:
    """A file's path as findings tell it: relative to the directory where the run began, if it lies inside."""
    return _places().shown(filename)


class Places:
    """Finds locations and remembers what it worked out about files and code objects.

    Relative paths are relative to `root`, the directory where the run began: a script may change directory.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.users = _UsersFiles()
        self._known: dict[tuple[int, ...], tuple[Location, list[_Position]]] = {}

    def innermost(self, frame: FrameType | None) -> FrameType | None:
        """The first of the user's frames from `frame` outwards."""
        users = self.users
        while frame is not None and not users[frame.f_code.co_filename]:
            frame = frame.f_back
        return frame

    def locate(self, frame: FrameType | None) -> Location | None:
        """Where the first of the user's frames from `frame` outwards is, with the calls that led to it."""
        users = self.users
        key: list[int] = []
        positions: list[_Position] = []
        while frame is not None:
            code = frame.f_code
            if users[code.co_filename]:
                instruction = frame.f_lasti
                key.append(id(code))
                key.append(instruction)
                positions.append((code, instruction))
                if len(positions) > MOST_CALLS:
                    break
            frame = frame.f_back
        if not positions:
            return None
        known = self._known.get(tuple(key))
        if known is None:
            # The positions are kept with the location, so that no other code object can get the same id.
            known = self._known[tuple(key)] = (self._chain(positions), positions)
        return known[0]

    def locate_raise(self, traceback: TracebackType | None) -> Location | None:
        """Where the innermost of the user's frames in a traceback is, with the calls that led to it."""
        positions: list[_Position] = []
        while traceback is not None:
            code = traceback.tb_frame.f_code
            if self.users[code.co_filename]:
                positions.append((code, traceback.tb_lasti))
            traceback = traceback.tb_next
        positions.reverse()
        return self._chain(positions[: MOST_CALLS + 1]) if positions else None

    def shown(self, filename: str) -> str:
        """The path as findings tell it."""
        if filename.startswith("<"):
            return filename
        path = os.path.normpath(Path(self.root, filename))
        return path[len(self.root) + 1 :] if path.startswith(self.root + os.sep) else path

    def _chain(self, positions: list[_Position]) -> Location:
        sites: list[Location] = []
        index = 0
        while index < len(positions):
            inner = positions[index]
            owner = index
            # A comprehension has a frame of its own before Python 3.12: it belongs to the function around it.
            while owner + 1 < len(positions) and _is_part_of(positions[owner][0], positions[owner + 1][0]):
                owner += 1
            sites.append(self._site(inner, positions[owner][0]))
            index = owner + 1
        return replace(sites[0], calls=tuple(sites[1:]))

    def _site(self, position: _Position, owner: CodeType) -> Location:
        filename = position[0].co_filename
        line, end_line, column, end_column = _span(position)
        return Location(
            self.shown(filename),
            line,
            _character(filename, line, column or 0),
            end_line,
            None if end_line is None or end_column is None else _character(filename, end_line, end_column),
            "" if owner.co_name == "<module>" else owner.co_name,
        )


class _UsersFiles(dict[str, bool]):
    """Whether a file is the user's, decided once a file."""

    def __init__(self) -> None:
        super().__init__()
        paths = sysconfig.get_paths()
        package = Path(__file__).absolute().parents[2]
        homes = {Path(paths["stdlib"]), Path(paths["platstdlib"]), Path(os.__file__).parent, package}
        self._homes = tuple(f"{path}{os.sep}" for home in homes for path in {home, home.resolve()})

    def __missing__(self, filename: str) -> bool:
        if filename.startswith("<"):
            decision = filename.startswith(_CELLS)
        else:
            path = str(Path(filename).absolute())
            decision = not path.startswith(self._homes) and not any(part in path for part in _LIBRARIES)
        self[filename] = decision
        return decision


@lru_cache(maxsize=1)
def _places() -> Places:
    return Places(_ROOT)


def _start_directory() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it was deleted
        return os.sep


_ROOT = _start_directory()


def _is_part_of(inner: CodeType, outer: CodeType) -> bool:
    return inner.co_name in ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>") and any(
        constant is inner for constant in outer.co_consts
    )


def _span(position: _Position) -> tuple[int, int | None, int | None, int | None]:
    """First and last line, first and last column (in bytes, from 0) of the instruction.

    Python 3.10 knows the line only.
    """
    code, instruction = position
    if sys.version_info >= (3, 11):
        line, end_line, column, end_column = next(
            islice(code.co_positions(), max(instruction, 0) // 2, None), (None, None, None, None)
        )
        if line is not None:
            return line, end_line, column, end_column
    for start, end, line in code.co_lines():
        if start <= instruction < end and line is not None:
            return line, None, None, None
    return code.co_firstlineno, None, None, None


def _character(filename: str, line: int, column: int) -> int:
    """The column, counted from 1 in characters, of what the interpreter counts from 0 in bytes."""
    text = linecache.getline(filename, line)
    return 1 + (column if text.isascii() else len(text.encode()[:column].decode(errors="replace")))
