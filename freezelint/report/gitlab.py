"""GitLab's code quality report. It has no place for limits."""

from __future__ import annotations

import json
from pathlib import Path

from freezelint.fingerprints import fingerprints
from freezelint.report import Outcome, Style
from freezelint.report._words import at, shown
from freezelint.texts import Texts

_SEVERITIES = {"error": "major", "warning": "minor", "info": "info"}


def render(outcome: Outcome, style: Style) -> str:  # noqa: ARG001 - the report has one style
    """A JSON array of issues. Their fingerprints survive moved lines: only what is new is shown as new."""
    texts = Texts(outcome.texts)
    names = fingerprints(outcome.findings, texts, Path.cwd())
    issues = []
    for finding, name in zip(outcome.findings, names, strict=True):
        where = finding.location
        begin = texts.line_in_file(where)
        end = where.end_line if where.cell is None and where.end_line is not None else begin
        cell = "" if where.cell is None else f"{at(where)}: "
        issues.append(
            {
                "type": "issue",
                "check_name": f"{finding.code} {finding.name}",
                "description": f"{finding.code}: {cell}{finding.message}",
                "categories": ["Bug Risk"],
                "severity": _SEVERITIES[finding.severity],
                "fingerprint": name.digest,
                "location": {
                    "path": Path(shown(where.path)).as_posix(),
                    "lines": {"begin": begin, "end": max(begin, end)},
                },
            }
        )
    return f"{json.dumps(issues, indent=2)}\n"
