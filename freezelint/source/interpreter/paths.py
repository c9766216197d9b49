"""Decisions on conditions that nobody knows. A path is the list of decisions that one run takes; another path
is another run with some of them turned round, so that no state is ever copied.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from freezelint.evidence import Location
from freezelint.source.interpreter.values import MISSING

if TYPE_CHECKING:
    from freezelint.source.interpreter.thresholds import Compared

# What a branch must mention for its condition to be worth turning round.
_WORTH = re.compile(
    r"requires?d?_?grad|freez|\.train\(|\.eval\(|optim|no_grad|inference_mode|param|\blr\b|detach|dropout|"
    r"backbone|encoder|pretrain|weights|checkpoint|load_state|head|classifier|\bfc\b|\bbn|norm|model|net\b",
    re.IGNORECASE,
)
_STRONG = re.compile(r"requires?d?_?grad|freez|\.train\(|\.eval\(|no_grad|_grad_enabled|param_groups|optim\.")


@dataclass(frozen=True)
class Decision:
    """A condition of unknown value and the side that was taken. `weight` ranks what to turn round first."""

    condition: str
    taken: bool
    location: Location | None
    weight: int
    equals: tuple[str, Any, bool | None] | None = None  # see `Unknown.equals`
    measures: str = ""  # see `Unknown.measures`
    source: str = ""  # the condition as the script writes it
    demanded: bool = False  # on the other side the script gives up


@dataclass
class Decisions:
    """The decisions of one run: those that are forced upon it, and all that it took, in order.

    `assumed` are the values that settings have because of what was decided on them: where `args.arch ==
    "vgg16"` is taken for true, `args.arch` is "vgg16" from the beginning of the run; where it is taken for
    false, it may be anything.
    """

    forced: dict[str, bool] = field(default_factory=dict)
    assumed: dict[str, Any] = field(default_factory=dict)
    taken: dict[str, Decision] = field(default_factory=dict)
    thresholds: dict[str, int] = field(
        default_factory=dict
    )  # where unknown numbers are taken to lie, by text
    compared: dict[str, Compared] = field(default_factory=dict)  # unknown numbers that were compared, by text

    def decide(
        self,
        condition: str,
        default: bool,
        location: Location | None,
        weight: int,
        equals: tuple[str, Any, bool | None] | None = None,
        measures: str = "",
        source: str = "",
        demanded: bool = False,
    ) -> bool:
        """The side to take; the same condition is always decided alike."""
        known = self.taken.get(condition)
        if known is None:
            side = self.forced.get(condition, default)
            known = Decision(condition, side, location, weight, equals, measures, source, demanded)
            self.taken[condition] = known
            if equals is not None and side is equals[2]:
                self.assumed[equals[0]] = equals[1]
        elif weight > known.weight:
            self.taken[condition] = replace(known, weight=weight)
        return known.taken


def assumptions(decisions: Iterable[Decision], forced: dict[str, bool]) -> dict[str, Any]:
    """What settings are on a path with these decisions forced, as far as comparisons tell it."""
    found: dict[str, Any] = {}
    for decision in decisions:
        side = forced.get(decision.condition)
        if side is not None and decision.equals is not None:
            text, value, equal = decision.equals
            if side is equal or equal is None:
                found[text] = value
            else:
                found.setdefault(text, MISSING)
    return found


# The weight of a branch that says itself that it freezes, optimises or sets a mode.
MATTERS_MUCH = 2
# More than any branch can weigh.
NEVER = 3


def weight_of(source: str) -> int:
    """How much a branch with this text may matter: 0 not at all, 1 somewhat, 2 much."""
    if _STRONG.search(source):
        return MATTERS_MUCH
    return 1 if _WORTH.search(source) else 0


def ends_script(body: list[ast.stmt]) -> bool:
    """Whether a branch gives up: raises, exits, or complains through the argument parser."""
    last = body[-1]
    if isinstance(last, ast.Raise):
        return True
    if not (isinstance(last, ast.Expr) and isinstance(last.value, ast.Call)):
        return False
    function = last.value.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("exit", "quit", "_exit", "error", "abort", "print_help", "fail")


def refuses(body: list[ast.stmt]) -> bool:
    """Whether a branch surely ends the run: `error` may be a logger's as well as the argument parser's."""
    if not body or not ends_script(body):
        return False
    last = body[-1]
    if isinstance(last, ast.Raise):
        return True
    function = last.value.func if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call) else None
    if isinstance(function, ast.Attribute) and function.attr in ("error", "print_help"):
        return "pars" in ast.unparse(function.value).lower()
    return True


def leaves_function(body: list[ast.stmt]) -> bool:
    """Whether a branch ends the function it stands in."""
    return isinstance(body[-1], ast.Return) or ends_script(body)
