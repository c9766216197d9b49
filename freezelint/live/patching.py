"""Replacing attributes of other people's classes for a while, and putting every one back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_ABSENT = object()


class Patches:
    """What was replaced for the time of an audit. Undone in reverse order, so that nested replacements unwind
    correctly.
    """

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def replace(self, owner: Any, name: str, value: Any) -> Any:
        """Set `owner.name` to `value`; returns what calling code saw there before."""
        own = vars(owner).get(name, _ABSENT)
        seen = getattr(owner, name)
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
