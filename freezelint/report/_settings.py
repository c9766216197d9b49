"""Telling the settings that hold, in the words of a configuration file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freezelint.config import Config, keys
from freezelint.live.settings import LiveSettings
from freezelint.report._words import shown

# What holds for flags that nobody sets.
_ON = ("respect_gitignore", "cache")
_OFF = ("exit_zero", "ignore_noqa", "force_exclude", "fix", "unsafe_fixes", "fix_only", "show_fixes")


def told(config: Config, live: LiveSettings, cache: Path) -> str:
    """A line for each key, those that nobody set as comments with what holds without them."""
    flags = {**dict.fromkeys(_ON, True), **dict.fromkeys(_OFF, False)}
    defaults = {**vars(live), **flags, "output_format": "full"}
    file = "no configuration file" if config.file is None else shown(str(config.file))
    lines = [f"# {file}, and the command line"]
    for key in keys():
        name = key.replace("-", "_")
        value = getattr(config, name)
        if value is not None:
            lines.append(f"{key} = {_toml(value)}")
        elif name == "cache_dir":
            lines.append(f"# {key} = {_toml(shown(str(cache)))}")
        else:
            lines.append(f"# {key} = {_toml(defaults[name])}" if name in defaults else f"# {key}: not set")
    return "".join(f"{line}\n" for line in lines)


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        inside = ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items())
        return f"{{{inside}}}"
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
