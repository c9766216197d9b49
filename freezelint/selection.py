"""Which rules a run reports, where, and how severe they are: by default every error and warning."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from freezelint.errors import BadInputError
from freezelint.finding import Severity
from freezelint.registry import Rule

ALL = "ALL"
_OWN_FAMILY = "FRZ0"
_UNUSED_SUPPRESSION = "FRZ001"


@dataclass(frozen=True)
class Selection:
    """Selectors are codes, prefixes of codes, names of rules, or `ALL`. `select` None means the default:
    errors and warnings.

    The more specific selector wins, and `ignore` wins a tie: `select FRZ1, ignore FRZ101` and `ignore FRZ1,
    select FRZ101` both do what they say. The rules of the tool itself (FRZ0xx, but for FRZ001) tell that
    something was not checked: they go only when they are ignored explicitly. `rated` are the rules whose
    severity the user sets: who speaks of a rule wants to hear of it.
    """

    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    rated: tuple[str, ...] = ()

    def codes(self, rules: Sequence[Rule]) -> frozenset[str]:
        """The codes of the selected rules. Raises BadInputError for a selector that selects nothing."""
        _require((*(self.select or ()), *self.ignore, *self.extend_select, *self.rated), rules)
        return frozenset(rule.code for rule in rules if self._includes(rule))

    def _includes(self, rule: Rule) -> bool:
        wanted = _specificity((*(self.select or ()), *self.extend_select), rule)
        by_default = self.select is None and (rule.severity != "info" or _specificity(self.rated, rule) >= 0)
        if by_default or (rule.code.startswith(_OWN_FAMILY) and rule.code != _UNUSED_SUPPRESSION):
            wanted = max(wanted, 0)
        return wanted > _specificity(self.ignore, rule)


@dataclass(frozen=True)
class Exemptions:
    """Rules that are not reported in some files: selectors by globs, against paths relative to `root` or
    against single names; a directory stands for all that is in it.
    """

    by_glob: Mapping[str, tuple[str, ...]]
    root: Path

    def check(self, rules: Sequence[Rule]) -> None:
        """Raises BadInputError for a selector that selects nothing."""
        _require((selector for selectors in self.by_glob.values() for selector in selectors), rules)

    def hold(self, path: str, rule: Rule) -> bool:
        """Whether this rule is not reported in this file."""
        return any(
            _specificity(selectors, rule) >= 0 and self._lies(path, glob)
            for glob, selectors in self.by_glob.items()
        )

    def _lies(self, path: str, glob: str) -> bool:
        plain = glob.removeprefix("./").rstrip("/")
        plain = plain.removesuffix("/**").removesuffix("/*") or plain
        parts = Path(os.path.relpath(os.path.realpath(path), os.path.realpath(self.root))).parts
        above = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        return any(fnmatchcase(name, plain) for name in (*above, *parts))


def severities(given: Mapping[str, Severity], rules: Sequence[Rule]) -> dict[str, Severity]:
    """The severity of each rule that the user sets one for, by code; the closest selector wins. Raises
    BadInputError for a selector that selects nothing.
    """
    _require(given, rules)
    found: dict[str, Severity] = {}
    for rule in rules:
        closest = max(given, key=lambda selector: _specificity((selector,), rule), default=None)
        if closest is not None and _matches(closest, rule):
            found[rule.code] = given[closest]
    return found


def _require(selectors: Iterable[str], rules: Sequence[Rule]) -> None:
    for selector in selectors:
        if not any(_matches(selector, rule) for rule in rules):
            raise BadInputError(unknown_rule(selector, rules))


def find_rule(given: str, rules: Sequence[Rule]) -> Rule:
    """The rule with this code or name. Raises BadInputError, with the nearest name, where there is none."""
    for rule in rules:
        if given.upper() == rule.code or given.lower() == rule.name:
            return rule
    raise BadInputError(unknown_rule(given, rules))


def unknown_rule(given: str, rules: Iterable[Rule]) -> str:
    """What to tell somebody who named a rule that does not exist."""
    known = {rule.code: f"{rule.code} ({rule.name})" for rule in rules}
    known |= {rule.name: f"{rule.name} ({rule.code})" for rule in rules}
    folded = given.upper() if given.upper().startswith("FRZ") else given.lower()
    near = difflib.get_close_matches(folded, known, n=1, cutoff=0.4)
    hint = f"did you mean {known[near[0]]}?" if near else "`freezelint rule --all` lists the rules"
    return f"there is no rule {given!r}; {hint}"


def _matches(selector: str, rule: Rule) -> bool:
    return _specificity((selector,), rule) >= 0


def _specificity(selectors: Iterable[str], rule: Rule) -> int:
    """How closely the best of the selectors names this rule: -1 not at all, 0 by `ALL`, then by the length of
    the prefix."""
    best = -1
    for selector in selectors:
        if selector.upper() == ALL:
            best = max(best, 0)
        elif selector.lower() == rule.name:
            best = max(best, len(rule.code))
        elif selector and rule.code.startswith(selector.upper()):
            best = max(best, len(selector))
    return best
