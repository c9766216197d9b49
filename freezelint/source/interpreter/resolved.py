"""The values of expressions that are looked at a second time, after the script has used them. Only those
without consequences are evaluated: constants, variables, attributes, items, and texts made of these.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from freezelint.source.interpreter.values import Unknown, Value

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_PURE = (
    *(ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.List, ast.Tuple, ast.Set, ast.JoinedStr),
    *(ast.FormattedValue, ast.BinOp, ast.UnaryOp, ast.ListComp, ast.comprehension, ast.Slice),
    *(ast.operator, ast.unaryop, ast.expr_context),
)
_READING = frozenset({"len", "str", "list", "tuple", "set", "range", "int"})
_MOST = 64
_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
}  # fmt: skip


def is_pure(node: ast.AST) -> bool:
    """Whether evaluating the expression again changes nothing."""
    pending: list[ast.AST] = [node]
    while pending:
        part = pending.pop()
        if isinstance(part, ast.Call):
            if not (isinstance(part.func, ast.Name) and part.func.id in _READING):
                return False
        elif not isinstance(part, _PURE):
            return False
        pending.extend(ast.iter_child_nodes(part))
    return True


def value(machine: Machine, node: ast.expr) -> Value:
    """The value of an expression; unknown where evaluating it might do something."""
    return machine.evaluate(node) if is_pure(node) else Unknown("value")


def values(machine: Machine, nodes: Iterable[ast.expr]) -> Iterator[Value]:
    """What these expressions stand for one by one: the elements of lists, and single values."""
    for node in nodes:
        found = value(machine, node)
        elements = found if isinstance(found, (list, tuple, set, frozenset, dict, range)) else [found]
        for position, element in enumerate(elements):
            if position >= _MOST:
                return
            if isinstance(element, (list, tuple)):
                yield from element[:_MOST]
            else:
                yield element


def source(machine: Machine, node: ast.expr, *, opposite: bool = False) -> str:
    """An expression as the file has it, on one line; of a test, where asked for, the opposite."""
    text = " ".join(_segment(machine.frame.file.lines, node).split())
    if not opposite:
        return text
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return source(machine, node.operand)
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _OPPOSITE:
        left, right = source(machine, node.left), source(machine, node.comparators[0])
        return f"{left} {_SIGNS[_OPPOSITE[type(node.ops[0])]]} {right}"
    return f"not {text}" if isinstance(node, (ast.Call, ast.Name)) else f"not ({text})"


def _segment(lines: list[str], node: ast.expr) -> str:
    """The text of an expression: `ast.get_source_segment` splits all of the file for it."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    if last >= len(lines):
        return ""
    encoded = [line.encode("utf-8", "surrogatepass") for line in lines[first : last + 1]]
    encoded[-1] = encoded[-1][: node.end_col_offset]
    encoded[0] = encoded[0][node.col_offset :]
    return b"\n".join(encoded).decode("utf-8", "replace")


_SIGNS: dict[type[ast.cmpop], str] = {
    ast.In: "in", ast.NotIn: "not in", ast.Eq: "==", ast.NotEq: "!=",
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
