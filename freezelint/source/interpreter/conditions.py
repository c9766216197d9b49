"""Conditions: known ones are obeyed; for unknown ones the run takes the side that a script usually takes, and
remembers that it did."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.paths import MATTERS_MUCH, ends_script, leaves_function, refuses, weight_of
from freezelint.source.interpreter.values import MISSING, Unknown, Value

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


@dataclass(frozen=True)
class _Wish:
    """The side that a condition should come out on, because the other one gives up. `demanded` tells that the
    script surely ends there.
    """

    side: bool
    demanded: bool = False

    def turned(self) -> _Wish:
        """The same for the opposite condition."""
        return _Wish(not self.side, self.demanded)


def choose(machine: Machine, node: ast.If) -> tuple[bool, bool]:
    """Which side of an `if` to take, and whether that is known."""
    wish: _Wish | None = None
    if ends_script(node.body):
        wish = _Wish(False, refuses(node.body))
    elif node.orelse and ends_script(node.orelse):
        wish = _Wish(True, refuses(node.orelse))
    elif (
        not node.orelse
        and leaves_function(node.body)
        and machine.frame.body
        and machine.frame.body[-1][-1] is not node
    ):
        wish = _Wish(False)
    return _test(machine, node.test, node, wish)


def choose_value(machine: Machine, node: ast.IfExp) -> tuple[bool, bool]:
    """Which side of `a if condition else b` to take, and whether that is known."""
    return _test(machine, node.test, node, None)


def holds(machine: Machine, test: ast.expr) -> bool:
    """Whether a condition of a comprehension holds."""
    return _test(machine, test, test, None)[0]


def is_given(machine: Machine, option: Unknown) -> bool:
    """Whether an option that is empty by default is given, for the statement that runs through it."""
    around = machine.frame.statement or machine.node
    location = machine.frame.file.location(around, machine.frame.name)
    return machine.decisions.decide(option.text, False, location, _weight(machine, around, None))


def _test(machine: Machine, test: ast.expr, around: ast.AST, wish: _Wish | None) -> tuple[bool, bool]:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        side, known = _test(machine, test.operand, around, wish and wish.turned())
        return not side, known
    if isinstance(test, ast.BoolOp):
        return _test_all(machine, test, around, wish)
    value = machine.evaluate(test)
    truth = machine.truth(value)
    if truth is None:
        truth, known = _decide(machine, value, test, around, wish), False
    else:
        known = True
    _remember(machine, test, truth)
    return truth, known


def _test_all(machine: Machine, test: ast.BoolOp, around: ast.AST, wish: _Wish | None) -> tuple[bool, bool]:
    """`and` and `or`, as far as they are evaluated."""
    deciding = isinstance(test.op, ast.Or)
    known = True
    for part in test.values:
        # A whole that should come out against what its parts decide needs one part to do so.
        wanted = wish if wish is None or wish.side is not deciding or part is test.values[-1] else None
        side, sure = _test(machine, part, around, wanted)
        if side is deciding:
            return side, sure and known
        known = known and sure
    return not deciding, known


def _decide(
    machine: Machine,
    value: Value,
    test: ast.expr,
    around: ast.AST,
    wish: _Wish | None,
    *,
    negated: bool = False,
) -> bool:
    """The side to take; `negated` tells that the test as it is written is the opposite of the value."""
    if isinstance(value, Unknown) and value.opposite is not None:
        return not _decide(machine, value.opposite, test, around, wish and wish.turned(), negated=not negated)
    machine.decided += 1
    if machine.forwarding:
        machine.recorder.uncertain_forward = True
    if isinstance(value, Unknown) and value.late:
        early = {outcome is not negated for outcome in machine.early.get(test, set())}
        return _later(machine, test, early, value.falling)
    settings = {} if _compares(value) else _settings(machine, test)
    assumed = machine.decisions.assumed
    settled = bool(settings) and all(assumed.get(name, MISSING) is not MISSING for name in settings)
    if settled and _is_plain(value.hint) and not _is_forced(machine, value):
        return bool(value.hint)  # what was decided on the setting before decides this, too
    text = text_of(value) if isinstance(value, Unknown) and value.text else _text(test)
    usual = _usual(value, test)
    if wish is not None and wish.demanded:
        default = wish.side  # a default that the script refuses is none: everybody gives that option
    elif isinstance(value, Unknown) and value.hint is not MISSING:
        default = bool(value.hint) if _is_plain(value.hint) else usual
    else:
        default = usual if wish is None else wish.side
    location = machine.frame.file.location(test, machine.frame.name)
    equals, measures = (value.equals, value.measures) if isinstance(value, Unknown) else (None, "")
    if equals is None and len(settings) == 1:
        # Where this comes out against its default, the setting has another value: the other one, or any.
        ((name, default_of_it),) = settings.items()
        equals = (name, not default_of_it if isinstance(default_of_it, bool) else MISSING, None)
    weight = _weight(machine, around, wish)
    shown, demanded = "" if negated else _text(test), wish is not None and wish.demanded
    return machine.decisions.decide(text, default, location, weight, equals, measures, shown, demanded)


def _is_forced(machine: Machine, value: Unknown) -> bool:
    return value.text in machine.decisions.forced


def _compares(value: Value) -> bool:
    """Whether the condition itself tells what a setting is, or is about its size."""
    return isinstance(value, Unknown) and (value.equals is not None or bool(value.measures))


def _settings(machine: Machine, test: ast.expr) -> dict[str, Value]:
    """The unknown values that a condition is made of, by text, with their hints, where all have one."""
    found: dict[str, Value] = {}
    for part in _names(test):
        value = machine.evaluate(part)
        if isinstance(value, Unknown):
            if value.late or not value.text or value.hint is MISSING:
                return {}
            found[value.text] = value.hint
    return found


def _names(node: ast.AST) -> Iterator[ast.expr]:
    """The names and dotted names that are looked up in an expression, the outermost of each."""
    if isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        return
    inner = node
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    if isinstance(inner, ast.Name) and isinstance(node, (ast.Name, ast.Attribute)):
        yield node
        return
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        yield from _names(node.func.value)  # the object of a method, not the method
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            yield from _names(argument)
        return
    for child in ast.iter_child_nodes(node):
        yield from _names(child)


def _is_plain(value: Value) -> bool:
    return isinstance(value, (str, int, float, bool, type(None), list, tuple, dict))


def _later(machine: Machine, test: ast.expr, early: set[bool], falling: bool) -> bool:
    """A condition on the counter of a loop, once the first passes are over: what was so from the beginning is
    over, what was not yet so happens, unless it is past (`epoch < 0`); an `==` happens once."""
    if falling and early == {False}:
        return False
    loop = next((loop for loop in reversed(machine.loops) if loop.late), None)
    if (
        loop is not None
        and loop.late == 2
        and isinstance(test, ast.Compare)
        and isinstance(test.ops[0], ast.Eq)
    ):
        modulo = any(isinstance(part, ast.Mod) for part in ast.walk(test))
        return modulo and early != {True}
    return early != {True}


def _usual(value: Value, test: ast.expr) -> bool:
    """The side that a condition of this form usually takes."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return True
    operator, right = test.ops[0], test.comparators[0]
    constant = isinstance(right, ast.Constant) and not isinstance(right.value, str)
    if isinstance(operator, (ast.Is, ast.Eq)):
        return not constant and not isinstance(test.left, ast.Constant)
    return not isinstance(operator, (ast.Gt, ast.GtE, ast.NotIn))


