"""Workflow commands of GitHub Actions: each finding becomes an annotation on its line."""

from __future__ import annotations

from freezelint.finding import Finding
from freezelint.report import Outcome, Style
from freezelint.report._words import at, limits, shown
from freezelint.texts import Texts

_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}


def render(outcome: Outcome, style: Style) -> str:
    """A line for each finding, and a notice for what could not be established."""
    texts = Texts(outcome.texts)
    lines = [_annotation(finding, texts) for finding in outcome.findings]
    if outcome.limits and not style.quiet:
        lines.append(f"::notice title=freezelint::{_message(limits(outcome))}")
    return "".join(f"{line}\n" for line in lines)


def _annotation(finding: Finding, texts: Texts) -> str:
    where = finding.location
    properties: dict[str, object] = {"file": shown(where.path), "line": texts.line_in_file(where)}
    message = finding.message
    if where.cell is not None:
        # The line is that of the notebook's JSON: people know it by its cell.
        message = f"{at(where)}: {message}"
    else:
        end = where.end_line if where.end_line is not None and where.end_line >= where.line else where.line
        properties["col"] = where.column
        properties["endLine"] = end
        if where.end_column is not None and end == where.line:  # GitHub takes columns within one line only
            properties["endColumn"] = where.end_column
    properties["title"] = f"{finding.code} {finding.name}"
    told = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{_COMMANDS[finding.severity]} {told}::{_message(message)}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
