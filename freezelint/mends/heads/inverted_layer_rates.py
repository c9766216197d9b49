"""FRZ403: the layers near the input get the lower rates."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from freezelint.evidence import Model, OptimizerState, Step
from freezelint.facts import is_trainable
from freezelint.facts.layers import span_of, spans
from freezelint.finding import Edit
from freezelint.fixing.modules import owner_of, parameters_told
from freezelint.fixing.optimizers import groups_of, parameters_of
from freezelint.fixing.rates import rate_of, value_of, with_key
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.scopes import assignment_of
from freezelint.fixing.script import NoPlaceError, Script

_GENERATORS = (
    "children",
    "named_children",
    "modules",
    "named_modules",
    "parameters",
    "named_parameters",
    "map",
    "filter",
    "zip",
)


def mends(scene: Scene) -> Iterator[Mend]:
    """Rates that are written out change places; a loop that makes groups goes the other way."""
    script = scene.here
    written = _written(scene)
    if written:
        yield Mend("exchange the learning rates", tuple(_exchanged(written)), "unsafe")
    for loop in _loops(script):
        turned = _turned(script, loop.iter, script.statement_of(loop.iter))
        if turned is not None:
            title = "count the layers from the other end"
            yield Mend(title, (script.replace(turned[0], turned[1]),), "unsafe")
        for node, text in _exponents(script, loop):
            title = "count the depth from the other end"
            yield Mend(title, (script.replace(node, text),), "unsafe")
    if not written:
        raise NoPlaceError("the rates are not written where the groups are made")


# -- rates that are written out ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Written:
    """A group that is written out, where it acts, and the text of its rate."""

    script: Script
    group: ast.Dict
    place: int
    rate: float
    text: str


def _written(scene: Scene) -> list[_Written]:
    """The groups whose place is known, from the input to the output; none where one is not written out."""
    told = parameters_told(scene)
    model = owner_of(scene.trace, told)
    for step in scene.trace.completed:
        state = step.stepping
        if state is not None and {p for group in state.groups for p in group.parameters} >= set(told):
            return _groups(scene, model, step, state)
    return []


def _groups(scene: Scene, model: Model, step: Step, state: OptimizerState) -> list[_Written]:
    places = spans(model, step)
    found: list[_Written] = []
    for position, group in enumerate(state.groups):
        place = span_of(places, [p for p in group.parameters if is_trainable(step, p)])
        if place is None or not group.lr:
            continue
        written = _dictionary(scene, state, position)
        if written is None:
            return []
        script, node, default = written
        rate = value_of(node, "lr")
        text = script.text(rate) if rate is not None else default or f"{group.lr:g}"
        found.append(_Written(script, node, place.first, group.initial_lr or group.lr, text))
    return sorted(found, key=lambda each: each.place)


def _dictionary(scene: Scene, state: OptimizerState, position: int) -> tuple[Script, ast.Dict, str] | None:
    """The group at this position as it is written, and the rate that it has where it gives none."""
    optimizer = scene.trace.optimizers[state.optimizer]
    built = scene.trace.location(optimizer.built)
    if built is None:
        return None
    script = scene.script(built.path)
    call = script.node_at(built, ast.Call)
    given = parameters_of(call) if call is not None else None
    if call is None or given is None:
        return None
    groups = groups_of(script, given, script.statement_of(call))
    rate = rate_of(call)
    default = script.text(rate) if rate is not None else ""
    if position < len(optimizer.groups):
        node = groups.elts[position] if groups and len(groups.elts) == len(optimizer.groups) else None
        return (script, node, default) if isinstance(node, ast.Dict) else None
    extra = position - len(optimizer.groups)
    added = scene.trace.location(optimizer.added[extra]) if extra < len(optimizer.added) else None
    other = scene.script(added.path) if added is not None else script
    join = other.node_at(added, ast.Call) if added is not None else None
    node = join.args[0] if join is not None and join.args else None
    return (other, node, default) if isinstance(node, ast.Dict) else None


def _exchanged(written: list[_Written]) -> Iterator[Edit]:
    """Each group gets the rate that is its own by its place."""
    ordered = sorted(written, key=lambda each: each.rate)
    scopes = {(each.script.path, each.script.function_of(each.group)) for each in written}
    for each, by in zip(written, ordered, strict=True):
        if each.text == by.text:
            continue
        if len(scopes) > 1 and any(isinstance(node, ast.Name) for node in ast.walk(ast.parse(by.text))):
            raise NoPlaceError("the rates are variables of several functions")
        own = value_of(each.group, "lr")
        if own is not None:
            yield each.script.replace(own, by.text)
        else:
            quote = each.script.quote
            yield with_key(each.script, each.group, f"{quote}lr{quote}: {by.text}")


# -- rates that a loop makes ------------------------------------------------------------------------------


def _loops(script: Script) -> Iterator[ast.For | ast.comprehension]:
    """The loops that make groups with rates of their own."""
    for node in ast.walk(script.tree):
        if isinstance(node, ast.For) and _makes_groups(node):
            yield node
        elif isinstance(node, ast.ListComp | ast.GeneratorExp) and _makes_groups(node.elt):
            yield node.generators[0]


def _makes_groups(node: ast.AST) -> bool:
    return any(
        isinstance(inner, ast.Dict)
        and value_of(inner, "lr") is not None
        and value_of(inner, "params") is not None
        for inner in ast.walk(node)
    )


def _turned(script: Script, given: ast.expr, use: ast.stmt) -> tuple[ast.expr, str] | None:
    """The part of what a loop goes over that says in which order, and the other order."""
    called = ast.unparse(given.func) if isinstance(given, ast.Call) else ""
    if isinstance(given, ast.Call) and given.args and called in ("enumerate", "zip", "list", "tuple"):
        return _turned(script, given.args[0], use)
    if isinstance(given, ast.Call) and called == "reversed" and len(given.args) == 1:
        inner = given.args[0]
        once = isinstance(inner, ast.Call) and ast.unparse(inner.func) == "list" and len(inner.args) == 1
        return given, script.text(inner.args[0] if once and isinstance(inner, ast.Call) else inner)
    if isinstance(given, ast.Subscript) and ast.unparse(given.slice) == "::-1":
        return given, script.text(given.value)
    if isinstance(given, ast.Call) and called in ("range", "sorted"):
        return None
    text = script.text(given)
    return given, f"reversed(list({text}))" if _is_generator(script, given, use) else f"reversed({text})"


def _is_generator(script: Script, given: ast.expr, use: ast.stmt) -> bool:
    if isinstance(given, ast.Name):
        assigned = assignment_of(script, given, use)
        return assigned is None or _is_generator(script, assigned.value, assigned)
    if isinstance(given, ast.Call):
        last = ast.unparse(given.func).rpartition(".")[2]
        return last in _GENERATORS or last not in ("list", "tuple", "dict", "fromkeys", "items", "keys")
    return isinstance(given, ast.GeneratorExp)


def _exponents(script: Script, loop: ast.For | ast.comprehension) -> Iterator[tuple[ast.expr, str]]:
    """Exponents that count layers, counted from the other end."""
    count = _counted(script, loop)
    if count is None:
        return
    variable, number = count
    scope = loop if isinstance(loop, ast.For) else script.parent(loop)
    assert scope is not None
    for node in ast.walk(scope):
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Pow):
            continue
        exponent = node.right
        if isinstance(exponent, ast.Name) and exponent.id == variable:
            yield exponent, f"({number} - {variable})"
            continue
        if not isinstance(exponent, ast.BinOp) or not isinstance(exponent.op, ast.Sub):
            continue
        if ast.unparse(exponent.right) == variable:
            yield node, f"{script.text(node.left)}**{variable}"


def _counted(script: Script, loop: ast.For | ast.comprehension) -> tuple[str, str] | None:
    """The variable that counts in a loop, and its last value."""
    given, target = loop.iter, loop.target
    if not isinstance(given, ast.Call) or len(given.args) != 1 or given.keywords:
        return None
    called, over = ast.unparse(given.func), given.args[0]
    if called == "range" and isinstance(target, ast.Name):
        if isinstance(over, ast.Constant) and isinstance(over.value, int):
            return target.id, str(over.value - 1)
        return target.id, f"{script.text(over)} - 1"
    if called == "enumerate" and isinstance(target, ast.Tuple) and isinstance(over, ast.Name | ast.Attribute):
        first = target.elts[0]
        if isinstance(first, ast.Name) and not _is_generator(script, over, script.statement_of(over)):
            return first.id, f"len({script.text(over)}) - 1"
    return None
