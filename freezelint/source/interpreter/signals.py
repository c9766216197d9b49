"""How control leaves a statement of the script that is read."""

from __future__ import annotations

from typing import Any


class Signal(Exception):  # noqa: N818 - it is no error that leaves a block
    """Base of everything that ends a block early."""


class BreakSignal(Signal):
    """`break`."""


class ContinueSignal(Signal):
    """`continue`."""


class ReturnSignal(Signal):
    """`return value`."""

    def __init__(self, value: Any) -> None:
        self.value = value


class RaisedSignal(Signal):
    """An exception of the script; `name` is that of its class."""

    def __init__(self, name: str, value: Any = None) -> None:
        super().__init__(name)
        self.name = name
        self.value = value


class ExitSignal(Signal):
    """The script ends: `sys.exit()`, or an exception that nothing catches."""


class BudgetError(Exception):
    """The script is larger than the reader is ready to follow; the text says which measure ran out."""
