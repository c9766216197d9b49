"""Many files to findings: what to pass over, what is known already, what to read, in how many processes."""

from __future__ import annotations

import gc
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from freezelint.evidence import Limit, Location
from freezelint.finding import Finding
from freezelint.source.files.cache import Cache, digest
from freezelint.source.files.discovery import may_concern
from freezelint.source.files.judged import (
    Judge,
    Judged,
    judge_by_reading,
    judged,
    passed_over,
    preload,
    unreadable,
)
from freezelint.source.files.project import Project, Sources, shown_path
from freezelint.source.files.source_file import (
    STANDARD_INPUT,
    STUB,
    PassedOverError,
    SourceFile,
    UnreadableError,
    decoded,
    read_bytes,
)

# Fewer files than this are read before a pool of processes has started.
_WORTH_A_POOL = 4
# New objects after which garbage is looked for between files, and in the midst of one.
_MANY_OBJECTS = 5_000
_MOST_OBJECTS = 1_000_000
# What a comment that names one of our rules says somewhere.
_SUPPRESSING = b"FRZ"


@dataclass(frozen=True)
class Checked:
    """What a run of the source reader found, in the order of the report. `suppressing` are the files that may
    hold comments which suppress findings, and that were read to their end, without limits; `answers`
    what became of each file.
    """

    findings: tuple[Finding, ...] = ()
    limits: tuple[Limit, ...] = ()
    read: int = 0
    passed_over: int = 0
    suppressing: tuple[str, ...] = ()
    answers: tuple[Judged, ...] = ()


def check_files(
    paths: Sequence[Path],
    *,
    named: frozenset[Path] = frozenset(),
    roots: Sequence[Path] = (),
    jobs: int | None = None,
    cache: Cache | None = None,
    judge: Judge = judge_by_reading,
) -> Checked:
    """Read these files and judge them. Those that are `named` are read even where they do not look as if they
    concerned us. The result does not depend on `jobs`.
    """
    sources = Sources()
    known: dict[int, Judged] = {}
    commented: set[str] = set()
    pending: list[tuple[int, int, str]] = []  # size, position, digest
    for position, path in enumerate(paths):
        try:
            data = _looked_at(path)
        except UnreadableError as error:
            known[position] = unreadable(shown_path(path), error)
            continue
        except PassedOverError as error:
            known[position] = passed_over(shown_path(path), error)
            continue
        if _SUPPRESSING in data:
            commented.add(shown_path(path))
        content = "" if cache is None else digest(data)
        found = None if cache is None else _remembered(cache, path, content, named, roots, sources)
        if found is None and path not in named and not may_concern(data):
            found = Judged(shown_path(path), read=False)
            if cache is not None:
                cache.remember_nothing(content)
        if found is not None:
            known[position] = found
        else:
            pending.append((len(data), position, content))
    contents = {position: content for _, position, content in pending}
    # The largest first, so that no process is left with a large one at the end.
    order = [position for _, position, _ in sorted(pending, key=lambda item: (-item[0], item[1]))]
    for position, answer in _judged(paths, order, roots, jobs or available(), judge, sources):
        known[position] = answer
        if cache is not None:
            cache.put(contents[position], answer)
    if cache is not None:
        cache.save()
    return _together([known[position] for position in range(len(paths))], commented)


def check_text(
    data: bytes, name: str | None, roots: Sequence[Path] = (), judge: Judge = judge_by_reading
) -> tuple[Checked, dict[str, str]]:
    """Read what came on standard input, as if it were in the file `name`; also the text by its shown path,
    for the report.
    """
    shown, place = (STANDARD_INPUT, None) if name is None else (shown_path(Path(name)), Path(name).absolute())
    try:
        file = decoded(data, shown, place)
    except UnreadableError as error:
        return _together([unreadable(shown, error)]), {}
    except PassedOverError as error:
        return _together([passed_over(shown, error)]), {}
    commented = {shown} if _SUPPRESSING in data else ()
    return _together([judged(file, Project(file, roots, Sources()), judge)], commented), {shown: file.text}


