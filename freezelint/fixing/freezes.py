"""What several mends ask about freezes: which statement is the whole of one, and what it freezes or
unfreezes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.evidence import Location
from freezelint.fixing.script import NoPlaceError, Script

_GIVES = ("parameters", "named_parameters", "children", "named_children", "modules", "named_modules")


def outermost_loop(script: Script, location: Location) -> ast.stmt:
    """The loop over parameters or modules that the statement at this place is in, or the statement itself.
    Raises NoPlaceError where there is none.
    """
    found = script.statement_at(location)
    if found is None:
        raise NoPlaceError(f"nothing is found on line {location.line}")
    whole = found
    for outer in script.parents(found):
        if isinstance(outer, ast.For) and _goes_over_parameters(outer):
            whole = outer
        elif not isinstance(outer, ast.If | ast.For) and isinstance(outer, ast.stmt):
            break
    return whole


def taken(script: Script, statement: ast.stmt) -> str:
    """An expression for the parameters whose flag a statement sets: of a module, of a loop with or without
    conditions, of a module that is put in its place. Raises NoPlaceError where none is as simple.
    """
    if isinstance(statement, ast.For):
        return _of_loop(script, statement)
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Attribute) and target.attr == "requires_grad":
            return f"[{script.text(target.value)}]"
        if isinstance(target, ast.Attribute | ast.Name):
            return f"{script.text(target)}.parameters()"
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        function = statement.value.func
        if isinstance(function, ast.Attribute) and function.attr == "requires_grad_":
            return f"{script.text(function.value)}.parameters()"
    raise NoPlaceError("which parameters it takes cannot be told in one expression")


def whose(script: Script, statement: ast.stmt) -> str | None:
    """The module that a loop goes through, or that is handed to a call, which sets flags of some of its
    parameters; None where that cannot be told.
    """
    if isinstance(statement, ast.For):
        called = (node.func for node in ast.walk(statement.iter) if isinstance(node, ast.Call))
        owners = (node.value for node in called if isinstance(node, ast.Attribute) and node.attr in _GIVES)
        return next(map(script.text, owners), None)
    call = statement.value if isinstance(statement, ast.Expr) else None
    given = call.args[0] if isinstance(call, ast.Call) and call.args else None
    return script.text(given) if isinstance(given, ast.Name | ast.Attribute) else None


def sets_always(statement: ast.stmt) -> bool:
    """Whether all flags that the statement sets become True, whatever happens."""
    return all(isinstance(value, ast.Constant) and value.value is True for value in flag_values(statement))


def flag_values(statement: ast.stmt) -> Iterator[ast.expr]:
    """What a statement sets flags to."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Assign) and any(_is_flag(target) for target in node.targets):
            yield node.value
        called = node.func if isinstance(node, ast.Call) else None
        if (
            isinstance(node, ast.Call)
            and isinstance(called, ast.Attribute)
            and called.attr == "requires_grad_"
        ):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            yield given[0] if given else ast.Constant(True)


def _is_flag(target: ast.expr) -> bool:
    return isinstance(target, ast.Attribute) and target.attr == "requires_grad"


def _of_loop(script: Script, loop: ast.For) -> str:
    """The comprehension of a loop whose body does nothing but set flags, under conditions or not."""
    clauses = [f"for {script.text(loop.target)} in {script.text(loop.iter)}"]
    body = loop.body
    while len(body) == 1 and isinstance(body[0], ast.If | ast.For) and not body[0].orelse:
        inner = body[0]
        if isinstance(inner, ast.If):
            clauses.append(f"if {script.text(inner.test)}")
        else:
            clauses.append(f"for {script.text(inner.target)} in {script.text(inner.iter)}")
        body = inner.body
    owners = [owner for statement in body for owner in _flagged(statement)]
    if len(body) != 1 or len(owners) != 1:
        raise NoPlaceError("the loop does more than set flags")
    owner = script.text(owners[0])
    if len(clauses) == 1 and owner == script.text(loop.target) and _gives(loop.iter, "parameters"):
        return script.text(loop.iter)
    if _is_module(loop):
        inner_name = "p" if owner != "p" else "parameter"
        return f"[{inner_name} {' '.join(clauses)} for {inner_name} in {owner}.parameters()]"
    return f"[{owner} {' '.join(clauses)}]"


def _flagged(statement: ast.stmt) -> Iterator[ast.expr]:
    """Whose flag a statement sets."""
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Attribute) and target.attr == "requires_grad":
                yield target.value
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        function = statement.value.func
        if isinstance(function, ast.Attribute) and function.attr == "requires_grad_":
            yield function.value


def _is_module(loop: ast.For) -> bool:
    """Whether what the innermost loop goes over are modules."""
    innermost = [node for node in ast.walk(loop) if isinstance(node, ast.For)][-1]
    return not any(_gives(node, "parameters") for node in ast.walk(innermost.iter)) and any(
        _gives(node, "children", "modules") for node in ast.walk(innermost.iter)
    )


def _gives(node: ast.AST, *names: str) -> bool:
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Attribute) and any(called.attr in (name, f"named_{name}") for name in names)


def _goes_over_parameters(loop: ast.For) -> bool:
    """Whether the loop asks for parameters or modules itself, or goes over what such a loop gives it."""
    for node in ast.walk(loop.iter):
        if isinstance(node, ast.Attribute) and node.attr in _GIVES:
            return True
    names = any(isinstance(node, ast.Name) for node in ast.walk(loop.iter))
    return names and not any(isinstance(node, ast.Call) for node in ast.walk(loop.iter))
