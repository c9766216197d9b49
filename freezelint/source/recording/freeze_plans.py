"""What the text of a loop says about the freeze in it: which writes of False to `requires_grad` it holds,
which tests guard them, and what these tests look for. Pure syntax; the values come when the loop runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard

Loop: TypeAlias = ast.For | ast.AsyncFor
# Methods of modules whose elements a freezing loop goes over.
GIVING = frozenset(
    {"parameters", "named_parameters", "children", "named_children", "modules", "named_modules"}
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_LOOPS = (ast.For, ast.AsyncFor)
_SEARCHES = frozenset({"startswith", "endswith", "find", "rfind", "index", "count", "__contains__"})
_SPELLINGS = frozenset(
    {"lower", "upper", "strip", "casefold", "split", "rsplit", "partition", "rpartition", "replace"}
    | {"removeprefix", "removesuffix", "lstrip", "rstrip"}
)
_MATCHES = frozenset({"match", "search", "fullmatch"})


@dataclass(frozen=True)
class Guard:
    """An `if` that must come out as `side` for the write to run. `sought` are the expressions that its test
    compares names or positions with; None where it tests for anything else. `test` is what the `if` asks,
    a variable that holds the answer looked through.
    """

    node: ast.If
    side: bool
    test: ast.expr
    sought: tuple[ast.expr, ...] | None


@dataclass(frozen=True)
class Write:
    """A statement that writes False, and what guards it, outermost first."""

    node: ast.stmt
    guards: tuple[Guard, ...]


@dataclass(frozen=True)
class Plan:
    """A loop that is there to freeze. `sources` are the calls that give its items (`model.parameters()`);
    `chosen` are the tests of comprehensions in its header, with what they look for.
    """

    writes: tuple[Write, ...]
    sources: tuple[ast.Call, ...]
    chosen: tuple[tuple[ast.expr, tuple[ast.expr, ...] | None], ...]
    guards: frozenset[int]  # by id of the `if`


def plan_of(loop: Loop, around: ast.AST | None) -> Plan | None:
    """The plan of a loop; None for one that freezes nothing itself. `around` is the function (or module) that
    it stands in.
    """
    subjects = _subjects(loop)
    writes = tuple(_writes(loop.body, (), subjects, _assigned(loop)))
    if not writes:
        return None
    tests = [test for part in ast.walk(loop.iter) if isinstance(part, ast.comprehension) for test in part.ifs]
    chosen = tuple((test, _sought(test, subjects, {})) for test in tests)
    guards = frozenset(id(guard.node) for write in writes for guard in write.guards)
    return Plan(writes, tuple(sources_in(loop.iter, around)), chosen, guards)


# --- where the items come from ---


def sources_in(node: ast.expr, around: ast.AST | None) -> Iterator[ast.Call]:
    """The calls of `parameters()` and the like in an expression, one variable looked through."""
    found = list(_giving_calls(node))
    if not found and around is not None:
        names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        values = [value for name, value in _assignments(around) if name in names]
        found = [call for value in values for call in _giving_calls(value)]
    yield from found


def _giving_calls(node: ast.AST) -> Iterator[ast.Call]:
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in GIVING:
            yield part


def _assignments(around: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    for part in ast.walk(around):
        if isinstance(part, ast.Assign):
            for target in part.targets:
                if isinstance(target, ast.Name):
                    yield target.id, part.value


# --- writes ---


def _writes(
    body: list[ast.stmt],
    guards: tuple[Guard, ...],
    subjects: frozenset[str],
    assigned: dict[str, ast.expr],
) -> Iterator[Write]:
    """The writes in a block, `if`s and inner loops entered. What stands in any other block is not followed:
    whether it ran is not to be told by tests alone.
    """
    for statement in body:
        if isinstance(statement, ast.If):
            test = assigned.get(getattr(statement.test, "id", ""), statement.test)
            sought = _sought(test, subjects, assigned)
            yes, no = (Guard(statement, side, test, sought) for side in (True, False))
            yield from _writes(statement.body, (*guards, yes), subjects, assigned)
            yield from _writes(statement.orelse, (*guards, no), subjects, assigned)
            if any(isinstance(inner, (ast.Continue, ast.Break)) for inner in statement.body):
                guards = (*guards, no)
        elif isinstance(statement, (*_LOOPS, ast.With)):
            yield from _writes(statement.body, guards, subjects, assigned)
        elif writes_false(statement):
            yield Write(statement, guards)


def writes_false(node: ast.AST) -> bool:
    """Whether the code of a node, functions defined in it aside, writes False to a `requires_grad`."""
    return any(_writes_false(part) for part in _own(node))


def _own(node: ast.AST) -> Iterator[ast.AST]:
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        children = [child for child in ast.iter_child_nodes(current) if not isinstance(child, _FUNCTIONS)]
        pending.extend(reversed(children))


def _writes_false(part: ast.AST) -> bool:
    if isinstance(part, ast.Assign):
        return is_false(part.value) and any(is_flag(target) for target in part.targets)
    if not isinstance(part, ast.Call):
        return False
    if isinstance(part.func, ast.Attribute) and part.func.attr == "requires_grad_":
        values = [*part.args, *(keyword.value for keyword in part.keywords)]
        return bool(values) and is_false(values[0])
    return (
        isinstance(part.func, ast.Name)
        and part.func.id == "setattr"
        and len(part.args) == 3
        and isinstance(part.args[1], ast.Constant)
        and part.args[1].value == "requires_grad"
        and is_false(part.args[2])
    )


def is_flag(node: ast.AST) -> bool:
    """Whether it is `….requires_grad`."""
    return isinstance(node, ast.Attribute) and node.attr == "requires_grad"


def is_false(node: ast.AST) -> bool:
    """Whether it is the constant False."""
    return isinstance(node, ast.Constant) and node.value is False


# --- tests ---


def _subjects(loop: Loop) -> frozenset[str]:
    """The variables that stand for names and positions: those of this loop, of loops and comprehensions in it
    over parameters, modules or what the outer loop gives, and counters. Those of a loop over a list of words
    are what is sought.
    """
    found = _names(loop.target)
    for part in _own(loop):
        if isinstance(part, (*_LOOPS, ast.comprehension)):
            if part is not loop and (
                any(True for _ in _giving_calls(part.iter)) or _mentions(part.iter, found)
            ):
                found |= _names(part.target)
        elif _is_counter(part):
            found |= _names(part.target)
    return found


def _names(node: ast.AST) -> frozenset[str]:
    return frozenset(name.id for name in ast.walk(node) if isinstance(name, ast.Name))


def _is_counter(node: ast.AST) -> TypeGuard[ast.AugAssign]:
    """`count += 1`."""
    return (
        isinstance(node, ast.AugAssign)
        and isinstance(node.op, ast.Add)
        and isinstance(node.value, ast.Constant)
    )


def _assigned(loop: Loop) -> dict[str, ast.expr]:
    """What names are given in the loop; not those that are given several things."""
    found: dict[str, list[ast.expr]] = {}
    for name, value in _assignments(loop):
        found.setdefault(name, []).append(value)
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def _sought(
    test: ast.expr, subjects: frozenset[str], assigned: dict[str, ast.expr], depth: int = 6
) -> tuple[ast.expr, ...] | None:
    """The expressions that a test compares names or positions with; None if it tests for anything else."""
    if not depth:
        return None
    if isinstance(test, ast.BoolOp):
        return _all_sought(test.values, subjects, assigned, depth)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _sought(test.operand, subjects, assigned, depth - 1)
    if isinstance(test, ast.Name) and test.id in assigned:
        return _sought(assigned[test.id], subjects, assigned, depth - 1)
    if isinstance(test, ast.Compare):
        return _by_comparison(test, subjects, assigned)
    if isinstance(test, ast.Call):
        return _by_call(test, subjects, assigned, depth)
    return None


def _all_sought(
    tests: list[ast.expr], subjects: frozenset[str], assigned: dict[str, ast.expr], depth: int
) -> tuple[ast.expr, ...] | None:
    found: list[ast.expr] = []
    for test in tests:
        sought = _sought(test, subjects, assigned, depth - 1)
        if sought is None:
            return None
        found.extend(sought)
    return tuple(found)


def _by_comparison(
    test: ast.Compare, subjects: frozenset[str], assigned: dict[str, ast.expr]
) -> tuple[ast.expr, ...] | None:
    if any(isinstance(operator, (ast.Is, ast.IsNot)) for operator in test.ops):
        return None
    sides = [test.left, *test.comparators]
    compared = [side for side in sides if _is_subject(side, subjects, assigned)]
    others = [side for side in sides if side not in compared]
    if len(compared) != 1 or any(_mentions(side, subjects) for side in others):
        return None
    search = compared[0]
    if (
        isinstance(search, ast.Call)
        and isinstance(search.func, ast.Attribute)
        and search.func.attr in _SEARCHES
    ):
        constants = all(isinstance(side, (ast.Constant, ast.UnaryOp)) for side in others)
        return tuple(search.args[:1]) if constants else None
    return tuple(others)


def _by_call(
    test: ast.Call, subjects: frozenset[str], assigned: dict[str, ast.expr], depth: int
) -> tuple[ast.expr, ...] | None:
    function = test.func
    if isinstance(function, ast.Attribute) and test.args:
        first = test.args[0]
        if function.attr in _SEARCHES and _is_subject(function.value, subjects, assigned):
            return None if _mentions(first, subjects) else (first,)
        regular = isinstance(function.value, ast.Name) and function.value.id in ("re", "regex")
        if regular and function.attr in _MATCHES and len(test.args) > 1:
            return (first,) if _is_subject(test.args[1], subjects, assigned) else None
    if isinstance(function, ast.Name) and function.id in ("any", "all") and len(test.args) == 1:
        return _by_quantifier(test.args[0], subjects, assigned, depth)
    return None


def _by_quantifier(
    node: ast.expr, subjects: frozenset[str], assigned: dict[str, ast.expr], depth: int
) -> tuple[ast.expr, ...] | None:
    """`any(part in name for part in parts)`: what it looks for are the elements of `parts`."""
    if isinstance(node, (ast.List, ast.Tuple)):
        return _all_sought(node.elts, subjects, assigned, depth)
    if not isinstance(node, (ast.GeneratorExp, ast.ListComp)) or len(node.generators) != 1:
        return None
    generator = node.generators[0]
    if (
        generator.ifs
        or not isinstance(generator.target, ast.Name)
        or _mentions(generator.iter, subjects - {generator.target.id})
    ):
        return None
    inner = _sought(node.elt, subjects - {generator.target.id}, assigned, depth - 1)
    if inner is None:
        return None
    variable = generator.target.id
    plain = all(isinstance(one, ast.Name) and one.id == variable for one in inner)
    # What is made of the variable (f"{part}.") is the whole comprehension's business.
    return (generator.iter,) if plain else (ast.ListComp(inner[0], [generator]),) if len(inner) == 1 else None


def _is_subject(
    node: ast.expr, subjects: frozenset[str], assigned: dict[str, ast.expr], depth: int = 6
) -> bool:
    """Whether it is a name or a position that the loop gives, or another spelling or a part of it."""
    if not depth:
        return False
    if isinstance(node, ast.Name):
        if node.id in subjects:
            return True
        return node.id in assigned and _is_subject(assigned[node.id], subjects, assigned, depth - 1)
    if isinstance(node, ast.Subscript):
        return _is_subject(node.value, subjects, assigned, depth - 1)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        kept = node.func.attr in _SPELLINGS or node.func.attr in _SEARCHES
        return kept and _is_subject(node.func.value, subjects, assigned, depth - 1)
    return False


def _mentions(node: ast.AST, subjects: frozenset[str]) -> bool:
    return any(isinstance(part, ast.Name) and part.id in subjects for part in ast.walk(node))
