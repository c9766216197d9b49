"""Files as they would be: what is edited so far, over what the disk holds."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from freezelint.editing import NotEditableError, decoded, edited
from freezelint.finding import Edit
from freezelint.source.files.project import Sources, shown_path
from freezelint.source.files.source_file import NOTEBOOK, SourceFile
from freezelint.source.files.source_file import decoded as source_of
from freezelint.texts import Texts


class Drafts:
    """An immutable state of the files, by their real paths. `given` are sources that are in no file; `disk`
    is what the files held when they were first read, which all states that come from one another share.
    """

    def __init__(
        self,
        changed: Mapping[str, bytes] | None = None,
        given: Mapping[str, bytes] | None = None,
        disk: dict[str, bytes] | None = None,
    ) -> None:
        self.changed = dict(changed or {})
        self._given = dict(given or {})
        self._disk = {} if disk is None else disk

    def with_edits(self, edits: Iterable[Edit]) -> Drafts:
        """These files with more edits. Raises NotEditableError."""
        by_file: dict[str, list[Edit]] = {}
        for edit in edits:
            by_file.setdefault(os.path.realpath(edit.path), []).append(edit)
        changed = dict(self.changed)
        for path, found in by_file.items():
            changed[path] = edited(self.read(path), dict.fromkeys(found))
        return Drafts(changed, self._given, self._disk)

    def read(self, path: str) -> bytes:
        """What the file holds now. Raises NotEditableError."""
        path = os.path.realpath(path)
        known = self.changed.get(path, self._given.get(path, self._disk.get(path)))
        if known is not None:
            return known
        try:
            self._disk[path] = Path(path).read_bytes()
        except OSError as error:
            raise NotEditableError(f"it cannot be read: {error.strerror}") from error
        return self._disk[path]

    def is_overtaken(self, path: str) -> bool:
        """Whether somebody else has written the file since it was read. Raises OSError."""
        return path in self._disk and Path(path).read_bytes() != self._disk[path]

    def text(self, path: str) -> str:
        """What the file holds now, as text with its own line ends. Raises NotEditableError."""
        data = self.read(path)
        return data.decode("utf-8-sig") if path.endswith(NOTEBOOK) else decoded(data)[0]

    def holds(self, path: str | Path) -> bool:
        """Whether the file is not, or not any more, what the disk has."""
        real = os.path.realpath(path)
        return real in self.changed or real in self._given

    @cached_property
    def texts(self) -> Texts:
        """The lines of the files, for what looks at comments."""
        return Texts({shown_path(Path(path)): self.text(path) for path in {**self._given, **self.changed}})


class DraftedSources(Sources):
    """Sources with drafts in the place of files. What is no draft is parsed once for all states."""

    def __init__(self, base: Sources, drafts: Drafts) -> None:
        super().__init__()
        self._base = base
        self._drafts = drafts
        self._files: dict[str, SourceFile] = {}

    def load(self, path: Path) -> SourceFile:
        if not self._drafts.holds(path):
            return self._base.load(path)
        real = os.path.realpath(path)
        if real not in self._files:
            self._files[real] = source_of(self._drafts.read(real), shown_path(path), path)
        return self._files[real]

    def names(self, directory: str) -> frozenset[str]:
        return self._base.names(directory)

    def tree(self, file: SourceFile) -> ast.Module:
        drafted = any(file is each for each in self._files.values())
        return super().tree(file) if drafted else self._base.tree(file)
