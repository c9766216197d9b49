"""What earlier runs found, by content: `.freezelint_cache`.

One index file holds everything: opening three thousand small files would take longer than many a reading. An
entry is found by the name and the bytes of a file, and holds only as long as every module that its reading
asked for is where it was, with the same bytes. Nothing in it depends on times or on absolute places, so that
it may be shared; whatever is odd in it is ignored; deleting it costs time only.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from freezelint import __version__
from freezelint.evidence import Limit
from freezelint.finding import Finding
from freezelint.serialise import from_data, to_data
from freezelint.source.files.judged import PYTHON, Judged
from freezelint.source.files.project import Asked, Project, Sources, shown_path
from freezelint.source.files.source_file import SourceFile

DIRECTORY = ".freezelint_cache"
_TAG = """\
Signature: 8a477f597d28d172789f06886806bc55
# This directory holds what freezelint found in earlier runs. It may be deleted at any time.
"""
# Entries of files that a run did not look at are kept up to this number.
_MOST_ENTRIES = 20_000
_MOST_INDEXES = 4


def digest(data: bytes) -> str:
    """A short name for these bytes."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


class Cache:
    """The index of one version of freezelint. Nothing is written before `save`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._path = directory / f"index-{_version()}.json"
        self._stamp, self._index = _loaded(self._path)
        self._new: dict[str, Any] = {}
        self._used: set[str] = set()
        self._digests: dict[Path, str | None] = {}

    def is_nothing(self, content: str) -> bool:
        """Whether a file with these bytes was passed over at first sight."""
        return self._known(f"-{content}") is not None

    def remember_nothing(self, content: str) -> None:
        """Note that a file with these bytes concerns no rule."""
        self._new[f"-{content}"] = 1

    def get(self, path: Path, content: str, roots: Iterable[Path], sources: Sources) -> Judged | None:
        """What is known of the file with these bytes; None where nothing is, or where it no longer holds."""
        shown = shown_path(path)
        entry = self._known(_key(shown, content))
        if not isinstance(entry, dict):
            return None
        try:
            asked = [(Asked(*item[:4]), item[4]) for item in entry.get("asked", ())]
            project = Project(SourceFile(shown, "", path), tuple(roots), sources)
            if not all(self._holds(project, each, content) for each, content in asked):
                return None
            return Judged(
                shown,
                tuple(from_data(Finding, item) for item in entry.get("findings", ())),
                tuple(from_data(Limit, item) for item in entry.get("limits", ())),
                tuple(each for each, _ in asked),
                read=bool(entry.get("read", True)),
            )
        except (TypeError, ValueError, IndexError, KeyError, AttributeError):
            return None

    def put(self, content: str, judged: Judged) -> None:
        """Remember what became of a file with these bytes."""
        if not judged.lasting:
            return
        try:
            self._new[_key(judged.path, content)] = {
                "findings": [to_data(finding) for finding in judged.findings],
                "limits": [to_data(limit) for limit in judged.limits],
                "asked": [
                    [each.importing, each.module, each.level, each.found, self._digest_of(each.found)]
                    for each in judged.asked
                ],
                "read": judged.read,
            }
        except (TypeError, KeyError):
            return

    def save(self) -> None:
        """Write what is new, together with what other runs wrote meanwhile. Says nothing where it cannot."""
        if not self._new:
            return
        index = self._index if _stamp(self._path) == self._stamp else _loaded(self._path)[1]
        merged = {**index, **self._new}
        if len(merged) > _MOST_ENTRIES:
            recent = self._used | self._new.keys()
            others = [key for key in merged if key not in recent]
            for key in others[: len(merged) - max(_MOST_ENTRIES, len(recent))]:
                del merged[key]
        try:
            text = json.dumps(merged, separators=(",", ":"), default=_plain)
            _prepare(self.directory)
            _write(self._path, text)
            _prune(self.directory)
        except (OSError, TypeError, ValueError):
            return
        self._stamp, self._index, self._new = _stamp(self._path), merged, {}

    def _known(self, key: str) -> Any:
        known = self._new.get(key, self._index.get(key))
        if known is not None:
            self._used.add(key)
        return known

    def _holds(self, project: Project, asked: Asked, content: str | None) -> bool:
        found = project.locate(Path(asked.importing).absolute(), asked.module, asked.level)
        return (None if found is None else shown_path(found)) == asked.found and (
            self._digest_of(asked.found) == content
        )

    def _digest_of(self, shown: str | None) -> str | None:
        """The digest of a file's content now; None for what is not there."""
        if shown is None:
            return None
        path = Path(shown)
        if path not in self._digests:
            try:
                self._digests[path] = digest(path.read_bytes())
            except (OSError, ValueError):
                self._digests[path] = None
        return self._digests[path]


def clean(directory: Path) -> bool:
    """Remove the cache; whether there was one. Only what a cache is made of: the tag must be there."""
    if not (directory / "CACHEDIR.TAG").is_file():
        return False
    shutil.rmtree(directory)
    return True


def _key(shown: str, content: str) -> str:
    return f"{shown}|{content}"


def _version() -> str:
    """Names what findings depend on besides the sources: Python, and this freezelint. In a checkout that is
    being worked on, the version number says too little.
    """
    package = Path(__file__).parents[2]
    told = [__version__, PYTHON]
    if not (package / "rules").is_dir():
        for directory in (package, package.parent / "rules"):
            for here, _, names in sorted(os.walk(directory)):
                files = [Path(here, name) for name in sorted(names) if not name.endswith(".pyc")]
                told.extend(f"{file.name} {_stamp(file)}" for file in files)
    return digest("\n".join(told).encode())[:16]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def _loaded(path: Path) -> tuple[tuple[int, int], dict[str, Any]]:
    stamp = _stamp(path)
    try:
        index = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return stamp, {}
    return stamp, index if isinstance(index, dict) else {}


def _prepare(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in ((".gitignore", "*\n"), ("CACHEDIR.TAG", _TAG)):
        if not (directory / name).exists():
            _write(directory / name, text)


def _write(path: Path, text: str) -> None:
    """Atomically: whoever reads meanwhile reads the old file or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _prune(directory: Path) -> None:
    """Keep the indexes of the versions used last."""
    indexes = sorted(directory.glob("index-*.json"), key=_stamp, reverse=True)
    for old in indexes[_MOST_INDEXES:]:
        old.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    """Evidence is free in its values."""
    return sorted(value, key=str) if isinstance(value, (set, frozenset)) else str(value)
