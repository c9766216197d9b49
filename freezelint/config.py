"""The project's configuration, validated: `[tool.freezelint]` in pyproject.toml, or freezelint.toml."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from freezelint.errors import BadInputError
from freezelint.finding import Severity

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEVICES = ("auto", "cpu", "cuda", "fake")
SEVERITIES = ("error", "warning", "info")


FILE = "freezelint.toml"
PYPROJECT = "pyproject.toml"
_COMMAND_LINE = "--config"


@dataclass(frozen=True)
class Config:
    """What the project sets; None where it says nothing. `root` is the directory of `file`, the
    pyproject.toml or freezelint.toml that says so.
    """

    root: Path | None = None
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] | None = None
    per_file_ignores: Mapping[str, tuple[str, ...]] | None = None
    severity: Mapping[str, Severity] | None = None
    entry: str | None = None
    steps: int | None = None
    timeout: float | None = None
    device: str | None = None
    hermetic: bool | None = None
    exit_zero: bool | None = None
    output_format: str | None = None
    exclude: tuple[str, ...] | None = None
    force_exclude: bool | None = None
    respect_gitignore: bool | None = None
    jobs: int | None = None
    cache: bool | None = None
    cache_dir: str | None = None
    baseline: str | None = None
    ignore_noqa: bool | None = None
    fix: bool | None = None
    unsafe_fixes: bool | None = None
    fix_only: bool | None = None
    show_fixes: bool | None = None
    fixable: tuple[str, ...] | None = None
    unfixable: tuple[str, ...] | None = None
    file: Path | None = field(default=None, compare=False)

    def path(self, given: str | None) -> Path | None:
        """A path that the configuration names, which is relative to its file."""
        return None if given is None else (self.root or Path()) / given


def load(start: Path, *, isolated: bool = False, given: Sequence[str] = ()) -> Config:
    """The configuration that holds for a file or directory: the nearest freezelint.toml or pyproject.toml
    with a `[tool.freezelint]` upward, none where `isolated`; and on top of it what is `given` as KEY=VALUE.
    """
    config = Config() if isolated else _nearest(start.resolve())
    return replace(config, **_given(given))


def parse(table: Mapping[str, Any], path: Path) -> Config:
    """The configuration that this table says. Raises BadInputError for unknown keys and for values of the
    wrong kind."""
    return Config(root=path.parent, file=path, **_values(table, named(path)))


def named(path: Path | None) -> str:
    """How messages call the place of a setting: the file and its table, or the command line."""
    if path is None:
        return _COMMAND_LINE
    return str(path) if path.name == FILE else f"{path}: [tool.freezelint]"


def keys() -> tuple[str, ...]:
    """All keys, in the order in which they are told."""
    return tuple(_KEYS)


def _nearest(here: Path) -> Config:
    for directory in (here, *here.parents):
        own, shared = directory / FILE, directory / PYPROJECT
        if own.is_file():
            return parse(_document(own), own)
        if shared.is_file():
            table = _document(shared).get("tool", {}).get("freezelint")
            if isinstance(table, dict):
                return parse(table, shared)
            if table is not None:
                raise BadInputError(f"{shared}: tool.freezelint must be a table, not {table!r}")
    return Config()


def _given(settings: Sequence[str]) -> dict[str, Any]:
    """What stands on the command line: `steps=3`, `device=cpu`, `severity.FRZ201="info"`. Several settings of
    one table come together.
    """
    table: dict[str, Any] = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator or not key.strip():
            raise BadInputError(f"{_COMMAND_LINE} {setting}: must be KEY=VALUE, as in `steps=3`")
        for name, found in _setting(setting, key, value).items():
            if isinstance(found, dict) and isinstance(table.get(name), dict):
                found = {**table[name], **found}
            table[name] = found
    return _values(table, named(None))


def _setting(setting: str, key: str, value: str) -> dict[str, Any]:
    """The value is TOML, or plain text where it is none."""
    for text in (setting, f"{key} = {json.dumps(value.strip())}"):
        try:
            found: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            continue
        return found
    raise BadInputError(f"{_COMMAND_LINE} {setting}: must be KEY=VALUE, as in `steps=3`")


def _values(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields of a Config that this table sets."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1, cutoff=0.0)[0]
            raise BadInputError(f"{where} has no key {key!r}; did you mean {near!r}?")
        convert, expected = _KEYS[key]
        converted = convert(value)
        if converted is None:
            raise BadInputError(f"{where} {key} must be {expected}, not {value!r}")
        values[key.replace("-", "_")] = converted
    return values


def _document(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadInputError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    return document


def _strings(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _seconds(value: Any) -> float | None:
    return (
        float(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
        else None
    )


def _device(value: Any) -> str | None:
    return value if value in DEVICES else None


def _rules_by_glob(value: Any) -> Mapping[str, tuple[str, ...]] | None:
    if not isinstance(value, dict):
        return None
    found = {glob: _strings(rules) for glob, rules in value.items()}
    kept = {glob: rules for glob, rules in found.items() if rules is not None}
    return kept if len(kept) == len(found) else None


def _severities(value: Any) -> Mapping[str, Severity] | None:
    if isinstance(value, dict) and all(severity in SEVERITIES for severity in value.values()):
        return value
    return None


def _output_format(value: Any) -> str | None:
    from freezelint.report import formats

    return value if value in formats() else None


_RULES = "a list of codes, prefixes or names of rules"
_KEYS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "select": (_strings, _RULES),
    "ignore": (_strings, _RULES),
    "extend-select": (_strings, _RULES),
    "per-file-ignores": (_rules_by_glob, 'a table of lists of codes, as in {"old/**" = ["FRZ2"]}'),
    "severity": (_severities, f'a table of {", ".join(SEVERITIES)}, as in {{FRZ201 = "info"}}'),
    "entry": (_text, 'a script or a factory, as in "train.py:build"'),
    "steps": (_count, "a positive whole number"),
    "timeout": (_seconds, "a positive number of seconds"),
    "device": (_device, f"one of {', '.join(DEVICES)}"),
    "hermetic": (_flag, "true or false"),
    "exit-zero": (_flag, "true or false"),
    "exclude": (_strings, "a list of patterns for paths"),
    "force-exclude": (_flag, "true or false"),
    "respect-gitignore": (_flag, "true or false"),
    "jobs": (_count, "a positive whole number"),
    "cache": (_flag, "true or false"),
    "cache-dir": (_text, "a directory"),
    "baseline": (_text, "a file that `--write-baseline` made"),
    "ignore-noqa": (_flag, "true or false"),
    "fix": (_flag, "true or false"),
    "unsafe-fixes": (_flag, "true or false"),
    "fix-only": (_flag, "true or false"),
    "show-fixes": (_flag, "true or false"),
    "fixable": (_strings, _RULES),
    "unfixable": (_strings, _RULES),
    "output-format": (_output_format, "the name of a format, such as full, concise or json"),
}
