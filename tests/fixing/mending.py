"""Mending sources in tests: as `freezelint check --fix` does it, by the source reader."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from freezelint.finding import Finding
from freezelint.fix_command import Looked, Wanted, fixed
from freezelint.fixing.fixes import Fixed
from freezelint.registry import rules
from freezelint.selection import Selection
from freezelint.source.files.checking import check_files
from freezelint.suppression.applying import Read
from freezelint.texts import Texts
from freezelint.verdict import Wishes, decide


@dataclass(frozen=True)
class Mended:
    """What became of the files: `text` is that of the first, `texts` those of all by name. `applied` are the
    codes of what was mended, `refused` the reasons by code.
    """

    text: str
    texts: Mapping[str, str]
    applied: tuple[str, ...]
    refused: Mapping[str, str]
    titles: tuple[str, ...]
    left: tuple[Finding, ...]


def mended(directory: Path, *names: str, unsafe: bool = False, extend: tuple[str, ...] = ()) -> Mended:
    """Fix these files of a directory; nothing is written. `extend` are rules that are off by default."""
    paths = [directory / name for name in names]
    before = _read(paths, directory, extend)
    done = _fixed(before, unsafe=unsafe)
    texts = {name: _text(done, directory / name) for name in names}
    return Mended(
        texts[names[0]],
        texts,
        tuple(each.finding.code for each in done.applied),
        {finding.code: reason for finding, reason in done.refused},
        tuple(each.mend.title for each in done.applied),
        tuple(finding for finding, _ in done.refused),
    )


@dataclass(frozen=True)
class _Before:
    looked: Looked
    findings: tuple[Finding, ...]
    wishes: Wishes


def _read(paths: list[Path], directory: Path, extend: tuple[str, ...]) -> _Before:
    checked = check_files(paths, named=frozenset(paths), roots=[directory], jobs=1)
    wishes = Wishes(rules(), Selection(extend_select=extend).codes(rules()))
    read = [Read(path) for path in checked.suppressing]
    verdict = decide(checked.findings, Texts(), wishes, read=read)
    looked = Looked(checked.answers, frozenset(checked.suppressing), (directory,))
    return _Before(looked, verdict.findings, wishes)


def _fixed(before: _Before, *, unsafe: bool) -> Fixed:
    fixable = frozenset(rule.code for rule in rules() if rule.fix != "none")
    done, _ = fixed(before.looked, before.findings, before.wishes, Wanted(unsafe=unsafe, fixable=fixable))
    return done


def _text(done: Fixed, path: Path) -> str:
    data = done.drafts.read(os.path.realpath(path))
    return data.decode()
