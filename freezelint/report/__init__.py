"""Telling the findings: one module a format, found by its name. Nothing else in freezelint prints.

A format is a module here with `render(outcome, style) -> str`; names with a leading underscore are helpers.
"""

from __future__ import annotations

import pkgutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import cast

from freezelint.costs import Measurement
from freezelint.evidence import Limit, Trace
from freezelint.finding import Finding


@dataclass(frozen=True)
class Outcome:
    """What a run has to tell: the findings, in the order of the report, what could not be established, and
    what was looked at.

    `targets` are as the user named them; `steps` counts the training steps that were watched and is None
    where nothing ran; `read` and `passed_over` count source files, `read` being None where no source was
    looked at. `texts` holds the sources that are in no file, by path (of a notebook its JSON). `suppressed`
    and `accepted` count what is not among the findings because of comments, and of the baseline. `fixed` are
    the findings that were mended, with what was done, which is listed where `show_fixes`; `unfixed` those
    that could not be, with the reason.
    """

    findings: tuple[Finding, ...]
    limits: tuple[Limit, ...] = ()
    targets: tuple[str, ...] = ()
    steps: int | None = None
    read: int | None = None
    passed_over: int = 0
    texts: Mapping[str, str] = field(default_factory=dict)
    suppressed: int = 0
    accepted: int = 0
    fixed: tuple[tuple[Finding, str], ...] = ()
    unfixed: tuple[tuple[Finding, str], ...] = ()
    show_fixes: bool = False
    measurements: tuple[Measurement, ...] = ()

    @classmethod
    def of_traces(cls, findings: Sequence[Finding], traces: Sequence[Trace]) -> Outcome:
        """What live audits have to tell."""
        return cls(
            tuple(findings),
            tuple(dict.fromkeys(limit for trace in traces for limit in trace.limits)),
            tuple(dict.fromkeys(trace.target for trace in traces)),
            sum(trace.steps_done for trace in traces),
            measurements=tuple(each for trace in traces for each in trace.measurements),
        )

    def count(self, severity: str) -> int:
        """How many findings have this severity."""
        return sum(finding.severity == severity for finding in self.findings)

    @property
    def by_rule(self) -> dict[str, int]:
        """How many findings each code has, in the order of the codes."""
        return dict(sorted(Counter(finding.code for finding in self.findings).items()))


@dataclass(frozen=True)
class Style:
    """How to tell it: in colour or not, counts alone (`statistics`), findings alone (`quiet`)."""

    color: bool = False
    statistics: bool = False
    quiet: bool = False


def formats() -> Sequence[str]:
    """The names of the formats."""
    return sorted(found.name for found in pkgutil.iter_modules(__path__) if not found.name.startswith("_"))


def render(outcome: Outcome, output_format: str, style: Style) -> str:
    """The report, with a newline at its end; empty when there is nothing to say."""
    told = cast("Callable[[Outcome, Style], str]", import_module(f"{__name__}.{output_format}").render)
    return told(outcome, style)
