"""Rules applied to evidence: one fault, one finding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from freezelint.evidence import Location, Trace
from freezelint.finding import Fault, Finding, Related
from freezelint.registry import Rule, rules


def judge(traces: Iterable[Trace], all_rules: Sequence[Rule] | None = None) -> list[Finding]:
    """The findings of all rules on all traces, consequences folded into their causes, in the order of the
    report.

    Selection comes afterwards (`freezelint.selection`): a rule that is switched off still explains its
    consequences away.
    """
    table = rules() if all_rules is None else all_rules
    found: list[Finding] = []
    for trace in traces:
        by_rule = {rule.code: _findings(rule, trace) for rule in table if trace.witness in rule.witnesses}
        found.extend(_fold(by_rule, {rule.code: rule for rule in table}))
    return sorted(found, key=lambda finding: finding.sort_key)


def _findings(rule: Rule, trace: Trace) -> list[Finding]:
    unique: dict[tuple[Location, str], Finding] = {}
    for fault in rule.check(trace):
        finding = _finding(rule, fault, trace)
        unique.setdefault((finding.location, finding.message), finding)
    return list(unique.values())


def _finding(rule: Rule, fault: Fault, trace: Trace) -> Finding:
    return Finding(
        code=rule.code,
        name=rule.name,
        severity=rule.severity,
        message=fault.message,
        location=fault.location or _nearest(trace),
        subjects=fault.subjects,
        witness=trace.witness,
        related=fault.related,
        evidence=fault.evidence,
    )


def _nearest(trace: Trace) -> Location:
    """For a fault without a place of its own: the step that showed it, else the target as a whole."""
    steps = (event.location for event in trace.events_of("stepped") if event.location)
    return next(steps, Location(trace.target, 1))


def _fold(by_rule: dict[str, list[Finding]], table: dict[str, Rule]) -> list[Finding]:
    """Drop each finding that a cause explains, and tell the cause about it."""
    consequences: dict[int, list[Finding]] = {}
    explained: set[int] = set()
    for code, findings in by_rule.items():
        causes = [cause for other in table[code].yields_to for cause in by_rule.get(other, ())]
        for finding in findings:
            explaining = [cause for cause in causes if cause is not finding and overlap(finding, cause)]
            if explaining:
                explained.add(id(finding))
                consequences.setdefault(id(explaining[0]), []).append(finding)
    kept = [finding for findings in by_rule.values() for finding in findings if id(finding) not in explained]
    return [_with_consequences(finding, consequences) for finding in kept]


def _with_consequences(cause: Finding, consequences: dict[int, list[Finding]]) -> Finding:
    """The cause, telling of everything that follows from it, at however many removes."""
    pending, following = [cause], []
    while pending:
        for consequence in consequences.get(id(pending.pop()), ()):
            following.append(consequence)
            pending.append(consequence)
    # The remedy is the cause's alone: of a consequence only its name is told, and nothing of a mere remark.
    following = [finding for finding in following if finding.severity != "info"]
    if not following:
        return cause
    known = {cause.location.at(), *(place.location.at() for place in cause.related)}
    named = {finding.location: f"explains {finding.code} ({finding.name})" for finding in following}
    related = [Related(location, told) for location, told in named.items() if location.at() not in known]
    codes = sorted({finding.code for finding in following})
    return replace(cause, related=(*cause.related, *related), evidence={**cause.evidence, "explains": codes})


def overlap(one: Finding, other: Finding) -> bool:
    """Whether the findings share a subject, or a subject of one lies inside a subject of the other."""
    return _covers(one.subjects, other.subjects) or _covers(other.subjects, one.subjects)


def _covers(outer: tuple[str, ...], inner: tuple[str, ...]) -> bool:
    names = set(outer)
    for path in inner:
        while path:
            if path in names:
                return True
            path = path.rpartition(".")[0]
    return False
