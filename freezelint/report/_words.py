"""Wording that the text formats share: places, and the lines that close a report."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from freezelint.costs import Measurement
from freezelint.evidence import Limit, Location
from freezelint.finding import Finding, Related
from freezelint.registry import rules
from freezelint.report import Outcome, Style
from freezelint.report._terminal import painted
from freezelint.wording import plural, saved

_HERE = {".": "this directory", "-": "standard input"}
_LIMITS = 3  # limits that the one line tells; the rest is counted


def shown(path: str) -> str:
    """A path as it is best clicked on: relative to the current directory where it lies inside."""
    here = Path.cwd()
    full = Path(os.path.normpath(here / path))
    return str(full.relative_to(here)) if full.is_relative_to(here) else path


def place(location: Location) -> str:
    """`path:line:column`; `path:cell 3:line:column` in a notebook."""
    return f"{at(location)}:{location.column}"


def at(location: Location) -> str:
    """`path:line`; `path:cell 3:line` in a notebook."""
    cell = "" if location.cell is None else f"cell {location.cell}:"
    return f"{shown(location.path)}:{cell}{location.line}"


def places(finding: Finding) -> list[Related]:
    """The places that belong to a finding, each once, however many calls led there."""
    once: dict[tuple[tuple[str, int], str], Related] = {}
    for each in finding.related:
        once.setdefault((each.location.at(), each.message), each)
    return list(once.values())


def closing(outcome: Outcome, style: Style) -> str:
    """What could not be established, and the summary. Nothing when only findings are wanted."""
    if style.quiet:
        return ""
    lines = [limits(outcome)] if outcome.limits else []
    lines += fixes(outcome)
    lines += [costs(measurement) for measurement in outcome.measurements]
    lines += hint(outcome)
    lines.append(painted(summary(outcome), "bold", color=style.color))
    return "".join(f"{line}\n" for line in lines)


def summary(outcome: Outcome) -> str:
    """`Found 2 errors, 1 warning in train.py (1 file read, 2 steps watched)`."""
    targets = outcome.targets
    where = _HERE.get(targets[0], targets[0]) if len(targets) == 1 else f"{len(targets)} targets"
    looked = ", ".join(_looked_at(outcome))
    if not outcome.findings:
        new = "new " if outcome.suppressed or outcome.accepted else ""
        return f"No {new}freezing bugs found in {where} ({looked})"
    counts = [
        (outcome.count("error"), "error"),
        (outcome.count("warning"), "warning"),
        (outcome.count("info"), "note"),
    ]
    found = ", ".join(plural(count, noun) for count, noun in counts if count)
    return f"Found {found} in {where} ({looked})"


def fixes(outcome: Outcome) -> list[str]:
    """What was mended, one line each where the user wants a list, and how much."""
    told = []
    if outcome.show_fixes:
        told = [
            f"{place(finding.location)}: {finding.code} fixed: {title}" for finding, title in outcome.fixed
        ]
    if outcome.fixed:
        files = sorted({shown(finding.path) for finding, _ in outcome.fixed})
        where = files[0] if len(files) == 1 else plural(len(files), "file")
        told.append(f"Fixed {plural(len(outcome.fixed), 'finding')} in {where}")
    return told


def costs(measurement: Measurement) -> str:
    """What the corrections save, in one line."""
    where = "a GPU" if measurement.device == "cuda" else "the CPU"
    return f"Correcting {', '.join(measurement.corrected)} {saved(measurement)}, measured on {where}"


def hint(outcome: Outcome) -> list[str]:
    """How many findings may be mended, where nobody has tried: what is proven is known only then."""
    if not outcome.findings or outcome.fixed or outcome.unfixed:
        return []
    fixes = {rule.code: rule.fix for rule in rules()}
    count = Counter(fixes.get(finding.code) for finding in outcome.findings)
    safe, unsafe = count["safe"], count["unsafe"]
    told = [f"{safe} with `--fix`"] if safe else []
    told += [f"{unsafe}{' more' if safe else ''} with `--fix --unsafe-fixes`"] if unsafe else []
    return [f"May be mended: {', '.join(told)}"] if told else []


def unfixed(outcome: Outcome, finding: Finding) -> str:
    """Why `--fix` left this finding; empty where it did not try."""
    where = (finding.code, finding.location.at())
    return next((why for other, why in outcome.unfixed if (other.code, other.location.at()) == where), "")


def _looked_at(outcome: Outcome) -> Iterator[str]:
    """What the words of a summary rest on."""
    if outcome.read is not None:
        yield f"{plural(outcome.read, 'file')} read" if outcome.read else "no file read"
        if outcome.passed_over:
            yield f"{outcome.passed_over:,} passed over"
    if outcome.steps is not None:
        yield f"{plural(outcome.steps, 'step')} watched" if outcome.steps else "no step watched"
    if outcome.suppressed:
        yield f"{outcome.suppressed:,} suppressed"
    if outcome.accepted:
        yield f"{outcome.accepted:,} in the baseline"


def limits(outcome: Outcome) -> str:
    """One line on what could not be established; with the places where several files were looked at."""
    given, several = outcome.limits, (outcome.read or 0) + outcome.passed_over > 1
    told = []
    for limit in given[:_LIMITS]:
        where = f"{_limit_place(limit)}: " if several and limit.path and limit.path not in limit.what else ""
        told.append(f"{where}{limit.what} ({limit.why})" if limit.why else f"{where}{limit.what}")
    rest = len(given) - len(told)
    more = f"; and {rest} more (JSON lists all)" if rest else ""
    return f"Limits: {' '.join('; '.join(told).split())}{more}"


def _limit_place(limit: Limit) -> str:
    if limit.line is None:
        return shown(limit.path)
    return at(Location(limit.path, limit.line, cell=limit.cell))


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
