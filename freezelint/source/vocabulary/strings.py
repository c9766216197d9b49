"""`string`, `textwrap`, `pprint` and other small helpers for texts."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import Call, Unknown, Value
from freezelint.source.vocabulary import constant, function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


@constant("string.ascii_letters")
def ascii_letters() -> str:
    """All letters."""
    return string.ascii_letters


@constant("string.ascii_lowercase")
def ascii_lowercase() -> str:
    """All small letters."""
    return string.ascii_lowercase


@constant("string.ascii_uppercase")
def ascii_uppercase() -> str:
    """All capital letters."""
    return string.ascii_uppercase


@constant("string.digits")
def digits() -> str:
    """All digits."""
    return string.digits


@function("textwrap.dedent", "textwrap.indent", "textwrap.fill", "inspect.cleandoc", "pprint.pformat")
def laid_out(machine: Machine, call: Call) -> Value:
    """The same text, laid out in another way."""
    value = call.get(0, "text", "")
    return Unknown(f"{call.name}({text_of(value)})")


@function("fnmatch.fnmatch", "fnmatch.fnmatchcase")
def fnmatch_(machine: Machine, call: Call) -> Value:
    """Whether a name matches a pattern with `*` and `?`."""
    name, pattern = call.get(0, "name", None), call.get(1, "pat", None)
    text = f"fnmatch({text_of(name)}, {text_of(pattern)})"
    one, other = known(name), known(pattern)
    if not isinstance(one, str) or not isinstance(other, str) or len(one) > 500 or other.count("*") > 3:
        return Unknown(text)
    from fnmatch import fnmatchcase

    found = fnmatchcase(one, other)
    return Unknown(text, found) if isinstance(name, Unknown) or isinstance(pattern, Unknown) else found
