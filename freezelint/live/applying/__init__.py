"""Correcting models and optimizers in the process, as the findings of an audit say.

The correction of a rule is a module `corrections/<rule_name>.py` here, found by the name of the rule, with a
`PHASE` and a function `apply(finding, live)` that yields what it did and what it refused. Nothing is wired by
hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import cast

from freezelint.evidence import Trace
from freezelint.finding import Finding
from freezelint.live.applying.objects import Live, Objects
from freezelint.live.applying.records import Correction, Done, Phase, Refused, Words
from freezelint.registry import Fixability, rules

__all__ = ["Correction", "apply", "can_apply"]

_IN_THE_CODE = "this lies in the code, not in the model or the optimizer: change the code as the finding says"
_GONE = "the model or the optimizer that this is about is gone"
_UNSAFE = "it decides something for you: `unsafe=True` allows that"
_SHARDED = "a sharded model shows no parameters of its own: correct the code, and wrap afterwards"
_ALREADY = "there is nothing left to correct: it is as it should be by now"


@dataclass(frozen=True)
class _Mend:
    phase: Phase
    apply: Callable[[Finding, Live], Words]


def apply(findings: Iterable[Finding], trace: Trace, objects: Objects, *, unsafe: bool) -> list[Correction]:
    """Correct what can be corrected; what was done and refused, in the order of the findings."""
    live = objects.living(trace)
    fixes = {rule.code: rule.fix for rule in rules()}
    given = list(findings)
    mends = {finding.name: _mend(finding.name) for finding in given}
    corrections: dict[int, Correction] = {}

    def turn(finding: Finding) -> Phase:
        mend = mends[finding.name]
        return Phase.MODES if mend is None else mend.phase

    for finding in sorted(given, key=turn):
        refusal = _refusal(live, mends[finding.name], fixes.get(finding.code, "none"), unsafe)
        corrections[id(finding)] = (
            Correction(finding, refused=(refusal,))
            if refusal
            else _corrected(finding, mends[finding.name], live)
        )
    return [corrections[id(finding)] for finding in given]


def can_apply(finding: Finding, *, unsafe: bool = True) -> bool:
    """Whether there is a correction of this rule for live objects."""
    safe = next((rule.fix for rule in rules() if rule.code == finding.code), "none") != "unsafe"
    return (unsafe or safe) and _mend(finding.name) is not None


def _mend(rule: str) -> _Mend | None:
    name = f"{__name__}.corrections.{rule.replace('-', '_')}"
    if find_spec(name) is None:
        return None
    module = import_module(name)
    return _Mend(module.PHASE, cast("Callable[[Finding, Live], Words]", module.apply))


def _refusal(live: Live, mend: _Mend | None, fix: Fixability, unsafe: bool) -> str:
    if mend is None:
        return _IN_THE_CODE
    if fix == "unsafe" and not unsafe:
        return _UNSAFE
    in_groups = mend.phase in (Phase.FILL_GROUPS, Phase.EMPTY_GROUPS)
    if live.given is None or (in_groups and not live.optimizers):
        return _GONE
    if type(live.given).__name__ in ("FullyShardedDataParallel", "FSDPModule"):
        return _SHARDED
    return ""


def _corrected(finding: Finding, mend: _Mend | None, live: Live) -> Correction:
    assert mend is not None
    words = list(mend.apply(finding, live))
    done = tuple(word.what for word in words if isinstance(word, Done))
    refused = tuple(word.why for word in words if isinstance(word, Refused))
    return Correction(finding, done, refused if done or refused else (_ALREADY,))
