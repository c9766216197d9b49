"""What a correction did, and what it could not do: plain data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from freezelint.finding import Finding


@dataclass(frozen=True)
class Done:
    """Something that was corrected, as the continuation of "FRZ201: "."""

    what: str


@dataclass(frozen=True)
class Refused:
    """Something that was left as it is, and why."""

    why: str


# What the correction of one rule gives, a word for each thing that it did or refused.
Words: TypeAlias = Iterator["Done | Refused"]


class Phase(IntEnum):
    """When a correction takes its turn: what is trainable decides what belongs into the groups."""

    UNFREEZE = 0
    FREEZE = 1
    FILL_GROUPS = 2
    EMPTY_GROUPS = 3
    MODES = 4


@dataclass(frozen=True)
class Correction:
    """What was done about one finding. `refused` tells, with reasons, what was not; `str()` tells both."""

    finding: Finding
    done: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """The rule's code."""
        return self.finding.code

    def __str__(self) -> str:
        told = [*self.done, *(f"not corrected: {why}" for why in self.refused)]
        return f"{self.finding.code} {self.finding.name}: {'; '.join(told)}"
