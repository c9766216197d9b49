"""Wording that the text formats share: places, and the lines that close a report."""

from __future__ import annotations

import os
from pathlib import Path

from freezelint.evidence import Limit, Location
from freezelint.finding import Finding
from freezelint.report import Outcome, Style
from freezelint.report._terminal import painted
from freezelint.wording import plural

_LIMITS = 3  # limits that the one line tells; the rest is counted


def shown(path: str) -> str:
    """A path as it is best clicked on: relative to the current directory where it lies inside."""
    here = Path.cwd()
    full = Path(os.path.normpath(here / path))
    return str(full.relative_to(here)) if full.is_relative_to(here) else path


def place(location: Location) -> str:
    """`path:line:column`."""
    return f"{shown(location.path)}:{location.line}:{location.column}"


def at(path: str, line: int) -> str:
    """`path:line`."""
    return f"{shown(path)}:{line}"


def closing(outcome: Outcome, style: Style) -> str:
    """What could not be established, and the summary. Nothing when only findings are wanted."""
    if style.quiet:
        return ""
    lines = [limits(outcome.limits)] if outcome.limits else []
    lines.append(painted(summary(outcome), "bold", color=style.color))
    return "".join(f"{line}\n" for line in lines)


def summary(outcome: Outcome) -> str:
    """`Found 2 errors, 1 warning in train.py (2 steps watched)`."""
    targets = outcome.targets
    where = targets[0] if len(targets) == 1 else f"{len(targets)} targets"
    watched = f"{plural(outcome.steps, 'step')} watched" if outcome.steps else "no step watched"
    if not outcome.findings:
        return f"No freezing bugs found in {where} ({watched})"
    counts = [
        (outcome.count("error"), "error"),
        (outcome.count("warning"), "warning"),
        (outcome.count("info"), "note"),
    ]
    found = ", ".join(plural(count, noun) for count, noun in counts if count)
    return f"Found {found} in {where} ({watched})"


def limits(given: tuple[Limit, ...]) -> str:
    """One line on what could not be established."""
    told = [f"{limit.what} ({limit.why})" if limit.why else limit.what for limit in given[:_LIMITS]]
    rest = len(given) - len(told)
    more = f"; and {rest} more (JSON lists all)" if rest else ""
    return f"Limits: {' '.join('; '.join(told).split())}{more}"


def statistics(findings: tuple[Finding, ...], style: Style) -> str:
    """A table of how often each rule was broken, the commonest first."""
    from tabulate import tabulate

    counts: dict[tuple[str, str, str], int] = {}
    for finding in findings:
        key = (finding.code, finding.name, finding.severity)
        counts[key] = counts.get(key, 0) + 1
    rows = [(count, *key) for key, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    if not rows:
        return ""
    table = tabulate(rows, headers=["count", "code", "name", "severity"], tablefmt="simple")
    heading, rule, body = table.split("\n", 2)
    return f"{painted(heading, 'bold', color=style.color)}\n{rule}\n{body}\n"
