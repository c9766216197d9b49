"""Running statements."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from freezelint.source.interpreter import assigning, conditions, functions, imports, iteration, matching
from freezelint.source.interpreter.signals import (
    BreakSignal,
    ContinueSignal,
    ExitSignal,
    RaisedSignal,
    ReturnSignal,
)
from freezelint.source.interpreter.values import Context, Unknown, Value
from freezelint.source.recording import bare_statements
from freezelint.source.semantics import filling

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


def execute(machine: Machine, body: list[ast.stmt]) -> None:
    """Run statements one after the other."""
    frame = machine.frame
    frame.body.append(body)
    try:
        for statement in body:
            machine.tick()
            frame.statement = frame.node = statement
            run = _RUN.get(type(statement))
            if run is not None:
                run(machine, statement)
    finally:
        frame.body.pop()


def _expression(machine: Machine, node: ast.Expr) -> None:
    if isinstance(node.value, ast.Constant):
        return
    began = bare_statements.begin(machine, node)
    value = machine.evaluate(node.value)
    machine.recorder.discarded(node, value, began)


def _assign(machine: Machine, node: ast.Assign) -> None:
    value = machine.evaluate(node.value)
    for target in node.targets:
        assigning.assign(machine, target, value)


def _annotated(machine: Machine, node: ast.AnnAssign) -> None:
    if node.value is not None:
        assigning.assign(machine, node.target, machine.evaluate(node.value))
    elif isinstance(node.target, ast.Name) and "__annotations__" in machine.frame.scope:
        machine.frame.scope["__annotations__"][node.target.id] = node.annotation


def _augmented(machine: Machine, node: ast.AugAssign) -> None:
    assigning.augment(machine, node)


def _delete(machine: Machine, node: ast.Delete) -> None:
    for target in node.targets:
        assigning.delete(machine, target)


def _if(machine: Machine, node: ast.If) -> None:
    taken, known = conditions.choose(machine, node)
    if machine.recorder.misses.active:
        machine.recorder.misses.took(node, taken, known)
    machine.conditional += not known
    try:
        machine.execute(node.body if taken else node.orelse)
    finally:
        machine.conditional -= not known


def _for(machine: Machine, node: ast.For | ast.AsyncFor) -> None:
    if isinstance(node, ast.For) and filling.is_vain_loop(machine, node):
        return
    iterable = machine.evaluate(node.iter)
    watch = machine.recorder.misses.loop(node, iterable)
    try:
        for value in iteration.passes(machine, iterable, node):
            machine.frame.node = node
            if watch is not None:
                watch.item(value)
            assigning.assign(machine, node.target, value)
            try:
                machine.execute(node.body)
            except ContinueSignal:
                continue
            except BreakSignal:
                return
        if watch is not None:
            machine.frame.node = machine.frame.statement = node
            watch.end()
    finally:
        if watch is not None:
            watch.close()
    machine.execute(node.orelse)


def _while(machine: Machine, node: ast.While) -> None:
    for _ in iteration.turns(machine, node):
        try:
            machine.execute(node.body)
        except ContinueSignal:
            continue
        except BreakSignal:
            return
    machine.execute(node.orelse)


def _with(machine: Machine, node: ast.With | ast.AsyncWith) -> None:
    entered: list[Value] = []
    try:
        for item in node.items:
            manager = machine.evaluate(item.context_expr)
            machine.frame.node = item.context_expr
            bound = enter(machine, manager)
            entered.append(manager)
            if item.optional_vars is not None:
                assigning.assign(machine, item.optional_vars, bound)
        machine.execute(node.body)
    except RaisedSignal:
        if not _suppresses(entered):
            raise
    finally:
        for manager in reversed(entered):
            leave(machine, manager)


def _suppresses(entered: list[Value]) -> bool:
    return any(isinstance(m, Context) and m.kind in ("suppress", "raises") for m in entered)


def enter(machine: Machine, manager: Value) -> Value:
    """What `with manager as …` binds."""
    if isinstance(manager, Context):
        if manager.kind != "set_grad_enabled" or not manager.before:  # it worked from its call on
            manager.before.append(machine.grad_enabled)
        if manager.kind in ("no_grad", "inference_mode", "enable_grad", "set_grad_enabled"):
            machine.grad_enabled = manager.mode
        return manager.value if manager.value is not None else manager
    entering = machine.get(manager, "__enter__")
    return Unknown("with") if isinstance(entering, Unknown) else machine.call(entering)


def leave(machine: Machine, manager: Value) -> None:
    """The end of a `with` block."""
    if isinstance(manager, Context):
        if manager.before:
            machine.grad_enabled = manager.before.pop()
        return
    leaving = machine.get(manager, "__exit__")
    if not isinstance(leaving, Unknown):
        machine.call(leaving, None, None, None)


def _try(machine: Machine, node: Any) -> None:
    frame = machine.frame
    frame.handled.append(tuple(name for handler in node.handlers for name in _caught(handler.type)))
    try:
        try:
            machine.execute(node.body)
        finally:
            frame.handled.pop()
        machine.execute(node.orelse)
    except RaisedSignal as raised:
        handler = next((h for h in node.handlers if _catches(h, raised)), None)
        if handler is None:
            raise
        if handler.name:
            frame.scope[handler.name] = raised.value if raised.value is not None else Unknown(handler.name)
        machine.execute(handler.body)
    finally:
        machine.execute(node.finalbody)


def _caught(node: ast.expr | None) -> list[str]:
    if node is None:
        return ["Exception"]
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    return [part.attr if isinstance(part, ast.Attribute) else getattr(part, "id", "") for part in parts]


# What catches more than what bears its own name.
_WIDE = {
    "Exception": None,
    "BaseException": None,
    "LookupError": {"KeyError", "IndexError"},
    "OSError": {"FileNotFoundError", "IOError"},
    "ImportError": {"ModuleNotFoundError"},
    "RuntimeError": {"NotImplementedError"},
    "ValueError": {"NoMatchError"},
}


def _catches(handler: ast.ExceptHandler, raised: RaisedSignal) -> bool:
    for name in _caught(handler.type):
        if name == raised.name or (name in _WIDE and raised.name in (_WIDE[name] or {raised.name})):
            return True
    return False


def _raise(machine: Machine, node: ast.Raise) -> None:
    if node.exc is None:
        raise RaisedSignal("Exception")
    target = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "Exception")
    value = machine.evaluate(node.exc) if isinstance(node.exc, ast.Call) else None
    if name in ("SystemExit", "KeyboardInterrupt"):
        raise ExitSignal
    raise RaisedSignal(name, value)


def _return(machine: Machine, node: ast.Return) -> None:
    raise ReturnSignal(None if node.value is None else machine.evaluate(node.value))


def _break(machine: Machine, node: ast.Break) -> None:
    raise BreakSignal


def _continue(machine: Machine, node: ast.Continue) -> None:
    raise ContinueSignal


def _global(machine: Machine, node: ast.Global) -> None:
    machine.frame.global_names.update(node.names)


def _nonlocal(machine: Machine, node: ast.Nonlocal) -> None:
    machine.frame.nonlocal_names.update(node.names)


_RUN: dict[type, Callable[[Any, Any], None]] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Delete: _delete,
    ast.If: _if,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Try: _try,
    ast.Raise: _raise,
    ast.Return: _return,
    ast.Break: _break,
    ast.Continue: _continue,
    ast.Global: _global,
    ast.Nonlocal: _nonlocal,
    ast.FunctionDef: functions.define,
    ast.AsyncFunctionDef: functions.define,
    ast.ClassDef: functions.define_class,
    ast.Import: imports.import_,
    ast.ImportFrom: imports.import_from,
    ast.Match: matching.match,
}
if hasattr(ast, "TryStar"):
    _RUN[ast.TryStar] = _try
