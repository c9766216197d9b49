"""What surrounds the statement that a running frame stands at. Source comes from `linecache`, so that
cells of notebooks have one too.
"""

from __future__ import annotations

import linecache
from functools import cache
from types import FrameType

from freezelint.live.reading.names import Names
from freezelint.reading.surroundings import Context, Source, Surroundings, read, surroundings_of

# A file by name, size and time of change: a cell of a notebook has no time.
_Version = tuple[str, int, float | None]


def context_of(frame: FrameType) -> Context:
    """What surrounds the statement that the frame runs. Never raises: what cannot be read says nothing."""
    try:
        filename = frame.f_code.co_filename
        linecache.getlines(filename, frame.f_globals)
        entry = linecache.cache.get(filename)
        if entry is None or len(entry) != 4:
            return Context()
        surroundings = _surroundings((filename, entry[0], entry[1]), frame.f_lineno)
        if surroundings is None:
            return Context()
        with Names(frame) as names:
            return surroundings.with_values(names)
    except Exception:  # a source that is not what runs, a tree too deep: nothing is established
        return Context()


@cache
def _file(version: _Version) -> Source | None:
    return read("".join(linecache.getlines(version[0])))


@cache
def _surroundings(version: _Version, line: int) -> Surroundings | None:
    file = _file(version)
    return None if file is None else surroundings_of(file, line)
