"""Running files that are not written yet: the user's process reads drafts where the disk has older text."""

from __future__ import annotations

import io
import linecache
import os
import tokenize
from collections.abc import Mapping
from importlib.machinery import SourceFileLoader
from typing import Any


def read_source(path: str, drafts: Mapping[str, bytes]) -> bytes:
    """The source of a script, which is a draft or a file. Raises OSError."""
    draft = drafts.get(os.path.realpath(path))
    if draft is not None:
        return draft
    with io.open_code(path) as file:
        return file.read()


def import_from(drafts: Mapping[str, bytes]) -> None:
    """Let imports, tracebacks and the recorder find these bytes in the place of files, by real path, for the
    rest of the process.
    """
    if not drafts:
        return
    for path, data in drafts.items():
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        lines = io.TextIOWrapper(io.BytesIO(data), encoding).readlines()
        linecache.cache[path] = (len(data), None, lines, path)
    get_data, path_stats = SourceFileLoader.get_data, SourceFileLoader.path_stats

    def drafted_data(self: Any, path: str) -> bytes:
        draft = drafts.get(os.path.realpath(path))
        return get_data(self, path) if draft is None else draft

    def drafted_stats(self: Any, path: str) -> Mapping[str, Any]:
        if os.path.realpath(path) in drafts:
            raise OSError("a draft has no compiled form")  # which makes the loader compile it
        return path_stats(self, path)

    SourceFileLoader.get_data = drafted_data  # type: ignore[method-assign]
    SourceFileLoader.path_stats = drafted_stats  # type: ignore[method-assign]
