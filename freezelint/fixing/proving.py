"""Proof: a mend is kept where looking again shows the fault gone and nothing new, and the result runs as far
as before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from freezelint.editing import NotEditableError
from freezelint.evidence import Trace
from freezelint.finding import Applicability, Finding
from freezelint.fixing.drafts import Drafts
from freezelint.fixing.looking import Key, Look, Unit, key
from freezelint.fixing.scene import Mend, Scene, mender
from freezelint.fixing.script import NoPlaceError
from freezelint.registry import Rule

# A freeze that takes at last may show that norm layers drift, and mending that ... so far is followed.
_MOST_REMOVES = 4
_UNSAFE = "its fix may change what the code is meant to do; --unsafe-fixes applies it"


@dataclass(frozen=True)
class Applied:
    """A finding and the mend that was proven for it."""

    finding: Finding
    mend: Mend


@dataclass(frozen=True)
class Proven:
    """The files with the mend, and with those that it made necessary."""

    drafts: Drafts
    applied: tuple[Applied, ...]

    @property
    def applicability(self) -> Applicability:
        return "unsafe" if any(each.mend.applicability == "unsafe" for each in self.applied) else "safe"


@dataclass(frozen=True)
class Refused:
    """Why a finding is not mended, as in "not fixed: …"."""

    reason: str


@dataclass(frozen=True)
class Prover:
    """Tries mends over all that was looked at. `unsafe` mends are tried where allowed, of the rules that are
    `fixable`.
    """

    units: Sequence[Unit]
    rules: dict[str, Rule]
    unsafe: bool
    fixable: Callable[[str], bool]

    def attempt(
        self, unit: Unit, finding: Finding, trace: Trace, drafts: Drafts, removes: int = 0
    ) -> Proven | Refused:
        """The first mend of the finding that holds."""
        refused = Refused("no way to mend it is known for code like this")
        for mend in self._mends(unit, finding, trace, drafts):
            if isinstance(mend, Refused):
                refused = mend
                continue
            if mend.applicability == "unsafe" and not self.unsafe:
                refused = Refused(_UNSAFE)
                continue
            outcome = self._proof(unit, Applied(finding, mend), drafts, removes)
            if isinstance(outcome, Proven):
                return outcome
            refused = outcome
        return refused

    def _mends(self, unit: Unit, finding: Finding, trace: Trace, drafts: Drafts) -> Iterator[Mend | Refused]:
        rule = self.rules.get(finding.code)
        mends = mender(rule) if rule is not None else None
        if rule is None or mends is None:
            yield Refused(f"{finding.code} needs a decision of yours")
            return
        if not self.fixable(finding.code):
            yield Refused("its fix is switched off")
            return
        if rule.fix == "unsafe" and not self.unsafe:
            yield Refused(_UNSAFE)
            return
        try:
            yield from mends(Scene(finding, trace, lambda path: unit.script(path, drafts)))
        except NoPlaceError as error:
            yield Refused(str(error))
        except Exception as error:  # one fix less, not the whole run
            yield Refused(f"freezelint itself failed: {type(error).__name__}: {error}; please report it")

    def _proof(self, unit: Unit, applied: Applied, drafts: Drafts, removes: int) -> Proven | Refused:
        try:
            after = drafts.with_edits(applied.mend.edits)
        except NotEditableError as error:
            return Refused(str(error))
        changed = [path for path in after.changed if after.changed[path] != drafts.changed.get(path)]
        if not changed:
            return Refused("the fix would change nothing")
        concerned = [unit, *(each for each in self.units if each is not unit and each.depends_on(changed))]
        proven = Proven(after, (applied,))
        target = key(applied.finding)
        for each in concerned:
            outcome = self._held(each, unit, drafts, proven, removes)
            if isinstance(outcome, Refused):
                return outcome
            proven = outcome
            if unit.look(proven.drafts).counts[target] >= unit.look(drafts).counts[target]:
                return Refused("the finding would stay")
        return proven

    def _held(self, unit: Unit, own: Unit, drafts: Drafts, proven: Proven, removes: int) -> Proven | Refused:
        """The files after the mends that this one makes necessary: what it uncovers is mended, too."""
        before = unit.look(drafts)
        uncovered: set[Key] = set()
        while True:
            after = unit.look(proven.drafts)
            if lost := _lost(before, after, "the result" if unit is own else unit.name):
                return Refused(lost)
            new = _new(before, after, uncovered)
            if new is None:
                return proven
            finding, trace = new
            told = f"it would bring {finding.code} ({finding.name})"
            if removes >= _MOST_REMOVES:
                return Refused(told)
            outcome = self.attempt(unit, finding, trace, proven.drafts, removes + 1)
            if isinstance(outcome, Refused) and finding.code in proven.applied[0].mend.uncovers:
                uncovered.add(key(finding))
                continue
            if isinstance(outcome, Refused):
                return Refused(f"{told}: {outcome.reason}")
            proven = Proven(outcome.drafts, (*proven.applied, *outcome.applied))


def _lost(before: Look, after: Look, result: str) -> str:
    """What cannot be seen any more, where something cannot: a finding that nobody looks at is not gone."""
    if after.failure and not before.failure:
        return f"{result} would not run: {after.failure}"
    if mistakes := sorted(after.mistakes - before.mistakes):
        return f"in {result} {mistakes[0]}"
    if after.raised > before.raised:
        return f"{result} would not run to its end"
    if after.steps < min(before.steps, 1) or after.limits > before.limits:
        return f"{result} could not be followed as far as before"
    return ""


def _new(before: Look, after: Look, uncovered: set[Key]) -> tuple[Finding, Trace] | None:
    """A finding that was not there before, and that is not merely seen now."""
    more: set[Key] = set(after.counts - before.counts) - uncovered
    return next(((finding, trace) for finding, trace in after.seen if key(finding) in more), None)
