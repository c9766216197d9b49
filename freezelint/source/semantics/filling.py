"""Code that only gives parameters their first values. Where all of them have such values anyway, it changes
nothing that matters, and running it for each of hundreds of modules would be most of what building takes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import TYPE_CHECKING

from freezelint.source.interpreter.values import Function, Module, Value

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_ATTRIBUTE = "freezelint_fills"
_GIVING = frozenset(
    {"modules", "named_modules", "parameters", "named_parameters", "children", "named_children"}
)
_HARMLESS = (ast.Pass, ast.Continue, ast.Break)


def is_vain(machine: Machine, function: Value, module: Module) -> bool:
    """Whether the function only fills parameters, and all of the module are filled at random as they are."""
    if not isinstance(function, Function) or isinstance(function.node, ast.Lambda):
        return False
    return only_fills(function.node) and _is_fresh(machine, module)


def is_vain_loop(machine: Machine, loop: ast.For) -> bool:
    """Whether a loop over all modules, or parameters, of something only fills them, in vain."""
    call = loop.iter
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or loop.orelse:
        return False
    owner = call.func.value
    if (
        call.func.attr not in _GIVING
        or not isinstance(owner, (ast.Name, ast.Attribute))
        or not only_fills(loop)
    ):
        return False
    module = machine.evaluate(owner)
    return isinstance(module, Module) and _is_fresh(machine, module)


def only_fills(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.For) -> bool:
    """Whether a function, or a loop, only fills parameters; kept with the node."""
    known: bool | None = getattr(node, _ATTRIBUTE, None)
    if known is None:
        known = _fills(node.body)
        setattr(node, _ATTRIBUTE, known)
    return known


def _is_fresh(machine: Machine, module: Module) -> bool:
    # Of what else a module may hold a fragment tells nothing.
    if not machine.in_fragment and any(part.is_open for _, part in module.walk()):
        return False
    return all(parameter.origin == "fresh" for _, parameter in module.own_and_below())


def _fills(body: Iterable[ast.stmt]) -> bool:
    return all(map(_is_harmless, body))


def _is_harmless(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.If):
        return _fills(statement.body) and _fills(statement.orelse) and _reads(statement.test)
    if isinstance(statement, (ast.For, ast.With)):
        return _fills(statement.body) and not getattr(statement, "orelse", [])
    if isinstance(statement, ast.Return):
        return statement.value is None
    if isinstance(statement, (ast.Assign, ast.AugAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return all(isinstance(target, ast.Name) for target in targets) and _reads(statement.value)
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant) or _is_filling(statement.value)
    return isinstance(statement, _HARMLESS)


def _is_filling(node: ast.expr) -> bool:
    """`nn.init.zeros_(m.bias)`, `m.weight.data.normal_()`: what works in place ends so."""
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name.endswith("_") and "grad" not in name and all(map(_reads, node.args))


def _reads(node: ast.expr) -> bool:
    """Whether an expression only looks at something."""
    for part in ast.walk(node):
        if isinstance(part, (ast.NamedExpr, ast.Yield, ast.YieldFrom, ast.Await, ast.Lambda)):
            return False
        if isinstance(part, ast.Call) and not _looks(part.func):
            return False
    return True


_LOOKING = frozenset(
    {
        "isinstance",
        "hasattr",
        "getattr",
        "len",
        "int",
        "float",
        "sqrt",
        "range",
        "prod",
        "numel",
        "size",
        "dim",
    }
    | {"min", "max", "abs", "log", "calculate_gain", "startswith", "endswith", "type", "issubclass", "pow"}
)


def _looks(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in _LOOKING
