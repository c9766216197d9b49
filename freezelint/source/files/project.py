"""The checked project: where its modules are, their sources and syntax trees. Installed libraries are never
looked into, nor anything else outside of the project.
"""

from __future__ import annotations

import ast
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from freezelint.evidence import Limit
from freezelint.source.files.source_file import PassedOverError, SourceFile, UnreadableError, load, parse

MARKERS = ("pyproject.toml", "setup.py", "setup.cfg", ".git", ".hg")
_INSTALLED = ("site-packages", "dist-packages")
_PACKAGE = "__init__.py"
# Sources that are kept with their trees; a tree takes some thirty times the space of its text.
_MOST_KEPT = 512
_MOST_CHARACTERS = 4_000_000


def shown_path(path: Path) -> str:
    """How a file is named in reports: relative to the current directory where it lies inside."""
    # Asked for each of thousands of files: plain strings are ten times as fast as paths.
    here = os.getcwd()  # noqa: PTH109
    full = os.path.normpath(os.path.join(here, path))  # noqa: PTH118
    return full[len(here) :].lstrip(os.sep) or "." if _lies_in(full, here) else full


def _lies_in(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip(os.sep) + os.sep)


def project_root(directory: Path) -> Path | None:
    """The nearest directory upward that looks like the root of a project; for an installed library that of
    its own package.
    """
    directory = directory.absolute()
    for position, part in reversed(list(enumerate(directory.parts))):
        if part in _INSTALLED:
            return Path(*directory.parts[: position + 2])
    return _marked(directory)


@lru_cache(maxsize=4096)
def _marked(directory: Path) -> Path | None:
    if any((directory / marker).exists() for marker in MARKERS):
        return directory
    return None if directory.parent == directory else _marked(directory.parent)


