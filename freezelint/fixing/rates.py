"""What several mends ask about learning rates: where one is written, and a tenth of it."""

from __future__ import annotations

import ast
import re
from decimal import Decimal, InvalidOperation

from freezelint.evidence import Location
from freezelint.finding import Edit
from freezelint.fixing.script import NoPlaceError, Script

_POWER = re.compile(r"(\d+(?:\.\d*)?)([eE]-?)(\d+)")
_ONE_RATE = re.compile(r"param_groups\s*\[[^\]]+\]\s*\[\s*['\"]lr['\"]\s*\]\s*[-+*/]?=(?!=)")


def rate_of(call: ast.Call) -> ast.expr | None:
    """The rate that an optimizer's construction is given for all groups; None where it is the default.
    Raises NoPlaceError where that cannot be told.
    """
    for keyword in call.keywords:
        if keyword.arg == "lr":
            return keyword.value
    if len(call.args) > 1 and not any(isinstance(each, ast.Starred) for each in call.args):
        return call.args[1]
    if any(keyword.arg is None for keyword in call.keywords) or len(call.args) > 1:
        raise NoPlaceError("the optimizer's learning rate is not written where it is built")
    return None


def value_of(group: ast.expr, key: str) -> ast.expr | None:
    """The value of a key of a group that is written out."""
    if isinstance(group, ast.Dict):
        for name, value in zip(group.keys, group.values, strict=True):
            if isinstance(name, ast.Constant) and name.value == key:
                return value
    return None


def with_key(script: Script, group: ast.expr, text: str) -> Edit:
    """One more key, with its value, in a group that is written out."""
    if not isinstance(group, ast.Dict) or not group.values:
        raise NoPlaceError("the group is not written out")
    last = script.location(group.values[-1])
    line, column = last.end_line or last.line, last.end_column or last.column
    return Edit(Location(script.path, line, column, line, column, cell=last.cell), f", {text}")


def tenth(script: Script, rate: ast.expr | None, default: float) -> str:
    """A tenth of a rate, as one would write it. Raises NoPlaceError where it can be written only once."""
    if rate is None:
        return tenth_of_number(f"{default:g}")
    if any(isinstance(node, ast.Call | ast.Await | ast.NamedExpr) for node in ast.walk(rate)):
        raise NoPlaceError("the learning rate is computed by a call, which would be made twice")
    text = script.text(rate)
    if isinstance(rate, ast.Constant):
        return tenth_of_number(text)
    tight = isinstance(rate, ast.Name | ast.Attribute | ast.Subscript) or (
        isinstance(rate, ast.BinOp) and isinstance(rate.op, ast.Mult | ast.Div | ast.Pow)
    )
    return f"{text} / 10" if tight else f"({text}) / 10"


def tenth_of_number(text: str) -> str:
    """A tenth of a number, in the way in which the number is written: 1e-3 is 1e-4, 0.01 is 0.001."""
    power = _POWER.fullmatch(text)
    if power is not None and power[2].endswith("-"):
        return f"{power[1]}{power[2]}{int(power[3]) + 1}"
    try:
        number = Decimal(text.replace("_", "")) / 10
    except InvalidOperation:
        raise NoPlaceError(f"{text} is no learning rate") from None
    return f"{number.normalize():f}"


def require_no_rate_by_number(script: Script) -> None:
    """Raises NoPlaceError where the file sets the rate of one group, by its number: with more groups that
    would no longer be all.
    """
    if _ONE_RATE.search(script.file.text):
        raise NoPlaceError("the file sets the rate of a group by its number")
