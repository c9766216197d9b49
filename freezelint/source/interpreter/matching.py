"""`match` statements."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from freezelint.source.interpreter import conditions, operators
from freezelint.source.interpreter.assigning import bind
from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.values import Unknown, Value

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


def match(machine: Machine, node: Any) -> None:
    """Run the first case that fits; where nobody knows whether one does, a decision is taken."""
    subject = machine.evaluate(node.subject)
    for case in node.cases:
        fits = _fits(machine, case.pattern, subject)
        if fits is None:
            fits = _decide(machine, case, subject)
        if fits and (case.guard is None or conditions.holds(machine, case.guard)):
            machine.execute(case.body)
            return


def _decide(machine: Machine, case: Any, subject: Value) -> bool:
    try:
        pattern = ast.unparse(case.pattern)
    except Exception:
        pattern = "…"
    text = f"{text_of(subject)} is {pattern}"
    location = machine.frame.file.location(case.pattern, machine.frame.name)
    hint = operators.known(subject)
    default = True
    if isinstance(subject, Unknown) and not isinstance(hint, Unknown):
        fits = _fits(machine, case.pattern, hint)
        default = True if fits is None else fits
    return machine.decisions.decide(text, default, location, 2)


def _fits(machine: Machine, pattern: Any, subject: Value) -> bool | None:
    """Whether a pattern fits; names in it are bound as it is tried."""
    if isinstance(pattern, ast.MatchAs):
        fits = True if pattern.pattern is None else _fits(machine, pattern.pattern, subject)
        if pattern.name is not None and fits is not False:
            bind(machine, pattern.name, subject)
        return fits
    if isinstance(pattern, ast.MatchOr):
        results = [_fits(machine, part, subject) for part in pattern.patterns]
        return True if True in results else (None if None in results else False)
    if isinstance(pattern, ast.MatchValue):
        return machine.truth(operators.compare(machine, ast.Eq(), subject, machine.evaluate(pattern.value)))
    if isinstance(pattern, ast.MatchSingleton):
        return None if isinstance(subject, Unknown) else subject is pattern.value
    if isinstance(pattern, ast.MatchSequence) and isinstance(subject, (list, tuple)):
        return _fits_sequence(machine, pattern, list(subject))
    return None


def _fits_sequence(machine: Machine, pattern: Any, subject: list[Value]) -> bool | None:
    if any(isinstance(part, ast.MatchStar) for part in pattern.patterns):
        return None
    if len(pattern.patterns) != len(subject):
        return False
    results = [_fits(machine, part, value) for part, value in zip(pattern.patterns, subject, strict=True)]
    return False if False in results else (None if None in results else True)
