"""One line a finding: `path:line:column: CODE [name] message`."""

from __future__ import annotations

from freezelint.report import Outcome, Style
from freezelint.report._terminal import painted
from freezelint.report._words import closing, place, statistics


def render(outcome: Outcome, style: Style) -> str:
    """The lines, and the summary below."""
    if style.statistics:
        return statistics(outcome.findings, style) + closing(outcome, style)
    lines = []
    for finding in outcome.findings:
        code = painted(
            finding.code, "red" if finding.severity == "error" else "yellow", "bold", color=style.color
        )
        message = " ".join(finding.message.split())
        lines.append(f"{place(finding.location)}: {code} [{finding.name}] {message}\n")
    return "".join(lines) + closing(outcome, style)
