"""How messages call values."""

from __future__ import annotations

from freezelint.source.interpreter.values import (
    Class,
    Function,
    Library,
    Module,
    Namespace,
    Tensor,
    Unknown,
    Value,
)

# Python refuses to write out larger numbers, and takes long over them.
_MOST_BITS = 4096


def text_of(value: Value) -> str:
    """How messages call a value."""
    if isinstance(value, Unknown):
        return value.text or "…"
    if isinstance(value, (Library, Class, Function, Namespace)):
        return value.name
    if isinstance(value, Module):
        return value.name or value.class_name
    if isinstance(value, str):
        return repr(value[:60])[:60]
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return "a large number"
    if isinstance(value, (int, float, bool, type(None))):
        return repr(value)[:60]
    if isinstance(value, Tensor):
        return value.text or "a tensor"
    return getattr(value, "text", "") or type(value).__name__.lower()  # a repetition has a text
