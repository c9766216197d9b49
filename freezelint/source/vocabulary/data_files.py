"""`json`, `yaml`, `pickle` and their kind: known texts are parsed, files are unknown."""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING

from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.iterables import is_plain
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import Call, Unknown, Value
from freezelint.source.vocabulary import function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_LONGEST = 20_000


@function("json.loads", "simplejson.loads", "ujson.loads", "ast.literal_eval")
def loads(machine: Machine, call: Call) -> Value:
    """The value that a known text stands for."""
    import json

    source = call.get(0, "s", None)
    text = known(source)
    shown = f"{call.name}({text_of(source)})"
    if not isinstance(text, str) or len(text) > _LONGEST:
        return Unknown(shown)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = ast.literal_eval(text) if call.name == "ast.literal_eval" else json.loads(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return Unknown(shown)
    return Unknown(shown, value) if isinstance(source, Unknown) else value


@function("json.dumps", "simplejson.dumps")
def dumps(machine: Machine, call: Call) -> Value:
    """The text of a small plain value."""
    import json

    value = call.get(0, "obj", None)
    if call.kwargs or not is_plain(value, 500):
        return Unknown("json.dumps(…)")
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return Unknown("json.dumps(…)")


@function("json.load", "yaml.safe_load", "yaml.load", "yaml.full_load", "toml.load", "tomllib.load",
    "tomli.load", "pickle.load", "pickle.loads", "joblib.load", "omegaconf.OmegaConf.load",
    "omegaconf.OmegaConf.merge", "omegaconf.OmegaConf.from_cli", "mmcv.Config.fromfile",
    "mmengine.Config.fromfile", "pandas.read_csv")  # fmt: skip
def load(machine: Machine, call: Call) -> Value:
    """What is in a file."""
    return Unknown(f"{call.name.rpartition('.')[2]}({text_of(call.args[0]) if call.args else ''})")
