"""The findings of one reading: each path is judged by itself, and what several paths show is told once, with the
conditions that it depends on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from freezelint.evidence import Trace
from freezelint.finding import Finding
from freezelint.judge import judge
from freezelint.source.paths import Decision
from freezelint.source.reader import Reading, Run

# What names one fault in all paths: its code and the place that it points to.
_Key = tuple[str, tuple[str, int]]


def findings_of(reading: Reading) -> list[Finding]:
    """All findings on all paths of all entries, each once."""
    found: dict[_Key, Finding] = {}
    for runs in reading.entries:
        for key, finding in _of_entry(runs).items():
            found.setdefault(key, finding)
    return sorted(found.values(), key=lambda finding: finding.sort_key)


def _of_entry(runs: Sequence[Run]) -> dict[_Key, Finding]:
    judged = [(run, _by_place(judge([run.trace]))) for run in runs]
    merged: dict[_Key, Finding] = {}
    for run, findings in judged:
        for key, finding in findings.items():
            if key not in merged:
                merged[key] = _told(finding, run, judged, key)
    return merged


def _by_place(findings: Iterable[Finding]) -> dict[_Key, Finding]:
    found: dict[_Key, Finding] = {}
    for finding in findings:
        found.setdefault((finding.code, finding.location.at()), finding)
    return found


def _told(
    finding: Finding, run: Run, judged: Sequence[tuple[Run, dict[_Key, Finding]]], key: _Key
) -> Finding:
    """The finding, with the conditions without which it is not so."""
    decisive = [decision for decision in run.decisions if _decides(decision, judged, key)]
    conditions = list(dict.fromkeys(_worded(decision) for decision in decisive))
    if not conditions:
        return finding
    told = " and ".join(conditions[:2])
    message = f"when {told}: {finding.message}"
    return replace(finding, message=message, evidence={**finding.evidence, "when": conditions})


def _decides(decision: Decision, judged: Sequence[tuple[Run, dict[_Key, Finding]]], key: _Key) -> bool:
    """Whether every path that shows the finding takes this side, and some path that takes the other side does
    not show it."""
    against = False
    for run, findings in judged:
        taken = next((d.taken for d in run.decisions if d.condition == decision.condition), None)
        if key in findings and taken is not decision.taken:
            return False
        if key not in findings and taken is (not decision.taken):
            against = True
    return against


def _worded(decision: Decision) -> str:
    return f"`{decision.condition}`" if decision.taken else f"not `{decision.condition}`"


def traces_of(reading: Reading) -> list[Trace]:
    """The evidence of all runs."""
    return [run.trace for runs in reading.entries for run in runs]
