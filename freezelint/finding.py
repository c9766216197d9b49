"""Findings: what a rule says about the evidence. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from freezelint.evidence import Location

Severity = Literal["error", "warning", "info"]
# Whether a fix keeps what the code is meant to do ("safe"), or may change it ("unsafe").
Applicability = Literal["safe", "unsafe"]


@dataclass(frozen=True)
class Related:
    """A second place that belongs to the fault, and what happened there."""

    location: Location
    message: str


@dataclass(frozen=True)
class Fault:
    """What a check found: a judgement without the code, name and severity, which the rule's page owns.

    `subjects` are the dotted paths of the parameters (or modules) concerned, prefixed with the name of the
    model: they decide whether one finding is the consequence of another. `location` is the user's statement
    that caused the fault; None where nothing is known, and the finding then points to the first line of the
    target.
    """

    message: str
    location: Location | None
    subjects: tuple[str, ...] = ()
    related: tuple[Related, ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Edit:
    """`text`, its lines ended by a newline, takes the place of what stands at `location`, whose end is not
    included; where it ends as it begins, nothing is replaced.
    """

    location: Location
    text: str

    @property
    def path(self) -> str:
        return self.location.path


@dataclass(frozen=True)
class Fix:
    """Edits that mend a finding, proven by looking again; `title` says what they do."""

    title: str
    applicability: Applicability
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Finding:
    """A fault with its rule. `path`, `line` and columns (from 1) repeat the location, as consumers expect
    them. `fix` is there where one was asked for and found.
    """

    code: str
    name: str
    severity: Severity
    message: str
    location: Location
    subjects: tuple[str, ...]
    witness: Literal["source", "live", "both"]
    related: tuple[Related, ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict)
    fix: Fix | None = None

    @property
    def path(self) -> str:
        return self.location.path

    @property
    def line(self) -> int:
        return self.location.line

    @property
    def sort_key(self) -> tuple[str, int, int, int, str, str]:
        """Order of the report: by place, then by code."""
        where = self.location
        return (where.path, where.cell or 0, where.line, where.column, self.code, self.message)
