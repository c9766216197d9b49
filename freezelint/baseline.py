"""Findings that are known and accepted for now, in a file: only what is new is reported."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freezelint.errors import BadInputError
from freezelint.finding import Finding
from freezelint.fingerprints import Fingerprint, fingerprints
from freezelint.texts import Texts

VERSION = 1
_FIELDS = {"code": str, "path": str, "function": str, "source": str, "ordinal": int}


@dataclass(frozen=True)
class Entry:
    """One accepted finding. `witness` tells who saw it: what only a run saw cannot be missed without one."""

    fingerprint: Fingerprint
    witness: str

    def __str__(self) -> str:
        where = self.fingerprint
        function = f", in `{where.function}`" if where.function else ""
        return f"{where.path}: {where.code}{function}: {where.source}"


@dataclass(frozen=True)
class Baseline:
    """The accepted findings, and the file that they stand in: paths are relative to its directory."""

    path: Path
    entries: tuple[Entry, ...]

    def known(self, findings: Sequence[Finding], texts: Texts) -> list[bool]:
        """For each finding whether it is accepted."""
        accepted = {entry.fingerprint for entry in self.entries}
        return [each in accepted for each in fingerprints(findings, texts, self.path.parent)]

    def unmatched(
        self, findings: Sequence[Finding], texts: Texts, looked_at: Collection[str], *, ran: bool
    ) -> list[Entry]:
        """Entries that match no finding, though this run looked at their files (`looked_at`, real paths) and
        would have seen them.
        """
        found = set(fingerprints(findings, texts, self.path.parent))
        return [
            entry
            for entry in self.entries
            if entry.fingerprint not in found
            and (ran or entry.witness != "live")
            and os.path.realpath(self.path.parent / entry.fingerprint.path) in looked_at
        ]


def write_baseline(path: Path, findings: Sequence[Finding], texts: Texts) -> None:
    """Accept these findings. Raises BadInputError where the file cannot be written."""
    pairs = zip(fingerprints(findings, texts, path.parent), findings, strict=True)
    entries = sorted(
        ({**_data(fingerprint), "witness": finding.witness} for fingerprint, finding in pairs),
        key=lambda entry: tuple(entry.values()),
    )
    document = {"version": VERSION, "findings": entries}
    try:
        path.write_text(f"{json.dumps(document, indent=2, ensure_ascii=False)}\n", encoding="utf-8")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInputError(
            f"--write-baseline {path}: cannot be written: {reason}; name another file"
        ) from error


def read_baseline(path: Path) -> Baseline:
    """The baseline in this file. Raises BadInputError where there is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInputError(
            f"{path}: there is no such baseline; make it with `--write-baseline {path}`"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise BadInputError(f"{path}: the baseline cannot be read: {reason}") from error
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise BadInputError(
            f"{path}: is no baseline of this freezelint; make it anew with `--write-baseline {path}`"
        )
    found = document.get("findings")
    entries = [_entry(item) for item in found] if isinstance(found, list) else [None]
    if None in entries:
        raise BadInputError(
            f"{path}: is no baseline: its entry {entries.index(None) + 1} lacks one of {', '.join(_FIELDS)}"
        )
    return Baseline(path, tuple(entry for entry in entries if entry is not None))


def _data(fingerprint: Fingerprint) -> dict[str, Any]:
    return {name: getattr(fingerprint, name) for name in ("path", "code", "function", "source", "ordinal")}


def _entry(item: Any) -> Entry | None:
    if not isinstance(item, dict):
        return None
    if not all(type(item.get(name)) is kind for name, kind in _FIELDS.items()):
        return None
    return Entry(Fingerprint(*(item[name] for name in _FIELDS)), str(item.get("witness", "source")))
