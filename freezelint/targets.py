"""What `check` was pointed at: scripts and factories to run, checked before anything runs."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from freezelint.config import Config
from freezelint.errors import BadInputError

_FACTORY = re.compile(r"(?P<place>.+):(?P<name>[^\W\d]\w*(\.[^\W\d]\w*)*)")
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_NO_READER = (
    "this version checks by running: add --run, or name a factory that builds model, optimizer and step"
)


@dataclass(frozen=True)
class Script:
    """A script to run as `python path` would."""

    path: str


@dataclass(frozen=True)
class Factory:
    """A function to call, `train.py:build` or `package.module:build`; modules are looked for in `root`."""

    target: str
    root: Path | None = None


def plan(given: Sequence[str], *, run: bool, config: Config) -> list[Script | Factory]:
    """What to run for these targets. Raises BadInputError where one of them cannot be run, before any is."""
    if not given:
        if config.entry is None:
            raise BadInputError(
                "nothing to check: name a script (`freezelint check --run train.py`) or a factory"
            )
        return [_entry(config)]
    return list(dict.fromkeys(_planned(target, run, config) for target in given))


def _planned(target: str, run: bool, config: Config) -> Script | Factory:
    factory = parse_factory(target)
    if factory is not None:
        return factory
    path = Path(target)
    if target == "-" or not path.exists():
        raise BadInputError(f"{target}: there is no such file")
    if path.is_dir():
        return _directory(path, target, run, config)
    readable(path, target)
    if run:
        return Script(target)
    if config.entry is not None and entry_file(config) == path.resolve():
        return _entry(config)
    raise BadInputError(f"{target}: {_NO_READER} (`freezelint check {target}:build`)")


def _directory(path: Path, target: str, run: bool, config: Config) -> Script | Factory:
    if run:
        raise BadInputError(f"{target}: is a directory; --run takes a script")
    entry = entry_file(config) if config.entry is not None else None
    if entry is not None and entry.is_relative_to(path.resolve()):
        return _entry(config)
    if next(path.rglob("*.py"), None) is None:
        raise BadInputError(f"{target}: there is no Python file in this directory")
    raise BadInputError(f"{target}: is a directory; {_NO_READER} (`freezelint check train.py:build`)")


def parse_factory(target: str) -> Factory | None:
    """The factory that a target names; None where it names a path. Raises BadInputError for a file that is
    not there."""
    found = _FACTORY.fullmatch(target)
    if found is None or Path(target).exists():
        return None
    place = Path(found["place"])
    if place.is_dir():
        raise BadInputError(f"{target}: {place} is a directory; a factory lives in a file or a module")
    if place.is_file():
        readable(place, found["place"])
    elif not _MODULE.fullmatch(found["place"]) or place.suffix == ".py":
        raise BadInputError(f"{target}: there is no file {place}")
    return Factory(target)


def readable(path: Path, shown: str) -> None:
    """Raises BadInputError where the file is no Python source."""
    if path.suffix == ".ipynb":
        raise BadInputError(
            f"{shown}: notebooks are not run; save it as a script (`jupyter nbconvert --to script`)"
        )
    try:
        data = path.read_bytes()
        if b"\0" in data:
            raise BadInputError(f"{shown}: is a binary file, not a Python script")
        with tokenize.open(path) as file:
            file.read()
    except OSError as error:
        raise BadInputError(f"{shown}: cannot be read: {error.strerror}") from error
    except (SyntaxError, UnicodeDecodeError) as error:
        raise BadInputError(f"{shown}: is not text that Python can read: {error}") from error


def entry_file(config: Config) -> Path | None:
    """The file that the configured entry lives in; None where that cannot be told without importing it."""
    if config.entry is None or config.root is None:
        return None
    found = _FACTORY.fullmatch(config.entry)
    place = found["place"] if found else config.entry
    path = config.root / place
    if path.is_file():
        return path.resolve()
    parts = place.split(".")
    for base in (config.root, config.root / "src"):
        for module in (base.joinpath(*parts).with_suffix(".py"), base.joinpath(*parts, "__init__.py")):
            if module.is_file():
                return module.resolve()
    return None


def _entry(config: Config) -> Script | Factory:
    """The configured entry, with its file told relative to the current directory where it lies inside."""
    entry, root = config.entry or "", config.root or Path()
    found = _FACTORY.fullmatch(entry)
    path = root / (found["place"] if found else entry)
    if path.is_file():
        here = Path.cwd()
        shown = str(path.resolve().relative_to(here) if path.resolve().is_relative_to(here) else path)
        readable(path, shown)
        return Factory(f"{shown}:{found['name']}") if found else Script(shown)
    if found and _MODULE.fullmatch(found["place"]) and not found["place"].endswith(".py"):
        return Factory(entry, root)
    raise BadInputError(f"{root / 'pyproject.toml'}: [tool.freezelint] entry: there is no file {path}")
