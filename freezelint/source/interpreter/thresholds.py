"""Numbers that nobody knows and that a loop compares its counter with, as in `if i < args.frozen_layers`.

Each of these comparisons by itself could come out either way, but together they only tell where the number
lies. A number without a default is taken to lie in the middle of those it is compared with: whoever counts
off layers means some of them. One whose default takes none of them is read with its default, and once more
from the middle.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from freezelint.evidence import Location
from freezelint.source.interpreter.paths import MATTERS_MUCH, Decision, Decisions
from freezelint.source.interpreter.values import MISSING, Unknown, Value

_ORDERS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


@dataclass
class Compared:
    """What an unknown number was compared with in one run."""

    hint: Value
    location: Location | None
    numbers: set[float] = field(default_factory=set)

    @property
    def middle(self) -> int | None:
        """Where to expect the number; None where it was compared with a single one."""
        return int(min(self.numbers) + max(self.numbers) + 1) // 2 if len(self.numbers) > 1 else None


def measured(
    decisions: Decisions, op: ast.cmpop, left: Value, right: Value, location: Location | None
) -> tuple[Value, Value, str]:
    """The two sides of a comparison, an unknown number with the value that it is taken to have; its text."""
    for unknown, number in ((left, right), (right, left)):
        is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
        if not (isinstance(op, _ORDERS) and isinstance(unknown, Unknown) and is_number) or unknown.late:
            continue
        known = decisions.compared.setdefault(unknown.text, Compared(unknown.hint, location))
        known.numbers.add(number)
        middle = decisions.thresholds.get(unknown.text)
        if unknown.hint is MISSING and middle is not None:
            taken = Unknown(unknown.text, middle)
            return (taken, right, unknown.text) if unknown is left else (left, taken, unknown.text)
        return left, right, unknown.text
    return left, right, ""


class Thresholds:
    """What the runs over one file have shown of such numbers."""

    def __init__(self) -> None:
        self.middles: dict[str, int] = {}
        self._options: dict[str, Decision] = {}

    def learn(self, decisions: Decisions) -> None:
        """Take note of what a run compared."""
        for text, compared in decisions.compared.items():
            middle = compared.middle
            if middle is None or not text:
                continue
            if compared.hint is MISSING:
                self.middles.setdefault(text, middle)
            elif isinstance(compared.hint, (int, float)) and compared.hint <= 0 < middle:
                given = Decision(f"{text} > 0", False, compared.location, MATTERS_MUCH, (text, middle, True))
                self._options.setdefault(given.condition, given)

    def told(self, decisions: Decisions) -> Iterator[Decision]:
        """The decisions of a run. What is decided on such a number is none, where it lies is one."""
        several = {text for text, compared in decisions.compared.items() if len(compared.numbers) > 1}
        met: set[Location | None] = set()
        for decision in decisions.taken.values():
            if decision.measures in several:
                continue
            # `if step % args.every == 0` is asked for each step: to turn the first round is enough.
            again = decision.condition[:1].isdigit() and decision.location in met
            met.add(decision.location)
            yield replace(decision, weight=0) if again else decision
        for condition, option in self._options.items():
            if condition not in decisions.taken and option.equals and option.equals[0] in several:
                yield replace(option, taken=decisions.forced.get(condition, False))
