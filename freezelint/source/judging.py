"""The findings of one reading: each path is judged by itself, and what several paths show is told once, with
the conditions that it depends on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from freezelint.evidence import Trace
from freezelint.finding import Finding
from freezelint.judge import judge
from freezelint.source.interpreter.paths import Decision
from freezelint.source.reader import Reading, Run

_LONGEST = 60
_SIDE = r"[\w.]+(\['[^']{1,30}'\])*|'[^']*'|-?[\d.e-]+"
_PLAIN = re.compile(rf"({_SIDE})( (==|!=|<|<=|>|>=|in|is|is not|not in) ({_SIDE}))?")
_PLUMBING = re.compile(
    r"\brank|_rank|world_size|distributed|is_main_process|sync_gradients|cuda|\bmps\b|\bgpu|device|print_freq|log_freq|log_interval|"
    r"log_every|print_every|verbose|debug|exists\(|isfile\(|isdir\(|is_dir\(|is_file\(|wandb|tensorboard|logger|\bseed"
)

# What names one fault in all paths: its code and the place that it points to.
_Key = tuple[str, tuple[str, int]]


def findings_of(reading: Reading) -> list[Finding]:
    """All findings on all paths of all entries, each once."""
    return [finding for finding, _ in findings_with_evidence(reading)]


def findings_with_evidence(reading: Reading) -> list[tuple[Finding, Trace]]:
    """All findings on all paths of all entries, each once, with the evidence of a path that shows it."""
    found: dict[_Key, tuple[Finding, Trace]] = {}
    for runs in reading.entries:
        for key, shown in _of_entry(runs).items():
            found.setdefault(key, shown)
    return sorted(found.values(), key=lambda shown: shown[0].sort_key)


def _of_entry(runs: Sequence[Run]) -> dict[_Key, tuple[Finding, Trace]]:
    judged: list[tuple[Run, dict[_Key, Finding]]] = []
    for run in runs:
        # A decision that changed nothing needs no second judgement.
        same = next((findings for other, findings in judged if _alike(other.trace, run.trace)), None)
        judged.append((run, _by_place(judge([run.trace])) if same is None else same))
    merged: dict[_Key, tuple[Finding, Trace]] = {}
    for run, findings in judged:
        for key, finding in findings.items():
            if key not in merged:
                merged[key] = (_told(finding, run, judged, key), run.trace)
    return merged


def _alike(one: Trace, other: Trace) -> bool:
    return replace(one, limits=()) == replace(other, limits=())


def _by_place(findings: Iterable[Finding]) -> dict[_Key, Finding]:
    found: dict[_Key, Finding] = {}
    for finding in findings:
        found.setdefault((finding.code, finding.location.at()), finding)
    return found


def _told(
    finding: Finding, run: Run, judged: Sequence[tuple[Run, dict[_Key, Finding]]], key: _Key
) -> Finding:
    """The finding, with the conditions without which it is not so."""
    decisive = [decision for decision in run.decisions if _decides(decision, run, judged, key)]
    conditions = list(dict.fromkeys(_worded(decision) for decision in _telling(decisive)))
    if not conditions:
        return finding
    told = " and ".join(conditions[:2])
    message = f"when {told}: {finding.message}"
    return replace(finding, message=message, evidence={**finding.evidence, "when": conditions})


def _decides(
    decision: Decision, run: Run, judged: Sequence[tuple[Run, dict[_Key, Finding]]], key: _Key
) -> bool:
    """Whether every path that shows the finding takes this side, and one that differs from this path in
    nothing else, or that this path came from by turning it, does not show it.
    """
    against = False
    for other, findings in judged:
        taken = next((d.taken for d in other.decisions if d.condition == decision.condition), None)
        if key in findings and taken is not decision.taken:
            return False
        condition = decision.condition
        only = other.forced ^ run.forced == {condition}
        only = only or (other.forced < run.forced and condition in run.forced - other.forced)
        if key not in findings and taken is (not decision.taken) and only:
            against = True
    return against


def _worded(decision: Decision) -> str:
    told = decision.condition if _is_plain(decision.condition) else decision.source or decision.condition
    told = told if len(told) <= _LONGEST else f"{told[: _LONGEST - 1]}…"
    return f"`{told}`" if decision.taken else f"not `{told}`"


def _telling(decisions: Sequence[Decision]) -> list[Decision]:
    """The decisions that are worth telling. Where one tells what a setting is, what it is not goes without
    saying.
    """
    told = [decision for decision in decisions if _is_telling(decision)]
    settled = {d.equals[0] for d in told if _settles(d) and d.equals}
    return [d for d in told if _settles(d) or d.equals is None or d.equals[0] not in settled]


def _settles(decision: Decision) -> bool:
    return decision.equals is not None and decision.taken is decision.equals[2]


def _is_telling(decision: Decision) -> bool:
    """Whether a condition says something to a reader of findings: not what depends on the machine or the
    counter of a loop, nor what only decides on reports, nor what every run that does not give up has.
    """
    counts = decision.condition[:1].isdigit() or decision.demanded
    return not counts and not _PLUMBING.search(f"{decision.condition} {decision.source}".lower())


def _is_plain(condition: str) -> bool:
    """Whether a condition, told by the values that it compares, is as short as a script would write it."""
    return len(condition) <= _LONGEST and _PLAIN.fullmatch(condition) is not None


def traces_of(reading: Reading) -> list[Trace]:
    """The evidence of all runs."""
    return [run.trace for runs in reading.entries for run in runs]
