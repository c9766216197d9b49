"""Containers that may hold more than is known, as they were filled in a loop of unknown length.

Of `ModuleList([Block() for _ in range(depth)])` two blocks are made; that there may be others is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezelint.source.interpreter.values import Unknown, Value

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


class Parts:
    """The containers of one run, by identity; they are kept alive, so that the identity stays theirs."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._begun: dict[int, tuple[Value, int]] = {}  # made inside of such loops: inside of how many
        self._open: dict[int, Value] = {}

    def made(self, container: Value) -> Value:
        """A container begins here: what the loops around it repeat is the container, not its elements."""
        if self._machine.unmeasured:
            self._begun[id(container)] = (container, self._machine.unmeasured)
        return container

    def added(self, container: Value) -> None:
        """The container got an element."""
        known = self._begun.get(id(container))
        if self._machine.unmeasured > (known[1] if known else 0):
            self.open(container)

    def open(self, container: Value) -> None:
        """The container may hold more than is known."""
        self._open[id(container)] = container

    def may_hold_more(self, container: Value) -> bool:
        """Whether there may be elements that nobody knows."""
        if isinstance(container, Unknown):
            container = container.hint
        return id(container) in self._open

    def taken(self, result: Any, *sources: Value) -> Any:
        """`result` was made of the elements of these."""
        if any(self.may_hold_more(source) for source in sources):
            self.open(result)
        return result