def judge_path(path: Path, roots: Sequence[Path], judge: Judge, sources: Sources) -> Judged:
    """Read and judge one file."""
    try:
        file: SourceFile = sources.load(path)
        sources.tree(file)
    except UnreadableError as error:
        return unreadable(shown_path(path), error)
    except PassedOverError as error:
        return passed_over(shown_path(path), error)
    _settle()
    return judged(file, Project(file, roots, sources), judge)


def calm_collector() -> None:
    """Look for garbage between files only, in a process that does nothing but read: trees and traces are many
    objects, most of them alive.
    """
    gc.freeze()
    gc.set_threshold(_MOST_OBJECTS, 1000, 1000)


def sweep() -> None:
    """Collect what the reading of a file has left, if that is much."""
    if _is_calm() and gc.get_count()[0] > _MANY_OBJECTS:
        gc.collect()


def _settle() -> None:
    """What there is now, the tree that was just parsed above all, need not be looked through for garbage."""
    if _is_calm():
        gc.freeze()


def _is_calm() -> bool:
    return gc.get_threshold()[0] == _MOST_OBJECTS


def available() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def _looked_at(path: Path) -> bytes:
    shown = shown_path(path)
    if path.suffix == STUB:
        raise PassedOverError(shown, "a type stub holds no code")
    return read_bytes(path, shown)


def _remembered(
    cache: Cache,
    path: Path,
    content: str,
    named: frozenset[Path],
    roots: Sequence[Path],
    sources: Sources,
) -> Judged | None:
    if path not in named and cache.is_nothing(content):
        return Judged(shown_path(path), read=False)
    return cache.get(path, content, roots, sources)


def _judged(
    paths: Sequence[Path],
    order: Sequence[int],
    roots: Sequence[Path],
    jobs: int,
    judge: Judge,
    sources: Sources,
) -> list[tuple[int, Judged]]:
    if order and judge is judge_by_reading:
        preload()
    if jobs == 1 or len(order) < _WORTH_A_POOL:
        answers = []
        for position in order:
            answers.append((position, judge_path(paths[position], roots, judge, sources)))
            sweep()
        return answers
    from freezelint.source.files.workers import judge_in_parallel

    found = judge_in_parallel([paths[position] for position in order], jobs, roots, judge)
    return [(order[position], answer) for position, answer in found]


def _together(answers: Sequence[Judged], commented: Collection[str] = ()) -> Checked:
    findings = _each_once(answers)
    limits = dict.fromkeys(limit for answer in answers for limit in answer.limits)
    read = sum(answer.read for answer in answers)
    passed = sum(not answer.read and not answer.findings for answer in answers)
    suppressing = tuple(
        answer.path for answer in answers if answer.path in commented and answer.read and not answer.limits
    )
    return Checked(tuple(findings), tuple(limits), read, passed, suppressing, tuple(answers))


def _each_once(answers: Sequence[Judged]) -> list[Finding]:
    """A fault in a helper shows in every script that uses the helper, and in the helper itself: it is told
    once, by whoever knows most of it.
    """
    places: dict[tuple[str, tuple[str, int]], dict[int, list[Finding]]] = {}
    for number, answer in enumerate(answers):
        for finding in answer.findings:
            by_file = places.setdefault((finding.code, finding.location.at()), {})
            by_file.setdefault(number, []).append(finding)
    told: list[Finding] = []
    for by_file in places.values():
        most = max(by_file, key=lambda number: (_knowledge(by_file[number]), -number))
        others = [finding for number, found in by_file.items() if number != most for finding in found]
        told.extend(_with_places(finding, others) for finding in by_file[most])
    return sorted(told, key=lambda finding: finding.sort_key)


def _knowledge(findings: Sequence[Finding]) -> tuple[int, int]:
    subjects = {subject for finding in findings for subject in finding.subjects}
    return len(subjects), sum(len(finding.related) for finding in findings)


def _with_places(finding: Finding, others: Sequence[Finding]) -> Finding:
    known: set[tuple[Location, str]] = {(place.location, place.message) for place in finding.related}
    more = []
    for other in others:
        for place in other.related:
            if (place.location, place.message) not in known:
                known.add((place.location, place.message))
                more.append(place)
    return replace(finding, related=(*finding.related, *more)) if more else finding