def _weight(machine: Machine, around: ast.AST, wish: _Wish | None) -> int:
    known: int | None = getattr(around, _WEIGHT, None)
    if known is None:
        known = _weighed(machine, around)
    if machine.importing and known < MATTERS_MUCH:
        return 0  # what a module asks while it is imported (is a package there?) is not about models
    # A branch that gives up is not worth a path of its own, unless it is the only one.
    return (
        min(known, 1)
        if wish is not None and not wish.side and isinstance(around, ast.If) and not around.orelse
        else known
    )


def _weighed(machine: Machine, node: ast.AST) -> int:
    """How much a branch matters; of a chain of `elif` each link is looked at once."""
    chain: list[ast.If] = []
    while isinstance(node, ast.If) and len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        chain.append(node)
        node = node.orelse[0]
    weight = weight_of(_source(machine, node, getattr(node, "end_lineno", 1)))
    setattr(node, _WEIGHT, weight)
    for link in reversed(chain):
        own = weight_of(_source(machine, link, link.body[-1].end_lineno))
        weight = max(weight, own)
        setattr(link, _WEIGHT, weight)
    return weight


def _source(machine: Machine, node: ast.AST, last: int | None) -> str:
    first: int = getattr(node, "lineno", 1)
    return "\n".join(machine.frame.file.lines[first - 1 : last])


def _text(node: ast.AST) -> str:
    known: str | None = getattr(node, _TEXT, None)
    if known is None:
        try:
            known = ast.unparse(node)
        except Exception:
            known = "a condition"
        setattr(node, _TEXT, known)
    return known


# What is worked out about a node stays with it: it is asked in every run, and in every pass of a loop.
_WEIGHT, _TEXT = "freezelint_weight", "freezelint_text"


def accepts(machine: Machine, verdict: Value, test: ast.AST | None) -> bool:
    """Whether what a predicate returned counts as true; `test` is the condition as the script writes it."""
    truth = machine.truth(verdict)
    if truth is None:
        expression = test if isinstance(test, ast.expr) else ast.Constant(True, lineno=1, col_offset=0)
        truth = _decide(machine, verdict, expression, expression, None)
        _remember(machine, expression, truth)
    return truth


def flag(machine: Machine, value: Value) -> bool | None:
    """What a flag is set to. A setting with a default is decided as in the condition of an `if`, and so is
    what depends on the counter of a loop; None where nobody knows.
    """
    if not isinstance(value, Unknown) or not (value.late or _is_plain(value.hint)):
        truth = machine.truth(value)
        if truth is not None and machine.loops:
            _remember(machine, _written(machine), truth)
        return truth
    return accepts(machine, value, _written(machine))


def _written(machine: Machine) -> ast.AST:
    """The expression that the current statement assigns, or is."""
    found = getattr(machine.frame.statement, "value", None)
    return found if isinstance(found, ast.expr) else machine.node


def _remember(machine: Machine, test: ast.AST, truth: bool) -> None:
    """What came out in the first passes of a loop."""
    if machine.loops and not any(loop.late for loop in machine.loops):
        machine.early.setdefault(test, set()).add(truth)
