"""What `freezelint check` has to fix: the units that its findings came from, and how they are looked at."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from freezelint.finding import Finding
from freezelint.fixing.drafts import Drafts
from freezelint.fixing.looking import ReadFile, Telling
from freezelint.source.files.judged import Judged
from freezelint.source.files.project import Sources


def read_files(
    answers: Sequence[Judged],
    findings: Sequence[Finding],
    roots: Sequence[Path],
    telling: Callable[[str], Telling],
    closed: Callable[[str], bool],
) -> list[ReadFile]:
    """The files whose reading gave findings, and those that share a file with one of them, which a fix may
    change unless it is `closed`: scripts before the modules that they import, since who runs a module knows
    more of it.
    """
    sources = Sources()
    concerned = {os.path.realpath(finding.path) for finding in findings}
    asks = _asked(answers)
    own = {answer.path: os.path.realpath(answer.path) for answer in answers}
    finding_ones = {path for path in asks if own[path] in concerned or asks[path] & concerned}
    reach = concerned.union(*(asks[path] for path in finding_ones))
    units = []
    for answer in answers:
        depends = asks[answer.path]
        if answer.read and (own[answer.path] in reach or depends & reach):
            finds = bool(answer.findings) or own[answer.path] in concerned
            path = Path(answer.path).absolute()
            tell = telling(answer.path)
            units.append(
                ReadFile(answer.path, path, sources, tell, depends, tuple(roots), finds=finds, closed=closed)
            )
    return sorted(units, key=lambda unit: -len(unit.asks))


def standard_input(name: str, telling: Telling, path: Path | None) -> ReadFile:
    """The source on standard input."""
    return ReadFile(name, path, Sources(), telling, closed=lambda _: True)


def _asked(answers: Sequence[Judged]) -> dict[str, frozenset[str]]:
    """For each file the real paths of the modules that its reading asked for."""
    return {
        answer.path: frozenset(
            os.path.realpath(each.found) for each in answer.asked if each.found is not None
        )
        for answer in answers
    }


def drafts_of(given: dict[str, bytes]) -> Drafts:
    """The files as they are."""
    return Drafts(given={os.path.realpath(path): data for path, data in given.items()})
