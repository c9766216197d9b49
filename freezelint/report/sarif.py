"""SARIF 2.1.0, for code scanning: the rules with their pages, the findings with the places that belong to
them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from freezelint import __version__
from freezelint.evidence import Limit, Location
from freezelint.finding import Finding, Fix, Related
from freezelint.fingerprints import fingerprints
from freezelint.registry import Rule, rules
from freezelint.report import Outcome, Style
from freezelint.report._words import at, places, shown
from freezelint.texts import Texts

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
# The root of the checkout, wherever that is: no path of this machine gets into the report.
_ROOT = "%SRCROOT%"


def render(outcome: Outcome, style: Style) -> str:  # noqa: ARG001 - SARIF has one style
    """One run. Limits are notifications of the run: they are no results."""
    texts = Texts(outcome.texts)
    told = {finding.code for finding in outcome.findings}
    table = [rule for rule in rules() if rule.code in told]
    position = {rule.code: number for number, rule in enumerate(table)}
    names = fingerprints(outcome.findings, texts, Path.cwd())
    run = {
        "tool": {
            "driver": {
                "name": "freezelint",
                "semanticVersion": _semantic(__version__),
                "version": __version__,
                "rules": [_rule(rule) for rule in table],
            }
        },
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [_notification(limit, texts) for limit in outcome.limits],
            }
        ],
        "columnKind": "unicodeCodePoints",
        "results": [
            {
                **_result(finding, texts),
                **({"ruleIndex": position[finding.code]} if finding.code in position else {}),
                "partialFingerprints": {"freezelint/v1": name.digest},
            }
            for finding, name in zip(outcome.findings, names, strict=True)
        ],
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return f"{json.dumps(document, indent=2)}\n"


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": _plain(rule.summary)},
        "fullDescription": {"text": _plain(rule.summary)},
        "help": {"text": rule.page, "markdown": rule.page},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": ["pytorch", "transfer-learning", rule.family], "precision": "high"},
    }


def _result(finding: Finding, texts: Texts) -> dict[str, Any]:
    related = [
        {"id": number, **_location(place.location, texts), "message": {"text": place.message}}
        for number, place in enumerate(_with_calls(finding), 1)
    ]
    return {
        "ruleId": finding.code,
        "level": _LEVELS[finding.severity],
        "message": {"text": finding.message},
        "locations": [_location(finding.location, texts)],
        **({"relatedLocations": related} if related else {}),
        **({"fixes": [_fix(finding.fix, texts)]} if finding.fix and _is_text(finding.fix) else {}),
        "properties": {"witness": finding.witness, "subjects": list(finding.subjects)},
    }


def _is_text(fix: Fix) -> bool:
    """Whether the edits are of text files: SARIF has no way to tell a place in a notebook's cell."""
    return all(edit.location.cell is None for edit in fix.edits)


def _fix(fix: Fix, texts: Texts) -> dict[str, Any]:
    by_file: dict[str, list[dict[str, Any]]] = {}
    for edit in fix.edits:
        replacement = {
            "deletedRegion": _region(edit.location, texts),
            "insertedContent": {"text": edit.text},
        }
        by_file.setdefault(edit.path, []).append(replacement)
    changes = [
        {"artifactLocation": _artifact(path), "replacements": found} for path, found in by_file.items()
    ]
    unsafe = "" if fix.applicability == "safe" else " (may change what the code does)"
    return {"description": {"text": f"{fix.title}{unsafe}"}, "artifactChanges": changes}


def _with_calls(finding: Finding) -> list[Related]:
    calls = [Related(call, "called from here") for call in finding.location.calls]
    return [*places(finding), *calls]


def _location(location: Location, texts: Texts) -> dict[str, Any]:
    """In a notebook the region is the line of its JSON, which viewers show; the cell stands beside it."""
    physical = {"artifactLocation": _artifact(location.path), "region": _region(location, texts)}
    names = []
    if location.cell is not None:
        names.append({"name": f"cell {location.cell}", "fullyQualifiedName": at(location), "kind": "module"})
    function = texts.enclosing(location)
    if function:
        name = function.rpartition(".")[2]
        names.append({"name": name, "fullyQualifiedName": function, "kind": "function"})
    return {"physicalLocation": physical, **({"logicalLocations": names} if names else {})}


def _artifact(path: str) -> dict[str, Any]:
    told = Path(shown(path))
    if told.is_absolute():
        return {"uri": told.as_uri()}
    return {"uri": quote(told.as_posix()), "uriBaseId": _ROOT}


def _region(location: Location, texts: Texts) -> dict[str, Any]:
    if location.cell is not None:
        return {"startLine": texts.line_in_file(location)}
    region = {"startLine": location.line, "startColumn": location.column}
    if location.end_line is not None and location.end_line >= location.line:
        region["endLine"] = location.end_line
        if location.end_column is not None:
            region["endColumn"] = location.end_column
    return region


def _notification(limit: Limit, texts: Texts) -> dict[str, Any]:
    told = f"{limit.what}: {limit.why}" if limit.why else limit.what
    notification: dict[str, Any] = {"level": "note", "message": {"text": told}}
    if limit.path:
        where = Location(limit.path, limit.line or 1, cell=limit.cell)
        physical: dict[str, Any] = {"artifactLocation": _artifact(limit.path)}
        if limit.line is not None:
            physical["region"] = {"startLine": texts.line_in_file(where)}
        notification["locations"] = [{"physicalLocation": physical}]
    return notification


def _plain(text: str) -> str:
    return text.replace("`", "")


def _semantic(version: str) -> str:
    """The version as SARIF writes it: `0.1.0.dev1` is no semantic version, `0.1.0-dev1` is."""
    parts = version.split(".")
    return "-".join([".".join(parts[:3]), *parts[3:]]) if len(parts) > 3 else version
