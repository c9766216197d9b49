"""Looking at the variables of a function that is running, without keeping anything alive."""

from __future__ import annotations

import inspect
import sys
from types import FrameType
from typing import Any


class Names:
    """The variables of a frame, read only when one is asked for, inside a `with`.

    Before Python 3.13 the frame of a function keeps a copy of its variables once somebody has asked. It would
    keep alive what the user deletes later (a loaded checkpoint), so it is emptied on leaving.
    """

    def __init__(self, frame: FrameType) -> None:
        self._frame = frame
        self._locals: dict[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        """A variable that the frame's code would see under this name. Raises KeyError where there is none."""
        found = self.locals()
        return found[name] if name in found else self._frame.f_globals[name]

    def locals(self) -> dict[str, Any]:
        """The frame's own variables, to be used only inside the `with`."""
        if self._locals is None:
            self._locals = self._frame.f_locals
        return self._locals

    def holds_first(self, owner: object) -> bool:
        """Whether the frame runs a method of `owner`: its first variable is that object."""
        names = self._frame.f_code.co_varnames
        return bool(names) and self.locals().get(names[0]) is owner

    def __enter__(self) -> Names:
        return self

    def __exit__(self, *_: object) -> None:
        copy, self._locals = self._locals, None
        of_a_function = self._frame.f_code.co_flags & inspect.CO_OPTIMIZED
        # Three references: the frame's, `copy`, the argument of getrefcount. More mean that the user's own
        # `locals()` has it.
        if copy and of_a_function and sys.version_info < (3, 13) and sys.getrefcount(copy) <= 3:
            copy.clear()
