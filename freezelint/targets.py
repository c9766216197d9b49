"""What `check` was pointed at: scripts and factories to run, sources to read; settled before any runs."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from freezelint.config import Config, named
from freezelint.errors import BadInputError

STANDARD_INPUT = "-"

_FACTORY = re.compile(r"(?P<place>.+):(?P<name>[^\W\d]\w*(\.[^\W\d]\w*)*)")
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True)
class Script:
    """A script to run as `python path` would."""

    path: str


@dataclass(frozen=True)
class Factory:
    """A function to call, `train.py:build` or `package.module:build`; modules are looked for in `root`."""

    target: str
    root: Path | None = None


@dataclass(frozen=True)
class Plan:
    """What to do for the targets. `names` is what reports call them; `run` is watched, `read` is read, files
    and directories; `standard_input` is read too where it is asked for.
    """

    names: tuple[str, ...]
    run: tuple[Script | Factory, ...] = ()
    read: tuple[Path, ...] = ()
    standard_input: bool = False


def plan(given: Sequence[str], *, run: bool | None, source: bool, config: Config) -> Plan:
    """What to run and what to read for these targets. Where `run` is None only factories and the configured
    entry are run, where it is False nothing is. Raises BadInputError where a target cannot be used, before
    anything is run.
    """
    never, run = run is False, run or False
    if never:
        config = replace(config, entry=None)
    if STANDARD_INPUT in given:
        return _standard_input(given, run, source)
    if given:
        live = tuple(dict.fromkeys(found for target in given for found in _to_run(target, run, config)))
        live = () if never else live
        names, read = tuple(dict.fromkeys(given)), tuple(_to_read(given, config)) if source else ()
        if not live and not source:
            raise BadInputError(f"{given[0]}: --no-source leaves nothing to do: add --run, or name a factory")
        return Plan(names, live, read)
    return _without_targets(run, source, config)


def _standard_input(given: Sequence[str], run: bool, source: bool) -> Plan:
    if run or not source:
        raise BadInputError("-: standard input is read, not run; save it as a script to run it")
    if len(given) > 1:
        raise BadInputError("-: standard input is checked by itself, without other targets")
    return Plan((STANDARD_INPUT,), standard_input=True)


def _without_targets(run: bool, source: bool, config: Config) -> Plan:
    """The configured entry, and the sources in the current directory."""
    if config.entry is None and (run or not source):
        raise BadInputError(
            "nothing to check: name a script (`freezelint check --run train.py`) or a factory"
        )
    live = (_entry(config),) if config.entry is not None else ()
    here = Path()
    if not source:
        return Plan((config.entry or "",), live)
    if _holds_sources(here):
        return Plan((".",) if not live else (config.entry or "", "."), live, (here,))
    if live:
        return Plan((config.entry or "",), live)
    raise BadInputError("nothing to check: there is no Python file here; name a script or a directory")


def _to_run(target: str, run: bool, config: Config) -> list[Script | Factory]:
    factory = parse_factory(target)
    if factory is not None:
        return [factory]
    path = Path(target)
    if not path.exists():
        raise BadInputError(f"{target}: there is no such file")
    if path.is_dir():
        if run:
            raise BadInputError(f"{target}: is a directory; --run takes a script")
        if not _holds_sources(path):
            raise BadInputError(f"{target}: there is no Python file in this directory")
    elif run:
        readable(path, target)
        return [Script(target)]
    entry = entry_file(config)
    inside = entry is not None and (entry == path.resolve() or entry.is_relative_to(path.resolve()))
    return [_entry(config)] if inside else []


def _to_read(given: Sequence[str], config: Config) -> list[Path]:
    found = []
    for target in given:
        place = Path(target if parse_factory(target) is None else target.rpartition(":")[0])
        path = place if place.exists() else _file_of(target, config.root or Path())
        if path is not None:
            found.append(path)
    return found


def _holds_sources(directory: Path) -> bool:
    from freezelint.source.files.discovery import holds_sources

    return holds_sources(directory)


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
    """Raises BadInputError where the file is no Python source that could be run."""
    if path.suffix == ".ipynb":
        raise BadInputError(
            f"{shown}: notebooks are not run; leave out --run to have it read, or save it as a script "
            "(`jupyter nbconvert --to script`)"
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
    return _file_of(config.entry, config.root)


def _file_of(entry: str, root: Path) -> Path | None:
    """The file that a script or a factory lives in."""
    found = _FACTORY.fullmatch(entry)
    place = found["place"] if found else entry
    if (root / place).is_file():
        return (root / place).resolve()
    parts = place.split(".")
    for base in (root, root / "src"):
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
    raise BadInputError(f"{named(config.file)} entry: there is no file {path}")
