"""Expression statements: comparisons, bare names, iterators that nobody runs, objects that nobody keeps."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezelint.source.interpreter import resolved
from freezelint.source.interpreter.values import (
    Class,
    Function,
    Intrinsic,
    Items,
    Library,
    Method,
    Module,
    Parameter,
    Tensor,
    Unknown,
    Value,
)
from freezelint.source.recording import lost_copies, misses
from freezelint.source.recording.freeze_plans import GIVING, is_false, is_flag, plan_of, writes_false
from freezelint.source.recording.observing import is_observed

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_LAZY = frozenset({"map", "filter"})
_EMBEDDINGS = frozenset({"Embedding", "EmbeddingBag"})
# Packages whose classes make new objects in `from_pretrained`.
_MAKERS = frozenset({"transformers", "diffusers", "peft", "sentence_transformers", "adapters", "optimum"})


@dataclass(frozen=True)
class Began:
    """What was so when a statement that calls something began."""

    writes: int
    unclear: int
    frozen: int
    ticks: int
    steps: int
    forwards: int


def begin(machine: Machine, node: ast.Expr) -> Began | None:
    """Remember the state before a call that nothing keeps the result of."""
    if not isinstance(node.value, ast.Call):
        return None
    known = machine.recorder.misses
    steps, forwards = machine.recorder.steps_done, machine.recorder.forwards
    return Began(known.writes, known.unclear, len(known.frozen), machine.ticks, steps, forwards)


def end(machine: Machine, node: ast.Expr, value: Value, began: Began | None) -> None:
    """The statement gave this value, and nothing kept it."""
    expression = node.value
    if isinstance(expression, ast.Compare):
        _compared(machine, node, expression)
    elif isinstance(expression, (ast.Name, ast.Attribute)):
        _named(machine, node, expression, value)
    elif isinstance(expression, ast.GeneratorExp):
        if writes_false(expression.elt):
            _never_run(machine, node, "generator expression")
    elif isinstance(expression, ast.Call) and began is not None:
        _called(machine, node, expression, value, began)


# --- comparisons ---


def _compared(machine: Machine, node: ast.Expr, comparison: ast.Compare) -> None:
    if len(comparison.ops) != 1 or not isinstance(comparison.ops[0], (ast.Eq, ast.NotEq, ast.Is, ast.IsNot)):
        return
    sides = [comparison.left, comparison.comparators[0]]
    flag = next((side for side in sides if is_flag(side)), None)
    if not isinstance(flag, ast.Attribute):
        return
    other = sides[1] if flag is sides[0] else sides[0]
    value = other.value if isinstance(other, ast.Constant) else None
    if isinstance(value, bool) and isinstance(comparison.ops[0], (ast.NotEq, ast.IsNot)):
        value = not value
    receiver = resolved.value(machine, flag.value)
    if isinstance(receiver, Tensor) and not isinstance(receiver, Parameter):
        return  # an input, a loss: no freeze was meant
    machine.recorder.event(
        "compared",
        location=machine.location(node),
        parameters=[receiver] if isinstance(receiver, Parameter) else [],
        modules=[receiver] if isinstance(receiver, Module) else [],
        value=str(value) if isinstance(value, bool) else "",
        observed=is_observed(machine, node),
    )


# --- what is named and not called ---


def _named(machine: Machine, node: ast.Expr, expression: ast.Name | ast.Attribute, value: Value) -> None:
    name = expression.attr if isinstance(expression, ast.Attribute) else expression.id
    owner = value.owner if isinstance(value, Method) else None
    function = value.function if isinstance(value, Method) else value
    if isinstance(function, Function):
        if isinstance(function.node, ast.Lambda) or not writes_false(_body(function.node)):
            return
    elif not (name == "requires_grad_" and isinstance(function, (Intrinsic, Unknown))):
        return
    misses.record(
        machine,
        "not-called",
        node,
        parameters=[owner] if isinstance(owner, Parameter) else [],
        modules=[owner] if isinstance(owner, Module) else [],
        certain=True,
        name=name,
        value=resolved.source(machine, expression),
    )


def _body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
    return ast.Module(function.body, [])


# --- calls ---


def _called(machine: Machine, node: ast.Expr, call: ast.Call, value: Value, began: Began) -> None:
    function = call.func
    if isinstance(function, ast.Name) and function.id in _LAZY:
        if isinstance(value, Items) or not isinstance(value, Unknown):
            _lazy(machine, node, call)
        return
    if isinstance(function, ast.Attribute):
        if function.attr == "from_pretrained":
            _discarded(machine, node, function)
            return
        if function.attr == "requires_grad_":
            _without_parameters(machine, node, call, function)
            return
    known = machine.recorder.misses
    if known.writes == began.writes and known.unclear == began.unclear:
        _recursion(machine, node, call)
    elif len(known.frozen) > began.frozen and not _used_modules(machine, began):
        lost_copies.lost(machine, node, call, value, known.frozen[began.frozen :], began.ticks)


def _used_modules(machine: Machine, began: Began) -> bool:
    """Whether the call trained or ran something: what it froze may have been for that."""
    recorder = machine.recorder
    return (recorder.steps_done, recorder.forwards) != (began.steps, began.forwards)


def _lazy(machine: Machine, node: ast.Expr, call: ast.Call) -> None:
    from freezelint.source.interpreter.expressions import look_up

    assert isinstance(call.func, ast.Name)
    lazy = look_up(machine, call.func.id)
    if not (isinstance(lazy, Library) and lazy.name == f"builtins.{call.func.id}" and call.args):
        return
    applied = resolved.value(machine, call.args[0])
    writes = isinstance(call.args[0], ast.Lambda) and writes_false(call.args[0].body)
    if isinstance(applied, Function) and not isinstance(applied.node, ast.Lambda):
        writes = writes_false(_body(applied.node))
    if writes:
        _never_run(machine, node, call.func.id)


def _never_run(machine: Machine, node: ast.Expr, name: str) -> None:
    calls = [part for part in ast.walk(node) if isinstance(part, ast.Call)]
    modules = [module for module, _ in machine.recorder.misses.given_by(calls)]
    if not modules:  # the generator has not even asked for them
        owners = [
            call.func.value
            for call in calls
            if isinstance(call.func, ast.Attribute) and call.func.attr in GIVING
        ]
        values = [resolved.value(machine, owner) for owner in owners]
        modules = [value for value in values if isinstance(value, Module)]
    parameters = [parameter for module in modules for _, parameter in module.own_and_below()]
    misses.record(machine, "never-run", node, parameters=parameters, certain=True, name=name)


def _without_parameters(machine: Machine, node: ast.Expr, call: ast.Call, function: ast.Attribute) -> None:
    """`module.requires_grad_(False)` on a module without parameters. In a loop the loop is what matters."""
    known = machine.recorder.misses
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    if not values or not is_false(values[0]) or any(watch.frame is machine.frame for watch in known.active):
        return
    module = resolved.value(machine, function.value)
    if not isinstance(module, Module) or any(True for _ in module.own_and_below()):
        return
    misses.record(
        machine,
        "no-parameters",
        node,
        modules=[module],
        certain=not (misses.is_unfinished(module) or misses.is_bare_on_purpose(module)) or None,
        name="requires_grad_",
        value=resolved.source(machine, call),
    )


# --- a recursion that passes a number which rules everything out ---


def _recursion(machine: Machine, node: ast.Expr, call: ast.Call) -> None:
    function = machine.frame.function
    if function is None or isinstance(function.node, ast.Lambda):
        return
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name != function.name or not _compares_a_literal(function.node, call):
        return
    modules = [
        value for value in (resolved.value(machine, one) for one in call.args) if isinstance(value, Module)
    ]
    # Where nothing below has parameters of its own children, no number would freeze anything.
    children = [child for module in modules for child in module.children.values() if child is not None]
    if modules and not any(True for child in children for _ in child.own_and_below()):
        return
    misses.record(
        machine,
        "recursion",
        node,
        modules=modules,
        certain=(bool(modules) and not any(map(misses.is_unfinished, modules))) or None,
        name=name,
        value=resolved.source(machine, call),
    )


def _compares_a_literal(function: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call) -> bool:
    """Whether a literal number is given for an argument that the test around a write compares with."""
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    if isinstance(call.func, ast.Attribute) and names and names[0] in ("self", "cls"):
        names = names[1:]
    given = dict(zip(names, call.args, strict=False))
    given.update({keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None})
    numbers = {name for name, value in given.items() if _is_number(value)}
    if not numbers:
        return False
    for loop in (part for part in ast.walk(function) if isinstance(part, (ast.For, ast.AsyncFor))):
        plan = plan_of(loop, function)
        for guard in (guard for write in (plan.writes if plan else ()) for guard in write.guards):
            sought = guard.sought or ()
            if any(isinstance(one, ast.Name) and one.id in numbers for one in sought):
                return True
    return False


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


# --- an object that nobody keeps ---


def _discarded(machine: Machine, node: ast.Expr, function: ast.Attribute) -> None:
    receiver = resolved.value(machine, function.value)
    name = _maker(machine, receiver)
    if not name:
        return
    modules = [receiver] if isinstance(receiver, Module) else []
    machine.recorder.event(
        "discarded",
        location=machine.location(node),
        modules=modules,
        name=function.attr,
        value=resolved.source(machine, function.value),
        class_name=name,
        observed=is_observed(machine, node),
    )


def _maker(machine: Machine, receiver: Value) -> str:
    """The class of the receiver, where its `from_pretrained` is a library's that makes a new object."""
    if isinstance(receiver, Library):
        name = machine.vocabulary.canonical(receiver.name)
        return name.rpartition(".")[2] if name in {f"torch.nn.{one}" for one in _EMBEDDINGS} else ""
    if not isinstance(receiver, Module) or receiver.class_name == "Module":
        return ""
    if isinstance(receiver.cls, Class):
        if receiver.cls.is_open or receiver.cls.find("from_pretrained"):
            return ""
        makes = any(_makes(machine, library.name) for library in receiver.cls.libraries())
        return receiver.class_name if makes else ""
    package = receiver.library.partition(".")[0]
    if package == "torch":
        return receiver.class_name if receiver.class_name in _EMBEDDINGS else ""
    return receiver.class_name if package in _MAKERS else ""


def _makes(machine: Machine, library: str) -> bool:
    name = machine.vocabulary.canonical(library)
    return name.partition(".")[0] in _MAKERS or name in {f"torch.nn.{one}" for one in _EMBEDDINGS}
