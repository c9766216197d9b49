"""The `[tool.freezelint]` table of the project's pyproject.toml, validated."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freezelint.errors import BadInputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEVICES = ("auto", "cpu", "cuda", "fake")


@dataclass(frozen=True)
class Config:
    """What the project sets; None where it says nothing. `root` is the directory of the pyproject.toml."""

    root: Path | None = None
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] | None = None
    entry: str | None = None
    steps: int | None = None
    timeout: float | None = None
    device: str | None = None
    hermetic: bool | None = None
    exit_zero: bool | None = None
    output_format: str | None = None
    exclude: tuple[str, ...] | None = None
    jobs: int | None = None
    cache_dir: str | None = None


def load(start: Path) -> Config:
    """The configuration that holds for a file or directory: the nearest pyproject.toml upward that has a
    `[tool.freezelint]`."""
    here = start.resolve()
    for directory in (here, *here.parents):
        path = directory / "pyproject.toml"
        if path.is_file():
            table = _table(path)
            if table is not None:
                return parse(table, path)
    return Config()


def parse(table: Mapping[str, Any], path: Path) -> Config:
    """The configuration that this table says. Raises BadInputError for unknown keys and for values of the
    wrong kind."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1, cutoff=0.0)[0]
            raise BadInputError(f"{path}: [tool.freezelint] has no key {key!r}; did you mean {near!r}?")
        convert, expected = _KEYS[key]
        converted = convert(value)
        if converted is None:
            raise BadInputError(f"{path}: [tool.freezelint] {key} must be {expected}, not {value!r}")
        values[key.replace("-", "_")] = converted
    return Config(root=path.parent, **values)


def _table(path: Path) -> dict[str, Any] | None:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadInputError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    table = document.get("tool", {}).get("freezelint")
    if table is not None and not isinstance(table, dict):
        raise BadInputError(f"{path}: tool.freezelint must be a table, not {table!r}")
    return table


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


def _output_format(value: Any) -> str | None:
    from freezelint.report import formats

    return value if value in formats() else None


_RULES = "a list of codes, prefixes or names of rules"
_KEYS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "select": (_strings, _RULES),
    "ignore": (_strings, _RULES),
    "extend-select": (_strings, _RULES),
    "entry": (_text, 'a script or a factory, as in "train.py:build"'),
    "steps": (_count, "a positive whole number"),
    "timeout": (_seconds, "a positive number of seconds"),
    "device": (_device, f"one of {', '.join(DEVICES)}"),
    "hermetic": (_flag, "true or false"),
    "exit-zero": (_flag, "true or false"),
    "exclude": (_strings, "a list of patterns for paths"),
    "jobs": (_count, "a positive whole number"),
    "cache-dir": (_text, "a directory"),
    "output-format": (_output_format, "the name of a format, such as full, concise or json"),
}
