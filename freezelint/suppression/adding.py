"""`--add-noqa`: the findings of today become comments, and nothing else in the files changes."""

from __future__ import annotations

import io
import os
import tokenize
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from freezelint.editing import NotEditableError, edited, insertion, write
from freezelint.finding import Edit, Finding
from freezelint.source.files.source_file import NOTEBOOK
from freezelint.suppression.applying import comments_of, suppress
from freezelint.suppression.comments import Suppression
from freezelint.texts import Texts

# The tool's own rules tell that something was not checked: that is no line's fault.
_OWN_FAMILY = "FRZ0"
_Line = tuple[int | None, int]


@dataclass(frozen=True)
class Added:
    """How many findings are suppressed by the new comments, in which files, and why others are not."""

    findings: int = 0
    files: tuple[str, ...] = ()
    refused: tuple[tuple[Finding, str], ...] = ()


def add_noqa(findings: Sequence[Finding]) -> Added:
    """Write `# noqa` with their codes to the lines of these findings."""
    by_file: dict[str, list[Finding]] = {}
    refused = [(each, "no comment suppresses what was not checked") for each in findings if _own(each)]
    for finding in findings:
        if not _own(finding):
            by_file.setdefault(os.path.realpath(finding.path), []).append(finding)
    count, files = 0, []
    for path, found in by_file.items():
        done, why = _in_file(Path(path), found)
        refused += why
        count += done
        if done:
            files.append(found[0].path)
    return Added(count, tuple(files), tuple(refused))


def _in_file(path: Path, findings: Sequence[Finding]) -> tuple[int, list[tuple[Finding, str]]]:
    """How many of these findings of one file are suppressed now, and why the others are not."""
    name = findings[0].path
    texts = Texts()
    refused: list[tuple[Finding, str]] = []
    by_line: dict[_Line, list[Finding]] = {}
    for finding in findings:
        line = _line(finding, texts)
        if line is None:
            refused.append((finding, "its line has no place for a comment"))
        else:
            by_line.setdefault((finding.location.cell, line), []).append(finding)
    insertions = [_comment(name, line, found, texts) for line, found in by_line.items()]
    meant = [finding for found in by_line.values() for finding in found]
    if not insertions:
        return 0, refused
    try:
        data = edited(path.read_bytes(), insertions)
        if not _holds(name, data, meant):
            raise NotEditableError("the comments would not be read as such")
        write(path, data)
    except (NotEditableError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return 0, [*refused, *((finding, reason) for finding in meant)]
    return len(meant), refused


def _own(finding: Finding) -> bool:
    return finding.code.startswith(_OWN_FAMILY)


def _line(finding: Finding, texts: Texts) -> int | None:
    """The line for the comment: that of the finding, or the last one of its statement where a string or a
    backslash goes on at its end.
    """
    where = finding.location
    lines = texts.lines(where.path, where.cell)
    comments = comments_of(lines, where.cell, look=True)
    for line in (where.line, comments.ends.get(where.line, where.line)):
        if line in comments.open_lines and line <= len(lines):
            return line
    return None


def _comment(path: str, at: _Line, findings: Sequence[Finding], texts: Texts) -> Edit:
    """The codes behind those that a comment lists already, else a comment of its own."""
    cell, number = at
    lines = texts.lines(path, cell)
    line = lines[number - 1]
    codes = ", ".join(sorted({finding.code for finding in findings}))
    listed = _listed(comments_of(lines, cell).by_line.get(number, ()))
    if listed is not None:
        end = line.rfind(listed.text) + len(listed.text)
        return insertion(path, number, end + 1, f", {codes}", cell)
    return insertion(path, number, len(line) + 1, f"  # noqa: {codes}", cell)


def _listed(suppressions: Iterable[Suppression]) -> Suppression | None:
    return next((each for each in suppressions if each.codes is not None), None)


def _holds(path: str, data: bytes, findings: Sequence[Finding]) -> bool:
    """Whether the new text suppresses all of these findings."""
    texts = Texts({path: _text(path, data)})
    placed = [_at(finding, path) for finding in findings]
    return len(suppress(placed, texts, (), ()).suppressed) == len(placed)


def _at(finding: Finding, path: str) -> Finding:
    """The finding with the path as this file is called, whatever a witness called it."""
    return replace(finding, location=replace(finding.location, path=path), related=())


def _text(path: str, data: bytes) -> str:
    if path.endswith(NOTEBOOK):
        return data.decode("utf-8-sig")
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return data.decode(encoding)
