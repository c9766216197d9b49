"""The events of one run, in order, with the modules held weakly until their paths are known."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from freezelint.evidence import Event, EventKind, Location

_IN_LOOPS: frozenset[EventKind] = frozenset(
    {"frozen", "unfrozen", "no-effect", "to-train", "to-eval", "norm-set"}
)
_CHANGES: frozenset[EventKind] = frozenset(
    {"frozen", "unfrozen", "to-train", "to-eval", "replaced", "group-added", "optimizer-built", "norm-set"}
)
_MOST = 5000
_MOST_OF_ONE = 50  # events of one kind that one statement makes in turns with others
UNRECORDED = -1


@dataclass
class Record:
    """An event in the making. `receivers` are the modules it concerns; `parent` the module that got a new
    child.
    """

    index: int
    kind: EventKind
    location: Location | None
    steps_before: int
    before_forward: bool
    parameters: dict[int, None] = field(default_factory=dict)
    receivers: list[weakref.ref[nn.Module]] = field(default_factory=list)
    paths: dict[tuple[int, str], None] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    def evidence(self) -> Event:
        return Event(
            index=self.index,
            kind=self.kind,
            location=self.location,
            parameters=tuple(self.parameters),
            modules=tuple(self.paths),
            steps_before=self.steps_before,
            before_forward=self.before_forward,
            **self.details,
        )


class Journal:
    """Collects events. What one statement does in a loop is one event, as long as nothing but flags and modes
    changes meanwhile.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.steps = 0
        self.forwarded = False
        self.overflow = False
        self.on_change: Callable[[], None] = lambda: None
        self._open: dict[tuple[Any, ...], Record] = {}
        self._of_one: dict[tuple[EventKind, Location | None], list[Record]] = {}

    def add(self, kind: EventKind, location: Location | None, *, key: str = "", **details: Any) -> Record:
        """Append an event, or continue the one that the same statement began. `key` keeps apart what must not
        be merged.
        """
        if kind in _CHANGES:
            self.on_change()
        if kind not in _IN_LOOPS:
            self._open.clear()
            return self._append(kind, location, details)
        identity = (kind, location, key)
        record = self._open.get(identity)
        if record is None:
            record = self._open[identity] = self._append(kind, location, details)
        return record

    def _append(self, kind: EventKind, location: Location | None, details: dict[str, Any]) -> Record:
        same = self._of_one.setdefault((kind, location), [])
        if len(same) >= _MOST_OF_ONE:
            # A loop without end repeats itself: its latest event stands for all that follow.
            return same[-1]
        if len(self.records) >= _MOST:
            # Memory has an end too: what comes now is no cause of anything.
            self.overflow = True
            return Record(UNRECORDED, kind, location, self.steps, not self.forwarded, details=details)
        record = Record(len(self.records), kind, location, self.steps, not self.forwarded, details=details)
        self.records.append(record)
        same.append(record)
        return record