class Sources:
    """Sources and trees that were read before, the ones used last; shared by all readings of a process."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[Path, tuple[tuple[int, int], SourceFile]] = OrderedDict()
        self._trees: OrderedDict[SourceFile, ast.Module] = OrderedDict()
        self._characters = 0
        self._names: dict[str, frozenset[str]] = {}

    def load(self, path: Path) -> SourceFile:
        """The file at this path. Raises UnreadableError or PassedOverError."""
        try:
            status = path.stat()
        except (OSError, ValueError):
            return load(path, shown_path(path))  # which tells why
        stamp = (status.st_mtime_ns, status.st_size)
        known = self._loaded.get(path)
        if known is not None and known[0] == stamp:
            self._loaded.move_to_end(path)
            return known[1]
        file = load(path, shown_path(path))
        self._loaded[path] = (stamp, file)
        if len(self._loaded) > _MOST_KEPT:
            self._loaded.popitem(last=False)
        return file

    def tree(self, file: SourceFile) -> ast.Module:
        """The syntax tree of a file. Raises UnreadableError or PassedOverError."""
        known = self._trees.get(file)
        if known is not None:
            self._trees.move_to_end(file)
            return known
        tree = self._trees[file] = parse(file)
        self._characters += len(file.text)
        while len(self._trees) > 1 and (len(self._trees) > _MOST_KEPT or self._characters > _MOST_CHARACTERS):
            self._characters -= len(self._trees.popitem(last=False)[0].text)
        return tree

    def names(self, directory: str) -> frozenset[str]:
        """What a directory holds; nothing where it is none. Listed once: asking for each module anew would
        cost more than reading.
        """
        known = self._names.get(directory)
        if known is None:
            try:
                known = frozenset(os.listdir(directory))  # noqa: PTH208 - names are all that is asked for
            except (OSError, ValueError):
                known = frozenset()
            self._names[directory] = known
        return known


@dataclass(frozen=True)
class Asked:
    """A module that a reading asked for, and where it was found: what the reading depends on."""

    importing: str  # shown path of the file with the import
    module: str
    level: int
    found: str | None = None  # shown path


class Project:
    """The project around one file, the `entry`, that is read. `roots` are the directories that were named to
    be checked.
    """

    def __init__(self, entry: SourceFile, roots: Sequence[Path] = (), sources: Sources | None = None) -> None:
        self.sources = Sources() if sources is None else sources
        self.limits: dict[str, Limit] = {}
        self.notes: dict[str, Any] = {}  # what the runs over the entry work out about sources, once for all
        self.surroundings: dict[tuple[str, int], Any] = {}
        self._asked: dict[tuple[str, str, int], Asked] = {}
        # Kept as long as the reading lasts, in which a package of many modules is searched for every name.
        self._found: dict[tuple[str, str, int], SourceFile | None] = {}
        self._entry = entry
        self._directory = entry.place.absolute().parent if entry.place is not None else None
        here = Path.cwd()
        around = (here,) if self._directory is not None and self._directory.is_relative_to(here) else ()
        self._roots = tuple(dict.fromkeys((*(root.absolute() for root in roots), *around)))
        self._limits: tuple[str, ...] | None = None
        self._bases_of: dict[str, tuple[str, ...]] = {}

    @property
    def asked(self) -> tuple[Asked, ...]:
        """All modules that were asked for, found or not, in order."""
        return tuple(self._asked.values())

    def tree(self, file: SourceFile) -> ast.Module | None:
        """The syntax tree of a file of the project; None, and a limit, where it has none."""
        try:
            return self.sources.tree(file)
        except (UnreadableError, PassedOverError) as error:
            self._cannot(file.path, error)
            return None

    def find(self, importing: SourceFile, module: str, level: int) -> SourceFile | None:
        """The source of a module of the project, as `from ..module import x` (level 2) in this file names it:
        a module, the `__init__.py` of a package, or an empty source for a directory of modules. None for
        whatever is not the project's.
        """
        key = (importing.path, module, level)
        if key not in self._found:
            path = self.locate(importing.place, module, level)
            self._asked[key] = Asked(*key, None if path is None else shown_path(path))
            self._found[key] = None if path is None else self._source(path)
        return self._found[key]

    def _source(self, path: Path) -> SourceFile | None:
        if self._entry.place is not None and path == self._entry.place.absolute():
            return self._entry
        if path.name == _PACKAGE and _PACKAGE not in self.sources.names(str(path.parent)):
            return SourceFile(shown_path(path.parent), "", path)
        try:
            return self.sources.load(path)
        except (UnreadableError, PassedOverError) as error:
            self._cannot(shown_path(path), error)
            return None

    def locate(self, importing: Path | None, module: str, level: int) -> Path | None:
        """Where the module is; the `__init__.py` of a package, which for a directory of modules without one
        does not exist.
        """
        parts = module.split(".") if module else []
        if any(not part.isidentifier() for part in parts) or (importing is None and level):
            return None
        if level:
            assert importing is not None
            directory = importing.absolute().parent
            for _ in range(level - 1):
                directory = directory.parent
            bases: Sequence[str] = (str(directory),)
        elif not parts:
            return None
        else:
            bases = self._bases(importing)
        for base in bases:
            found = self._module(base, parts)
            if found is not None:
                return found if self._is_inside(found) else None
        return None

    def _module(self, base: str, parts: Sequence[str]) -> Path | None:
        directory = base
        for part in parts[:-1]:
            if part not in self.sources.names(directory):
                return None
            directory = str(Path(directory, part))
        if not parts:
            return self._package(directory)
        names = self.sources.names(directory)
        if parts[-1] in names:
            package = self._package(str(Path(directory, parts[-1])))
            if package is not None and package.name in self.sources.names(str(package.parent)):
                return package
            if f"{parts[-1]}.py" not in names:
                return package
        return Path(directory, f"{parts[-1]}.py") if f"{parts[-1]}.py" in names else None

    def _package(self, directory: str) -> Path | None:
        names = self.sources.names(directory)
        if _PACKAGE in names or any(name.endswith(".py") for name in names):
            return Path(directory, _PACKAGE)
        return None

    def _bases(self, importing: Path | None) -> tuple[str, ...]:
        """The directories that absolute imports start from, as `sys.path` may hold them: that of the script
        first.
        """
        directory = importing.absolute().parent if importing is not None else self._directory
        key = "" if directory is None else str(directory)
        known = self._bases_of.get(key)
        if known is None:
            known = self._bases_of[key] = tuple(dict.fromkeys(map(str, self._all_bases(directory))))
        return known

    def _all_bases(self, directory: Path | None) -> Iterator[Path]:
        here = [place for place in (self._directory, directory) if place is not None]
        yield from here[:1]
        for place in here:
            package = self._top_package(place)
            yield place if package is None else package.parent
        for root in (*self._roots, *(project_root(place) for place in here)):
            # An installed library is its own project, but its name is imported from one level up.
            if root is not None and root.parent.name not in _INSTALLED:
                yield root
                yield root / "src"

    def _is_inside(self, path: Path) -> bool:
        """Whether the path belongs to the project, and is none of the libraries installed within it."""
        directory = self._directory
        if directory is None:
            return any(path.is_relative_to(root) for root in self._roots)
        if self._limits is None:
            limits = (*self._roots, project_root(directory), self._top_package(directory), directory)
            # Who checks libraries where they are installed has them for a project, but not their neighbours.
            known = [limit for limit in limits if limit is not None and limit.name not in _INSTALLED]
            self._limits = tuple(map(str, known))
        around = next((limit for limit in self._limits if _lies_in(str(path), limit)), None)
        if around is None:
            return False
        return not any(part in _INSTALLED for part in Path(str(path)[len(around) :]).parts)

    def _top_package(self, directory: Path) -> Path | None:
        """The outermost package that the directory belongs to; None where it is in none."""
        top = None
        while _PACKAGE in self.sources.names(str(directory)) and directory.parent != directory:
            top, directory = directory, directory.parent
        return top

    def _cannot(self, path: str, error: UnreadableError | PassedOverError) -> None:
        if isinstance(error, PassedOverError):
            self.limits.setdefault(path, error.limit)
        else:
            line = error.failure.location.line if error.failure.location else None
            self.limits.setdefault(path, Limit(f"{path} was not read", str(error), path, line))
