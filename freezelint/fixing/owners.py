"""A loop that pairs modules with parameters by position, as one over the parameters of each module."""

from __future__ import annotations

import ast

from freezelint.evidence import Location
from freezelint.finding import Edit
from freezelint.fixing.script import NoPlaceError, Script

_MODULES = ("modules", "named_modules", "children", "named_children")
_PARAMETERS = ("parameters", "named_parameters")


def looping_over_owners(script: Script, location: Location) -> tuple[Edit, ...]:
    """`for m, p in zip(x.modules(), x.parameters())` becomes `for m in x.modules()`, with a loop over
    `m.parameters(recurse=False)` inside the conditions that do not ask for `p`. Raises NoPlaceError.
    """
    loop = _loop(script, location)
    assert isinstance(loop.iter, ast.Call)
    assert isinstance(loop.target, ast.Tuple)
    (modules, parameters), (module, parameter) = loop.iter.args, loop.target.elts
    name = _names(module)[-1]
    recurse = "" if _method(modules) in ("children", "named_children") else "recurse=False"
    given = f"{script.text(name)}.{_method(parameters)}({recurse})"
    header = f"for {script.text(parameter)} in {given}:"
    body = _innermost(loop, parameter)
    return (
        script.replace(loop.target, ", ".join(map(script.text, _names(module)))),
        script.replace(loop.iter, script.text(modules)),
        *_inside(script, header, body),
    )


def _loop(script: Script, location: Location) -> ast.For:
    statement = script.statement_at(location)
    for outer in script.parents(statement) if statement is not None else ():
        if not isinstance(outer, ast.For) or not isinstance(outer.iter, ast.Call):
            continue
        if ast.unparse(outer.iter.func) == "zip":
            _require_plain(outer)
            return outer
    raise NoPlaceError("the pairing is not written as a loop over `zip`")


def _require_plain(loop: ast.For) -> None:
    assert isinstance(loop.iter, ast.Call)
    given, target = loop.iter.args, loop.target
    if len(given) != 2 or not isinstance(target, ast.Tuple) or len(target.elts) != 2:
        raise NoPlaceError("the loop pairs more than modules and parameters")
    if _method(given[0]) not in _MODULES or _method(given[1]) not in _PARAMETERS:
        raise NoPlaceError("the loop pairs in another order than modules with parameters")
    if loop.orelse or any(isinstance(node, ast.Break) for node in ast.walk(loop)):
        raise NoPlaceError("the loop ends early")


def _names(target: ast.expr) -> list[ast.expr]:
    return target.elts if isinstance(target, ast.Tuple) else [target]


def _method(node: ast.expr) -> str:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args:
        return node.func.attr
    return ""


def _innermost(loop: ast.For, parameter: ast.expr) -> list[ast.stmt]:
    """The statements inside all conditions that do not ask for the parameter."""
    names = {node.id for node in ast.walk(parameter) if isinstance(node, ast.Name)}
    body = loop.body
    while len(body) == 1 and isinstance(body[0], ast.If) and not body[0].orelse:
        if names & {node.id for node in ast.walk(body[0].test) if isinstance(node, ast.Name)}:
            break
        body = body[0].body
    return body


def _inside(script: Script, header: str, body: list[ast.stmt]) -> list[Edit]:
    """All lines of these statements one level deeper, below a header."""
    blocks = [script.block(statement) for statement in body]
    numbers = [number for first, last in blocks for number in range(first, last + 1)]
    lines = {number: script.file.lines[number - 1] for number in numbers}
    if any('"""' in line or "'''" in line for line in lines.values()):
        raise NoPlaceError("a string goes over several lines")
    edits = [_at(script, numbers[0], f"{script.indent(body[0])}{header}\n")]
    return [*edits, *(_at(script, number, script.unit) for number, line in lines.items() if line.strip())]


def _at(script: Script, number: int, text: str) -> Edit:
    """Text at the beginning of a line."""
    cell, line = script.file.position(number)
    return Edit(Location(script.path, line, 1, line, 1, cell=cell), text)
