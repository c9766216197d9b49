"""FRZ404: each group keeps its own rate, or its share of the rate that is written."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from freezelint.finding import Edit
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import NoPlaceError, Script

# The schedules of torch that take one maximum for all groups, and the positions of the rates that they take.
_RATES = {"OneCycleLR": {"max_lr": 1}, "CyclicLR": {"base_lr": 1, "max_lr": 2}}

_WIDTH = 100


def mends(scene: Scene) -> Iterator[Mend]:
    """A schedule takes a list of rates; a loop written by hand scales what the groups were built with."""
    script = scene.here
    call = script.node_at(scene.finding.location, ast.Call)
    if call is not None:
        yield Mend("let the schedule rise to each group's own rate", tuple(_listed(script, call)), "unsafe")
        return
    statement = script.statement_at(scene.finding.location)
    if statement is None:
        return
    title = "scale each group's own rate instead of writing one rate to all"
    yield Mend(title, _scaled(script, statement), "unsafe")


def _listed(script: Script, call: ast.Call) -> Iterator[Edit]:
    positions = _RATES.get(ast.unparse(call.func).rpartition(".")[2])
    if positions is None:
        raise NoPlaceError("how this schedule takes a rate for each group is not known")
    optimizer = _argument(call, "optimizer", 0)
    given = {name: _argument(call, name, position) for name, position in positions.items()}
    most = given["max_lr"]
    if optimizer is None or most is None or any(value is None for value in given.values()):
        raise NoPlaceError("the schedule's rates are not written where it is built")
    group = "group" if script.text(optimizer) != "group" else "each"
    own = f"[{group}[{script.quote}lr{script.quote}] for {group} in {script.text(optimizer)}.param_groups]"
    low = given.get("base_lr")
    if low is None and _fits(script, most, own):
        yield script.replace(most, own)
        return
    name = script.fresh("rates", "group_rates")
    yield script.before(script.statement_of(call), [f"{name} = {own}"])
    yield script.replace(most, name)
    if low is not None:
        yield script.replace(low, f"[rate{_share(script, low, most)} for rate in {name}]")


def _fits(script: Script, node: ast.expr, text: str) -> bool:
    """Whether the line stays one that can be read with the text in the place of the node."""
    where = script.location(node)
    line = script.line(where).partition("  #")[0]
    return len(line) + len(text) - len(script.text(node)) <= _WIDTH


def _argument(call: ast.Call, name: str, position: int) -> ast.expr | None:
    if any(isinstance(each, ast.Starred) for each in call.args[: position + 1]):
        return None
    if position < len(call.args):
        return call.args[position]
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _share(script: Script, low: ast.expr, most: ast.expr) -> str:
    """` / 10` for 1e-3 of 1e-2: what makes the lowest of a rate."""
    if any(isinstance(node, ast.Call) for each in (low, most) for node in ast.walk(each)):
        raise NoPlaceError("the schedule's rates are computed by a call, which would be made for each group")
    if isinstance(low, ast.Constant) and isinstance(most, ast.Constant):
        try:
            ratio = Decimal(script.text(most)) / Decimal(script.text(low))
        except (InvalidOperation, ZeroDivisionError):
            raise NoPlaceError("the schedule's lowest rate is no share of its highest") from None
        if ratio == ratio.to_integral_value():
            return f" / {int(ratio)}"
    texts = [script.text(each) for each in (low, most)]
    plain = ast.Name, ast.Attribute, ast.Subscript, ast.Constant
    low_text, most_text = (
        text if isinstance(each, plain) else f"({text})"
        for each, text in zip((low, most), texts, strict=True)
    )
    return f" * {low_text} / {most_text}"


def _scaled(script: Script, statement: ast.stmt) -> tuple[Edit, ...]:
    """The write in a loop over the groups, which gets the rate's share of the highest one at first."""
    loop, group = _loop_over_groups(script, statement)
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        raise NoPlaceError("the rate is not set by a plain assignment")
    target = statement.targets[0]
    if not isinstance(target, ast.Subscript) or script.text(target.value) != group:
        raise NoPlaceError("the rate is set otherwise than through the loop's own variable")
    key = script.text(target.slice)
    quote = key[:1] if key[:1] in "'\"" else script.quote
    rate = f"{group}[{quote}lr{quote}]"
    first = f"{quote}initial_lr{quote}"
    highest = script.fresh("highest", "highest_rate")
    value = script.text(statement.value)
    if not isinstance(statement.value, ast.Name | ast.Attribute | ast.Subscript | ast.Constant | ast.Call):
        value = f"({value})"
    groups = _groups(script, loop)
    before = [
        f"for {group} in {groups}:",
        f"\t{group}.setdefault({first}, {rate})",
        f"{highest} = max({group}[{first}] for {group} in {groups})",
    ]
    scaled = f"{value} * {group}[{first}] / {highest}"
    return script.before(loop, before), script.replace(statement.value, scaled)


def _loop_over_groups(script: Script, statement: ast.stmt) -> tuple[ast.For, str]:
    """The loop over an optimizer's groups that the statement is in, and what it calls a group."""
    for outer in script.parents(statement):
        if isinstance(outer, ast.For) and "param_groups" in script.text(outer.iter):
            target = outer.target
            if isinstance(target, ast.Tuple) and len(target.elts) == 2 and _counted(outer.iter):
                target = target.elts[1]
            if isinstance(target, ast.Name):
                return outer, target.id
    raise NoPlaceError("the rates are not written in a loop over the optimizer's groups")


def _counted(given: ast.expr) -> bool:
    return isinstance(given, ast.Call) and ast.unparse(given.func) == "enumerate" and len(given.args) == 1


def _groups(script: Script, loop: ast.For) -> str:
    given = loop.iter
    if isinstance(given, ast.Call) and _counted(given):
        given = given.args[0]
    if not isinstance(given, ast.Attribute) or given.attr != "param_groups":
        raise NoPlaceError("the loop goes over a part of the optimizer's groups")
    return script.text(given)
