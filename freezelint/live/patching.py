"""Replacing attributes of other people's classes for a while, and putting every one back."""

from __future__ import annotations

from typing import Any

_ABSENT = object()


class Patches:
    """Attributes replaced for the time of an audit. Undone in reverse order, so that nested replacements unwind correctly."""

    def __init__(self) -> None:
        self._undo: list[tuple[Any, str, Any]] = []

    def replace(self, owner: Any, name: str, value: Any) -> Any:
        """Set `owner.name` to `value`; returns what calling code saw there before."""
        own = vars(owner).get(name, _ABSENT)
        seen = getattr(owner, name)
        self._undo.append((owner, name, own))
        setattr(owner, name, value)
        return seen

    def undo(self) -> None:
        """Put everything back, attributes that were only inherited included."""
        while self._undo:
            owner, name, own = self._undo.pop()
            if own is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, own)
