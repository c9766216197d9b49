"""The events of one run, in order, with the modules held weakly until their paths are known."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from freezelint.evidence import Event, EventKind, Location

_IN_LOOPS: frozenset[EventKind] = frozenset(
    {"frozen", "unfrozen", "no-effect", "to-train", "to-eval", "norm-set"}
)
_MOST = 5000
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
        self._open: dict[tuple[Any, ...], Record] = {}

    def add(self, kind: EventKind, location: Location | None, *, key: str = "", **details: Any) -> Record:
        """Append an event, or continue the one that the same statement began. `key` keeps apart what must not
        be merged.
        """
        if kind not in _IN_LOOPS:
            self._open.clear()
            return self._append(kind, location, details)
        identity = (kind, location, key)
        record = self._open.get(identity)
        if record is None:
            record = self._open[identity] = self._append(kind, location, details)
        return record

    def _append(self, kind: EventKind, location: Location | None, details: dict[str, Any]) -> Record:
        if len(self.records) >= _MOST:
            # Endless toggling must not fill the memory: what comes now is no cause of anything.
            self.overflow = True
            return Record(UNRECORDED, kind, location, self.steps, not self.forwarded, details=details)
        record = Record(len(self.records), kind, location, self.steps, not self.forwarded, details=details)
        self.records.append(record)
        return record
