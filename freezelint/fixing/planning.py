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
) -> list[ReadFile]:
    """The files whose reading gave findings, or that such files depend on: scripts before the modules that
    they import, since who runs a module knows more of it.
    """
    sources = Sources()
    concerned = {os.path.realpath(finding.path) for finding in findings}
    asks = _asked(answers)
    units = []
    for answer in answers:
        depends = asks[answer.path]
        if answer.read and (os.path.realpath(answer.path) in concerned or depends & concerned):
            path = Path(answer.path).absolute()
            units.append(ReadFile(answer.path, path, depends, tuple(roots), sources, telling(answer.path)))
    return sorted(units, key=lambda unit: -len(unit.asks))


def standard_input(name: str, telling: Telling, path: Path | None) -> ReadFile:
    """The source on standard input."""
    return ReadFile(name, path, frozenset(), (), Sources(), telling)


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
