"""Replacing attributes of other people's classes for a while, and putting every one back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from functools import update_wrapper
from types import CodeType, FunctionType, ModuleType
from typing import Any, TypeVar

_ABSENT = object()
# Kept among the constants of a function's code, where a traceback finds it: frames do not know functions.
_MARK = "freezelint: a call of the user's passes through here"

_Passing = TypeVar("_Passing")


class Patches:
    """What was replaced for the time of an audit. Undone in reverse order, so that nested replacements unwind
    correctly.
    """

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def replace(self, owner: Any, name: str, value: Any) -> Any:
        """Set `owner.name` to `value`; returns what calling code saw there before.

        A function or class made for this goes by that name, so that pickle finds it by its name.
        """
        own = vars(owner).get(name, _ABSENT)
        seen = getattr(owner, name)
        made = getattr(value, "__func__", value)
        if not _is_known(made):
            _name_after(passes_through(made), owner, name, seen)
        self.afterwards(lambda: delattr(owner, name) if own is _ABSENT else setattr(owner, name, own))
        setattr(owner, name, value)
        return seen

    def afterwards(self, undo: Callable[[], None]) -> None:
        """Have something else undone with the rest: a hook removed, a context left."""
        self._undo.append(undo)

    def undo(self) -> None:
        """Put everything back, attributes that were only inherited included."""
        while self._undo:
            self._undo.pop()()


def passes_through(function: _Passing) -> _Passing:
    """Mark a function of ours that hands a call of the user's on, and so may raise what the call raises."""
    for part in _functions(function):
        code = part.__code__
        if not is_pass_through(code):
            part.__code__ = code.replace(co_consts=(*code.co_consts, _MARK))
    return function


def is_pass_through(code: CodeType) -> bool:
    """Whether this is the code of a function that `passes_through` has marked."""
    return _MARK in code.co_consts


def _functions(value: Any) -> list[FunctionType]:
    """The Python functions that run when an attribute with this value is used."""
    parts = (value.fget, value.fset, value.fdel) if isinstance(value, property) else (value,)
    inner = (getattr(part, "__func__", part) for part in parts)
    return [part for part in inner if isinstance(part, FunctionType)]


def _name_after(made: Any, owner: Any, name: str, seen: Any) -> None:
    """Give what was made to replace `owner.name` the name that leads there."""
    if not isinstance(made, (FunctionType, type)):
        return
    if isinstance(made, FunctionType):
        update_wrapper(made, getattr(seen, "__func__", seen))
    # The original may go by another name: an alias, a base class, the module that it was imported from.
    if isinstance(owner, ModuleType):
        made.__module__, made.__qualname__ = owner.__name__, name
    elif isinstance(owner, type):
        made.__module__, made.__qualname__ = owner.__module__, f"{owner.__qualname__}.{name}"
    made.__name__ = name


def _is_known(value: Any) -> bool:
    """Whether the name of a function or class leads to it: it was not made to replace something."""
    found: Any = sys.modules.get(getattr(value, "__module__", None) or "")
    with suppress(AttributeError):
        for part in value.__qualname__.split("."):
            found = getattr(found, part)
        return found is value
    return False
