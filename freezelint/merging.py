"""What two witnesses say of one fault is one finding."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace

from freezelint.evidence import Location
from freezelint.finding import Finding, Related
from freezelint.judge import overlap

FOUND_IN_SOURCE = "found here in the source"


def merged(source: Sequence[Finding], live: Sequence[Finding]) -> list[Finding]:
    """The findings of both witnesses, each fault once, in the order of the report.

    Findings are of one fault where they have one rule, and their statement or some of their subjects in
    common. The live audit's words are kept: it has measured. What only one of them saw stays: the source
    reader also knows the paths that a run did not take.
    """
    partners: dict[int, list[Finding]] = {}
    alone: list[Finding] = []
    for finding in source:
        match = _match(finding, live)
        if match is None:
            alone.append(finding)
        else:
            partners.setdefault(match, []).append(finding)
    both = [
        _united(finding, partners[number]) if number in partners else finding
        for number, finding in enumerate(live)
    ]
    return sorted([*alone, *both], key=lambda finding: finding.sort_key)


def _match(finding: Finding, live: Sequence[Finding]) -> int | None:
    """The position of the live finding of the same fault, the best one where there are several."""
    best, closest = None, 0
    for number, other in enumerate(live):
        if other.code != finding.code:
            continue
        same_file = _file(other.location) == _file(finding.location)
        close = 2 * (same_file and _at(other.location) == _at(finding.location)) + overlap(other, finding)
        if close > closest:
            best, closest = number, close
    return best


def _united(live: Finding, source: Iterable[Finding]) -> Finding:
    location, related, evidence = live.location, list(live.related), dict(live.evidence)
    known = {_at(location), *(_at(place.location) for place in related)}
    for finding in source:
        exact = finding.location
        if location.end_column is None and _at(exact) == _at(location):
            # Python before 3.11 does not tell a running program its columns.
            location = replace(
                location, column=exact.column, end_line=exact.end_line, end_column=exact.end_column
            )
        for place in (*finding.related, Related(exact, FOUND_IN_SOURCE)):
            if _at(place.location) not in known:
                known.add(_at(place.location))
                related.append(place)
        evidence = {**finding.evidence, **evidence}
    return replace(live, witness="both", location=location, related=tuple(related), evidence=evidence)


def _at(location: Location) -> tuple[str, int | None, int]:
    return (_file(location), location.cell, location.line)


def _file(location: Location) -> str:
    return os.path.realpath(location.path)
