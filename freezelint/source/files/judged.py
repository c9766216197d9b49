"""What became of one file: findings, limits, and what they depend on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from freezelint.evidence import Limit, Trace
from freezelint.finding import Finding
from freezelint.source.files.project import Asked, Project
from freezelint.source.files.source_file import PassedOverError, SourceFile, UnreadableError

# Reads a file and judges it: all findings, whatever is selected, and what could not be established.
Judge = Callable[[SourceFile, Project], "tuple[tuple[Finding, ...], tuple[Limit, ...]]"]


@dataclass(frozen=True)
class Judged:
    """One file. `read` is False where it was passed over or is no source; `asked` are the modules of the
    project that the reading looked for.
    """

    path: str
    findings: tuple[Finding, ...] = ()
    limits: tuple[Limit, ...] = ()
    asked: tuple[Asked, ...] = ()
    read: bool = True
    lasting: bool = True  # the same bytes give the same again: not so after a crash


def judge_by_reading(file: SourceFile, project: Project) -> tuple[tuple[Finding, ...], tuple[Limit, ...]]:
    """The judge that runs use: the reader's."""
    from freezelint.source.judging import findings_of
    from freezelint.source.reader import read

    reading = read(file, project)
    return tuple(findings_of(reading)), tuple(reading.limits)


def preload() -> None:
    """Import what reading needs, so that forked processes have it already, and that an installation which
    lacks something is not taken for files that cannot be read.
    """
    import freezelint.source.judging
    import freezelint.source.reader  # noqa: F401
    from freezelint.registry import rules

    for rule in rules():
        if "source" in rule.witnesses:
            _ = rule.check


def judged(file: SourceFile, project: Project, judge: Judge) -> Judged:
    """What the judge says of a file; FRZ002 or a limit where it does not parse. Never raises."""
    try:
        project.sources.tree(file)
    except UnreadableError as error:
        return unreadable(file.path, error)
    except PassedOverError as error:
        return passed_over(file.path, error)
    try:
        findings, limits = judge(file, project)
    except Exception as error:  # one file less, not the whole run
        why = f"freezelint itself failed on it: {type(error).__name__}: {error}; please report it"
        limit = Limit(f"{file.path} was not read to its end", " ".join(why.split())[:300], file.path)
        return Judged(file.path, (), (limit,), project.asked, lasting=False)
    told = tuple(dict.fromkeys((*limits, *project.limits.values())))
    return Judged(file.path, findings, told, project.asked)


def unreadable(path: str, error: UnreadableError) -> Judged:
    """FRZ002."""
    from freezelint.judge import judge as judge_traces

    findings = judge_traces([Trace("source", path, failure=error.failure)])
    return Judged(path, tuple(findings), read=False)


def passed_over(path: str, error: PassedOverError) -> Judged:
    """A limit that says why."""
    return Judged(path, (), (error.limit,), read=False)


def crashed(path: str, why: str) -> Judged:
    """For a file whose reading took its process with it."""
    limit = Limit(f"{path} was not read to its end", f"{why}; please report it", path)
    return Judged(path, (), (limit,), lasting=False)


PYTHON = ".".join(map(str, sys.version_info[:2]))
