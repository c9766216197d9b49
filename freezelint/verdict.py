"""From what the witnesses found to what is reported: without what is known, as severe as the user wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from freezelint.baseline import Baseline, Entry
from freezelint.finding import Finding, Severity
from freezelint.registry import Rule
from freezelint.selection import Exemptions
from freezelint.suppression.applying import Read, Suppressed, suppress
from freezelint.texts import Texts


@dataclass(frozen=True)
class Wishes:
    """What the user wants to be told. `selected` are codes; `noqa` whether comments are heeded."""

    rules: Sequence[Rule]
    selected: frozenset[str]
    severities: Mapping[str, Severity] = field(default_factory=dict)
    exemptions: Exemptions | None = None
    noqa: bool = True
    baseline: Baseline | None = None


@dataclass(frozen=True)
class Verdict:
    """What is reported, and how much is not because it is known. `unmatched` are entries of the baseline
    that match no finding.
    """

    findings: tuple[Finding, ...]
    suppressed: int = 0
    accepted: int = 0
    unmatched: tuple[Entry, ...] = ()


def decide(
    findings: Sequence[Finding],
    texts: Texts,
    wishes: Wishes,
    *,
    read: Sequence[Read] = (),
    looked_at: frozenset[str] = frozenset(),
    ran: bool = False,
) -> Verdict:
    """Suppress, compare with the baseline, select; in this order, so that neither a comment nor an entry
    counts as idle because its rule is not selected today. `findings` are those of all witnesses; `read` are
    files whose idle comments are told, `looked_at` the real paths of those whose idle entries are.
    """
    left = suppress(findings, texts, read, wishes.rules) if wishes.noqa else Suppressed(tuple(findings))
    fresh, unmatched = _fresh(left.findings, texts, wishes, looked_at, ran)
    selected = _Selected(wishes)
    told = tuple(selected.rated(finding) for finding in fresh if selected(finding))
    suppressed = sum(map(selected, left.suppressed))
    return Verdict(told, suppressed, sum(map(selected, left.findings)) - len(told), unmatched)


def _fresh(
    findings: Sequence[Finding], texts: Texts, wishes: Wishes, looked_at: frozenset[str], ran: bool
) -> tuple[Sequence[Finding], tuple[Entry, ...]]:
    """What the baseline does not know, and what it alone knows."""
    baseline = wishes.baseline
    if baseline is None:
        return findings, ()
    known = baseline.known(findings, texts)
    unmatched = [
        entry
        for entry in baseline.unmatched(findings, texts, looked_at, ran=ran)
        if entry.fingerprint.code in wishes.selected
    ]
    return [finding for finding, old in zip(findings, known, strict=True) if not old], tuple(unmatched)


class _Selected:
    """Which findings are reported, and how."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._rules = {rule.code: rule for rule in wishes.rules}

    def __call__(self, finding: Finding) -> bool:
        if finding.code not in self._wishes.selected:
            return False
        exemptions, rule = self._wishes.exemptions, self._rules.get(finding.code)
        return exemptions is None or rule is None or not exemptions.hold(finding.path, rule)

    def rated(self, finding: Finding) -> Finding:
        severity = self._wishes.severities.get(finding.code)
        return finding if severity is None else replace(finding, severity=severity)
