"""`contextlib`: context managers that scripts make of generator functions, and ready-made ones."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from freezelint.source.interpreter import assigning, conditions, functions, statements
from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.signals import ReturnSignal
from freezelint.source.interpreter.values import (
    MISSING,
    Call,
    Context,
    Function,
    Instance,
    Intrinsic,
    Unknown,
    Value,
)
from freezelint.source.vocabulary import function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

ALIASES = {"contextlib.asynccontextmanager": "contextlib.contextmanager"}


@function("contextlib.contextmanager")
def contextmanager(machine: Machine, call: Call) -> Value:
    """The part of the function before its `yield` runs on entering, the part behind it on leaving.

    A `yield` within a loop is not followed: nothing then runs on leaving.
    """
    target = call.args[0] if call.args else None
    if not isinstance(target, Function):
        return Unknown("contextmanager(…)")

    def make(machine: Machine, later: Call) -> Value:
        target.called = True
        runs: list[_Suspended] = []  # as a decorator it is entered anew for each call, also for nested ones

        def enter(machine: Machine, call: Call) -> Value:
            runs.append(_Suspended(machine, target, later))
            return runs[-1].resume()

        def leave(machine: Machine, call: Call) -> Value:
            if runs:
                runs.pop().resume()
            return False  # exceptions are not swallowed

        manager = Instance(None, kind="contextlib.contextmanager")
        manager.attributes["__enter__"] = Intrinsic("__enter__", enter)
        manager.attributes["__exit__"] = Intrinsic("__exit__", leave)
        manager.attributes["__call__"] = Intrinsic("__call__", _decorating(manager))
        return manager

    return Intrinsic(target.name, make)


def _decorating(manager: Instance) -> Any:
    """A context manager as a decorator."""

    def decorate(machine: Machine, call: Call) -> Value:
        target = call.args[0] if call.args else None

        def run(machine: Machine, later: Call) -> Value:
            statements.enter(machine, manager)
            try:
                return machine.call_with(target, later)
            finally:
                statements.leave(machine, manager)

        return Intrinsic(text_of(target), run)

    return decorate


class _Suspended:
    """A run of a generator function that rests at its `yield`."""

    def __init__(self, machine: Machine, target: Function, call: Call) -> None:
        from freezelint.source.interpreter.machine import Frame

        self._machine = machine
        scope = functions.bind(target, call, MISSING)
        self._frame = Frame(target.file, scope, target.globals, target.closure, target.name, target)
        self._run = self._through(target.node.body if isinstance(target.node.body, list) else [])

    def resume(self) -> Value:
        """Run up to the `yield`: its value; then the rest."""
        self._machine.frames.append(self._frame)
        try:
            return next(self._run, None)
        except ReturnSignal:
            return None
        finally:
            self._machine.frames.pop()

    def _through(self, body: list[ast.stmt]) -> Iterator[Value]:
        machine = self._machine
        for statement in body:
            if not _yields(statement):
                machine.execute([statement])
                continue
            self._frame.statement = self._frame.node = statement
            if isinstance(statement, (ast.Expr, ast.Assign)) and isinstance(statement.value, ast.Yield):
                value = statement.value.value
                yield None if value is None else machine.evaluate(value)
                if isinstance(statement, ast.Assign):
                    assigning.assign(machine, statement.targets[0], None)
            elif isinstance(statement, ast.Try):
                yield from self._through(statement.body)
                yield from self._through([*statement.orelse, *statement.finalbody])
            elif isinstance(statement, (ast.With, ast.AsyncWith)):
                yield from self._within(statement)
            elif isinstance(statement, ast.If):
                taken, known = conditions.choose(machine, statement)
                machine.conditional += not known
                yield from self._through(statement.body if taken else statement.orelse)
                machine.conditional -= not known
            else:
                yield Unknown("yield")

    def _within(self, statement: ast.With | ast.AsyncWith) -> Iterator[Value]:
        entered: list[Value] = []
        for item in statement.items:
            manager = self._machine.evaluate(item.context_expr)
            bound = statements.enter(self._machine, manager)
            entered.append(manager)
            if item.optional_vars is not None:
                assigning.assign(self._machine, item.optional_vars, bound)
        yield from self._through(statement.body)
        for manager in reversed(entered):
            statements.leave(self._machine, manager)


def _yields(statement: ast.stmt) -> bool:
    return functions.is_generator(ast.Module([statement], []))


@function("contextlib.nullcontext", "contextlib.closing")
def nullcontext(machine: Machine, call: Call) -> Value:
    """Does nothing; binds its argument."""
    return Context(call.name, value=call.get(0, "enter_result", None))


@function("contextlib.suppress", "pytest.raises", "unittest.TestCase.assertRaises")
def suppress(machine: Machine, call: Call) -> Value:
    """What its block raises is caught."""
    return Context("suppress" if call.name.endswith("suppress") else "raises")


@function("contextlib.redirect_stdout", "contextlib.redirect_stderr", "warnings.catch_warnings",
    "torch.autograd.set_detect_anomaly", "torch.autograd.detect_anomaly", "pytest.warns",
    "torch.autograd.profiler.profile", "torch.profiler.profile", "torch.profiler.record_function",
    "torch.autograd.profiler.record_function")  # fmt: skip
def harmless(machine: Machine, call: Call) -> Value:
    """Context managers that change nothing we follow."""
    return Context(call.name)


@function("contextlib.ExitStack", "contextlib.AsyncExitStack")
def exit_stack(machine: Machine, call: Call) -> Value:
    """Context managers entered one by one, left together."""
    entered: list[Value] = []
    stack = Instance(None, kind="contextlib.ExitStack")

    def enter_context(machine: Machine, later: Call) -> Value:
        if not later.args:
            return Unknown("enter_context()")
        entered.append(later.args[0])
        return statements.enter(machine, later.args[0])

    def leave(machine: Machine, later: Call) -> Value:
        while entered:
            statements.leave(machine, entered.pop())
        return False

    stack.attributes["enter_context"] = Intrinsic("enter_context", enter_context)
    stack.attributes["__enter__"] = Intrinsic("__enter__", lambda machine, later: stack)
    stack.attributes["__exit__"] = stack.attributes["close"] = Intrinsic("__exit__", leave)
    return stack
