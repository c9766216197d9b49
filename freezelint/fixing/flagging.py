"""Lines that freeze, or unfreeze, what an expression for parameters gives."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.fixing.scopes import assignment_of
from freezelint.fixing.script import NoPlaceError, Script

_COLLECTED = ("list", "tuple", "set", "iter", "chain", "itertools.chain")


def flag_lines(script: Script, given: ast.expr, use: ast.stmt, value: str) -> list[str]:
    """One line for each module whose parameters these are; a loop for what is picked from them. `use` is
    the statement that has the expression. Raises NoPlaceError.
    """
    return list(dict.fromkeys(line for block in _blocks(script, given, use, value) for line in block))


def _blocks(script: Script, given: ast.expr, use: ast.stmt, value: str) -> Iterator[list[str]]:
    if isinstance(given, ast.List | ast.Tuple | ast.Set):
        for each in given.elts:
            yield from _blocks(script, each.value if isinstance(each, ast.Starred) else each, use, value)
    elif isinstance(given, ast.BinOp) and isinstance(given.op, ast.Add):
        yield from _blocks(script, given.left, use, value)
        yield from _blocks(script, given.right, use, value)
    elif isinstance(given, ast.Dict):
        for key, inner in zip(given.keys, given.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "params":
                yield from _blocks(script, inner, use, value)
    elif isinstance(given, ast.ListComp | ast.GeneratorExp):
        yield _loop(script, given, value)
    elif isinstance(given, ast.Call):
        yield from _of_call(script, given, use, value)
    elif isinstance(given, ast.Name | ast.Attribute):
        yield from _of_variable(script, given, use, value)
    else:
        raise NoPlaceError("which parameters the optimizer holds cannot be told from its construction")


def _of_call(script: Script, call: ast.Call, use: ast.stmt, value: str) -> Iterator[list[str]]:
    called = ast.unparse(call.func)
    if isinstance(call.func, ast.Attribute) and call.func.attr == "parameters" and not call.args:
        owner = script.text(call.func).removesuffix("parameters").rstrip().removesuffix(".")
        yield [f"{owner}.requires_grad_({value})"]
    elif called in _COLLECTED and call.args:
        for each in call.args:
            yield from _blocks(script, each, use, value)
    elif called == "filter" and len(call.args) == 2 and "requires_grad" in script.text(call.args[0]):
        yield from _blocks(script, call.args[1], use, value)
    else:
        raise NoPlaceError("which parameters the optimizer holds cannot be told from its construction")


def _of_variable(
    script: Script, name: ast.Name | ast.Attribute, use: ast.stmt, value: str
) -> Iterator[list[str]]:
    if isinstance(name, ast.Attribute) and name.attr in ("weight", "bias"):
        yield [f"{script.text(name)}.requires_grad_({value})"]
        return
    assigned = assignment_of(script, name, use)
    if assigned is None or assigned.value is name:
        raise NoPlaceError(f"which parameters `{script.text(name)}` holds cannot be told")
    is_list = isinstance(assigned.value, ast.List | ast.ListComp)
    if is_list and not isinstance(_first(assigned.value), ast.Dict):
        p = script.fresh("p", "parameter")
        yield [f"for {p} in {script.text(name)}:", f"\t{p}.requires_grad = {value}"]
    else:
        yield from _blocks(script, assigned.value, assigned, value)


def _first(value: ast.expr) -> ast.expr | None:
    if isinstance(value, ast.ListComp):
        return value.elt
    return value.elts[0] if isinstance(value, ast.List) and value.elts else None


def _loop(script: Script, given: ast.ListComp | ast.GeneratorExp, value: str) -> list[str]:
    """The comprehension as loops that set the flag of each element."""
    if not isinstance(given.elt, ast.Name):
        raise NoPlaceError("which parameters the optimizer holds cannot be told from its construction")
    lines: list[str] = []
    for generator in given.generators:
        lines.append(f"for {script.text(generator.target)} in {script.text(generator.iter)}:")
        tests = [test for test in generator.ifs if ".requires_grad" not in script.text(test)]
        if tests:
            lines.append(f"if {' and '.join(_operand(script, test) for test in tests)}:")
    lines.append(f"{given.elt.id}.requires_grad = {value}")
    if any("\n" in line for line in lines):
        raise NoPlaceError("the parameters are picked over several lines")
    return ["\t" * depth + line for depth, line in enumerate(lines)]


def _operand(script: Script, test: ast.expr) -> str:
    text = script.text(test)
    return f"({text})" if isinstance(test, ast.BoolOp | ast.IfExp | ast.NamedExpr) else text
