"""Everything, for programs. Paths are relative to the current directory where they lie inside."""

from __future__ import annotations

import json
import math
from typing import Any

from freezelint.costs import Measurement
from freezelint.evidence import Limit, Location
from freezelint.finding import Finding, Fix
from freezelint.report import Outcome, Style
from freezelint.report._words import shown

VERSION = 1


def render(outcome: Outcome, style: Style) -> str:  # noqa: ARG001 - JSON has one style, and always the counts
    """One JSON object: version, findings, limits, summary."""
    document = {
        "version": VERSION,
        "findings": [_finding(finding) for finding in outcome.findings],
        "limits": [_limit(limit) for limit in outcome.limits],
        "measurements": [_measurement(each) for each in outcome.measurements],
        "summary": {
            "targets": list(outcome.targets),
            "files_read": outcome.read or 0,
            "files_passed_over": outcome.passed_over,
            "steps": outcome.steps or 0,
            "findings": len(outcome.findings),
            "errors": outcome.count("error"),
            "warnings": outcome.count("warning"),
            "infos": outcome.count("info"),
            "rules": outcome.by_rule,
            "suppressed": outcome.suppressed,
            "in_baseline": outcome.accepted,
        },
    }
    return f"{json.dumps(document, indent=2, allow_nan=False)}\n"


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        "message": finding.message,
        **_place(finding.location),
        "subjects": list(finding.subjects),
        "witness": finding.witness,
        "calls": [_place(call) for call in finding.location.calls],
        "related": [{**_place(other.location), "message": other.message} for other in finding.related],
        "evidence": _plain(finding.evidence),
        "fix": None if finding.fix is None else _fix(finding.fix),
    }


def _fix(fix: Fix) -> dict[str, Any]:
    """Edits replace what stands between their places, whose end is not included."""
    edits = [{**_place(edit.location), "text": edit.text} for edit in fix.edits]
    return {"title": fix.title, "applicability": fix.applicability, "edits": edits}


def _place(location: Location) -> dict[str, Any]:
    return {
        "path": shown(location.path),
        "cell": location.cell,
        "line": location.line,
        "column": location.column,
        "end_line": location.end_line,
        "end_column": location.end_column,
    }


def _limit(limit: Limit) -> dict[str, Any]:
    path = shown(limit.path) if limit.path else None
    return {"path": path, "cell": limit.cell, "line": limit.line, "what": limit.what, "why": limit.why}


def _measurement(measured: Measurement) -> dict[str, Any]:
    return {
        "corrected": list(measured.corrected),
        "device": measured.device,
        "seconds_before": measured.seconds_before,
        "seconds_after": measured.seconds_after,
        "savings": list(measured.savings),
        "bytes_before": measured.bytes_before,
        "bytes_after": measured.bytes_after,
    }


def _plain(value: Any) -> Any:
    """What JSON can hold: evidence is free in its keys and values."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(item) for item in value), key=str)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
