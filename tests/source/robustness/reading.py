"""Reading that complains of faults of the reader's own."""

from __future__ import annotations

from collections.abc import Iterable

from freezelint.evidence import Limit
from freezelint.finding import Finding
from freezelint.source.files.checking import check_text
from freezelint.source.files.project import Project
from freezelint.source.files.source_file import SourceFile
from freezelint.source.judging import findings_of
from freezelint.source.reader import read as read_file

# What a limit says where an exception of the reader's own was caught, or where a file was given up.
_FAULTS = ("freezelint could not follow it", "please report it", "it takes longer than")


def faults_of(limits: Iterable[Limit]) -> list[str]:
    """What these limits tell of faults of the reader's own."""
    return [limit.why for limit in limits if any(fault in limit.why for fault in _FAULTS)]


def judge_in_full(file: SourceFile, project: Project) -> tuple[tuple[Finding, ...], tuple[Limit, ...]]:
    """The usual judge, for files that do not look as if they concerned us, too."""
    reading = read_file(file, project, in_full=True)
    return tuple(findings_of(reading)), reading.limits


def read(text: str) -> tuple[Finding, ...]:
    """What is found in this text; to raise, or to come to no end by itself, is a fault."""
    checked, _ = check_text(text.encode("utf-8", "surrogatepass"), "train.py", judge=judge_in_full)
    assert faults_of(checked.limits) == [], text
    return checked.findings
