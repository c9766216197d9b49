"""The values of expressions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from freezelint.source.interpreter import conditions, imports, items, iteration, operators
from freezelint.source.interpreter.assigning import assign, bind
from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.signals import ReturnSignal
from freezelint.source.interpreter.values import (
    MISSING,
    Call,
    Instance,
    Items,
    Library,
    Tensor,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


def evaluate(machine: Machine, node: ast.expr) -> Value:
    """The value of an expression in the current frame."""
    machine.ticks += 1  # as `tick` does, without the cost of a call
    if machine.ticks > machine.most_ticks:
        machine.tick(0)
    run = _EVALUATE.get(type(node))
    return Unknown() if run is None else run(machine, node)


def _constant(machine: Machine, node: ast.Constant) -> Value:
    return node.value


def _name(machine: Machine, node: ast.Name) -> Value:
    found = look_up(machine, node.id)
    if found is MISSING:
        machine.mistakes.add(f"`{node.id}` has no value where it is used")
        return Unknown(node.id)
    return _as_assumed(machine, found)


def _as_assumed(machine: Machine, value: Value) -> Value:
    """A setting, with the value that it has on this path because of what was decided on it."""
    assumed = machine.decisions.assumed
    if not assumed or not isinstance(value, Unknown) or value.text not in assumed:
        return value
    here = Unknown(value.text, assumed[value.text], late=value.late)
    here.attributes, here.allowed = value.attributes, value.allowed
    return here


def look_up(machine: Machine, name: str) -> Value:
    """The value of a name as the current frame sees it; MISSING where it has none."""
    frame = machine.frame
    if name in frame.scope and name not in frame.global_names:
        found = imports.resolved(machine, frame.scope, name)
        if found is not MISSING:
            return found
    for scope in frame.closure:
        if name in scope:
            return imports.resolved(machine, scope, name)
    if name in frame.globals:
        found = imports.resolved(machine, frame.globals, name)
        if found is not MISSING:
            return found
    if imports.PENDING in frame.globals or imports.FROM in frame.globals:
        found = imports.find_starred(machine, frame.globals, name)
        if found is not MISSING:
            return found
    if machine.vocabulary.knows(f"builtins.{name}"):
        return _library(machine, f"builtins.{name}")
    for library in frame.globals.get("*", ()):
        if machine.vocabulary.knows(f"{library}.{name}"):
            return _library(machine, f"{library}.{name}")
    return MISSING


def _library(machine: Machine, name: str) -> Value:
    constant = machine.vocabulary.constant(name)
    return Library(name) if constant is None else constant()


def _attribute(machine: Machine, node: ast.Attribute) -> Value:
    owner = evaluate(machine, node.value)
    before, machine.frame.node = machine.frame.node, node
    try:
        found = machine.get(owner, node.attr)
        unknown = isinstance(owner, Instance) and isinstance(found, Unknown)
        if unknown and machine.has(owner, node.attr) is False:
            machine.mistakes.add(f"`{ast.unparse(node)}` has no value where it is used")
        return _as_assumed(machine, found)
    finally:
        machine.frame.node = before


def _subscript(machine: Machine, node: ast.Subscript) -> Value:
    owner = evaluate(machine, node.value)
    return _as_assumed(machine, items.get_item(machine, owner, evaluate(machine, node.slice)))


def _slice(machine: Machine, node: ast.Slice) -> Value:
    parts = [
        None if part is None else evaluate(machine, part) for part in (node.lower, node.upper, node.step)
    ]
    if any(isinstance(part, (Unknown, Tensor)) for part in parts):
        hints = [part.hint if isinstance(part, Unknown) else part for part in parts]
        known = not any(hint is MISSING or isinstance(hint, Tensor) for hint in hints)
        return Unknown("slice", slice(*hints) if known else MISSING)
    return slice(*parts)


def _call(machine: Machine, node: ast.Call) -> Value:
    function = evaluate(machine, node.func)
    call = Call(node)
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            given = evaluate(machine, argument.value)
            values = machine.elements(given, "a call")
            call.complete = call.complete and values is not None and iteration.is_measured(machine, given)
            call.args.extend(values or ())
        else:
            call.args.append(evaluate(machine, argument))
    for keyword in node.keywords:
        value = evaluate(machine, keyword.value)
        if keyword.arg is not None:
            call.kwargs[keyword.arg] = value
        elif isinstance(value, dict) and all(isinstance(key, str) for key in value):
            call.kwargs.update(value)
        else:
            call.complete = False
    frame = machine.frame
    before, frame.node = frame.node, node
    try:
        return machine.call_with(function, call)
    finally:
        frame.node = before


def _binary(machine: Machine, node: ast.BinOp) -> Value:
    return operators.binary(machine, node.op, evaluate(machine, node.left), evaluate(machine, node.right))


def _unary(machine: Machine, node: ast.UnaryOp) -> Value:
    return operators.unary(machine, node.op, evaluate(machine, node.operand))


def _boolean(machine: Machine, node: ast.BoolOp) -> Value:
    """`a and b`: the value that decides. Where nobody knows which one does, both may be meant."""
    wanted = isinstance(node.op, ast.Or)
    unknown: Unknown | None = None
    value: Value = Unknown()
    for part in node.values:
        value = evaluate(machine, part)
        truth = machine.truth(value)
        if truth is wanted:
            return value if unknown is None else unknown
        if truth is None and unknown is None:
            if wanted and isinstance(value, Unknown) and value.hint is not MISSING:
                if value.hint:
                    return value
                continue
            unknown = Unknown(text_of(value))
    return value if unknown is None else operators.unknown_of(node, unknown, value)


def _compare(machine: Machine, node: ast.Compare) -> Value:
    left = evaluate(machine, node.left)
    result: Value = True
    for operator, comparator in zip(node.ops, node.comparators, strict=True):
        right = evaluate(machine, comparator)
        result = operators.compare(machine, operator, left, right)
        if machine.truth(result) is not True:
            return result
        left = right
    return result


def _conditional(machine: Machine, node: ast.IfExp) -> Value:
    taken, known = conditions.choose_value(machine, node)
    machine.conditional += not known
    try:
        return evaluate(machine, node.body if taken else node.orelse)
    finally:
        machine.conditional -= not known


def _tuple(machine: Machine, node: ast.Tuple) -> Value:
    elements = _elements(machine, node.elts)
    return Unknown("tuple") if elements is None else operators.paid(machine, tuple(elements))


def _list(machine: Machine, node: ast.List) -> Value:
    elements = _elements(machine, node.elts)
    return Unknown("list") if elements is None else machine.parts.made(elements)


def _set(machine: Machine, node: ast.Set) -> Value:
    elements = _elements(machine, node.elts)
    try:
        return Unknown("set") if elements is None else set(elements)
    except TypeError:
        return Unknown("set")


def _elements(machine: Machine, nodes: list[ast.expr]) -> list[Value] | None:
    found: list[Value] = []
    for node in nodes:
        if isinstance(node, ast.Starred):
            inner = machine.elements(evaluate(machine, node.value), "a list")
            if inner is None:
                return None
            found.extend(inner)
        else:
            found.append(evaluate(machine, node))
    return found


def _dict(machine: Machine, node: ast.Dict) -> Value:
    found: dict[Value, Value] = {}
    complete = True
    for key_node, value_node in zip(node.keys, node.values, strict=True):
        value = evaluate(machine, value_node)
        if key_node is None:
            if isinstance(value, dict):
                found.update(operators.paid(machine, value))
            else:
                complete = False
            continue
        key = evaluate(machine, key_node)
        try:
            found[key] = value
        except TypeError:
            complete = False
    if not complete:
        unknown = Unknown("dict")
        unknown.attributes.update({("item", key): value for key, value in found.items() if _plain(key)})
        return unknown
    return found


def _plain(key: Value) -> bool:
    return isinstance(key, (str, int, float, bool))


def _lambda(machine: Machine, node: ast.Lambda) -> Value:
    from freezelint.source.interpreter import functions

    return functions.function_of(machine, node, "<lambda>")


def _joined(machine: Machine, node: ast.JoinedStr) -> Value:
    parts: list[Value] = []
    for part in node.values:
        parts.append(part.value if isinstance(part, ast.Constant) else _formatted(machine, part))
    return operators.paid(machine, operators.joined(parts))


def _formatted(machine: Machine, node: Any) -> Value:
    value = evaluate(machine, node.value)
    specification = "" if node.format_spec is None else evaluate(machine, node.format_spec)
    return operators.formatted(value, specification, node.conversion)


def _generated(
    machine: Machine, node: Any, generators: list[ast.comprehension], more: list[bool]
) -> Iterator[Value]:
    """The elements of a comprehension, made one at a time; `more` gets a note where there may be others."""
    if not generators:
        if isinstance(node, ast.DictComp):
            yield evaluate(machine, node.key), evaluate(machine, node.value)
        else:
            yield evaluate(machine, node.elt)
        return
    first = generators[0]
    iterable = evaluate(machine, first.iter)
    if not more and not iteration.is_measured(machine, iterable):
        more.append(True)
    for value in iteration.unrolled(machine, iterable, "a comprehension"):
        machine.tick()
        assign(machine, first.target, value)
        if all(conditions.holds(machine, test) for test in first.ifs):
            yield from _generated(machine, node, generators[1:], more)


def _in_own_scope(machine: Machine, node: Any, more: list[bool]) -> Iterator[Value]:
    """Runs a comprehension in a frame like the current one, entered anew for each element."""
    from freezelint.source.interpreter.machine import Frame

    outer = machine.frame
    inner = Frame(
        outer.file,
        {},
        outer.globals,
        (outer.scope, *outer.closure),
        outer.name,
        outer.function,
        outer.receiver,
    )
    inner.node, inner.statement = outer.node, outer.statement
    inner.global_names, inner.handled = outer.global_names, outer.handled
    elements = _generated(machine, node, node.generators, more)
    while True:
        # The frame stands for the one around it: its call site is told once.
        under = machine.frames and machine.frames[-1] is outer
        if under:
            machine.frames.pop()
        machine.frames.append(inner)
        try:
            value = next(elements)
        except StopIteration:
            return
        finally:
            machine.frames.pop()
            if under:
                machine.frames.append(outer)
        yield value


def _container(machine: Machine, node: Any, make: Callable[[Iterator[Value]], Value]) -> Value:
    more: list[bool] = []
    try:
        made = machine.parts.made(make(_in_own_scope(machine, node, more)))
    except TypeError:
        return Unknown(make.__name__)
    if more:
        machine.parts.open(made)
    return made


def _list_comprehension(machine: Machine, node: ast.ListComp) -> Value:
    return _container(machine, node, list)


def _set_comprehension(machine: Machine, node: ast.SetComp) -> Value:
    return _container(machine, node, set)


def _dict_comprehension(machine: Machine, node: ast.DictComp) -> Value:
    return _container(machine, node, dict)


def _generator(machine: Machine, node: ast.GeneratorExp) -> Value:
    more: list[bool] = []
    return Items(_in_own_scope(machine, node, more), made=machine.location(node), more=more)


def _walrus(machine: Machine, node: ast.NamedExpr) -> Value:
    value = evaluate(machine, node.value)
    bind(machine, node.target.id, value)
    return value


def _await(machine: Machine, node: Any) -> Value:
    return evaluate(machine, node.value)


def _yield(machine: Machine, node: ast.Yield) -> Value:
    value = None if node.value is None else evaluate(machine, node.value)
    if machine.frame.yields is not None:
        machine.frame.yields.append(value)
        if len(machine.frame.yields) >= _MOST_YIELDS:
            raise ReturnSignal(None)
    return Unknown("yield")


def _yield_from(machine: Machine, node: ast.YieldFrom) -> Value:
    inner = machine.elements(evaluate(machine, node.value), "yield from")
    if machine.frame.yields is not None:
        machine.frame.yields.extend(inner if inner is not None else [Unknown("yield")])
        if len(machine.frame.yields) >= _MOST_YIELDS:
            raise ReturnSignal(None)
    return Unknown("yield")


# A generator without an end gives this many values.
_MOST_YIELDS = 3000


def _starred(machine: Machine, node: ast.Starred) -> Value:
    return evaluate(machine, node.value)


_EVALUATE: dict[type, Callable[[Any, Any], Value]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Call: _call,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Set: _set,
    ast.Dict: _dict,
    ast.Lambda: _lambda,
    ast.JoinedStr: _joined,
    ast.FormattedValue: _formatted,
    ast.ListComp: _list_comprehension,
    ast.SetComp: _set_comprehension,
    ast.DictComp: _dict_comprehension,
    ast.GeneratorExp: _generator,
    ast.NamedExpr: _walrus,
    ast.Await: _await,
    ast.Yield: _yield,
    ast.YieldFrom: _yield_from,
    ast.Starred: _starred,
}
