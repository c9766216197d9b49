"""Functions and classes of the script: defining, calling, instantiating."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from freezelint.source.interpreter.signals import (
    BreakSignal,
    BudgetError,
    ContinueSignal,
    RaisedSignal,
    ReturnSignal,
)
from freezelint.source.interpreter.values import (
    MISSING,
    Call,
    Class,
    Descriptor,
    Function,
    Instance,
    Items,
    Library,
    Module,
    Optimizer,
    Scope,
    Unknown,
    Value,
)
from freezelint.source.semantics import modules

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


def function_of(machine: Machine, node: Any, name: str) -> Function:
    """The function that a `def` or `lambda` makes here."""
    frame = machine.frame
    in_class = "__class_body__" in frame.scope
    closure = frame.closure if in_class else (frame.scope, *frame.closure)
    if frame.scope is frame.globals:
        closure = frame.closure
    function = Function(name, node, frame.file, frame.globals, closure)
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    for argument, default in zip(
        positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True
    ):
        function.defaults[argument.arg] = machine.evaluate(default)
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            function.defaults[argument.arg] = machine.evaluate(default)
    return function


def define(machine: Machine, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """A `def` statement, with its decorators."""
    value: Value = function_of(machine, node, node.name)
    for decorator in reversed(node.decorator_list):
        value = _decorate(machine, decorator, value)
    machine.frame.scope[node.name] = value
    if node.name in machine.frame.global_names:
        machine.frame.globals[node.name] = value


def _decorate(machine: Machine, node: ast.expr, value: Value) -> Value:
    if isinstance(node, ast.Name) and node.id in ("property", "staticmethod", "classmethod"):
        return Descriptor(node.id, value)  # type: ignore[arg-type]
    if isinstance(node, ast.Attribute) and node.attr in ("setter", "getter", "deleter"):
        described = machine.evaluate(node.value)
        if isinstance(described, Descriptor) and node.attr == "setter":
            return Descriptor("property", described.function, value)
        return described
    if "docstring" in _name_of(node):
        return value  # what writes documentation leaves the function as it is
    decorator = machine.evaluate(node)
    machine.frame.node = node
    decorated = machine.call(decorator, value)
    # What nobody knows about a decorator is taken for a thin wrapper.
    return value if isinstance(decorated, Unknown) or decorated is None else decorated


def _name_of(node: ast.expr) -> str:
    """The last name of a decorator."""
    function = node.func if isinstance(node, ast.Call) else node
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def define_class(machine: Machine, node: ast.ClassDef) -> None:
    """A `class` statement: its body runs in a scope of its own."""
    from freezelint.source.interpreter.machine import Frame

    frame = machine.frame
    bases = tuple(machine.evaluate(base) for base in node.bases)
    cls = Class(node.name, node, frame.file, bases)
    scope: Scope = {"__class_body__": True, "__annotations__": {}}
    closure = frame.closure if frame.scope is frame.globals else (frame.scope, *frame.closure)
    inner = Frame(frame.file, scope, frame.globals, closure, node.name)
    inner.node = node
    machine.frames.append(inner)
    try:
        machine.execute(node.body)
    finally:
        machine.frames.pop()
    scope.pop("__class_body__")
    cls.namespace = scope
    for value in scope.values():
        function = value.function if isinstance(value, Descriptor) else value
        if isinstance(function, Function):
            function.owner = cls
    decorated: Value = _completed(machine, cls)
    for decorator in reversed(node.decorator_list):
        if "docstring" in _name_of(decorator):
            continue
        result = machine.call(machine.evaluate(decorator), decorated)
        decorated = decorated if isinstance(result, Unknown) or result is None else result
    frame.scope[node.name] = decorated


def _completed(machine: Machine, cls: Class) -> Class:
    """What the classes of libraries do with a class that inherits from them: `Enum` makes its members."""
    for library in cls.libraries():
        complete = machine.vocabulary.functions.get(
            f"{machine.vocabulary.canonical(library.name)}.__init_subclass__"
        )
        if complete is not None:
            complete(machine, Call(cls.node, [cls]))
    return cls


def _made_by_library(machine: Machine, cls: Class, call: Call) -> Value:
    """What `cls(…)` gives where a class of a library among its ancestors decides that; MISSING otherwise."""
    for library in cls.libraries():
        make = machine.vocabulary.functions.get(f"{machine.vocabulary.canonical(library.name)}.__new__")
        if make is not None:
            return make(machine, Call(call.node, [cls, *call.args], call.kwargs, complete=call.complete))
    return MISSING


def run(machine: Machine, function: Function, call: Call, receiver: Value = MISSING) -> Value:
    """Call a function of the script."""
    if function.remembered is not None and receiver is MISSING and call.complete and not call.kwargs:
        return _remembered(machine, function, call)
    if (
        machine.most_abroad
        and function.file is not machine.file
        and not (machine.abroad or machine.importing)
    ):
        return _abroad(machine, function, call, receiver)
    return _run(machine, function, call, receiver)


def _remembered(machine: Machine, function: Function, call: Call) -> Value:
    """What a function that keeps its results gave for these arguments before."""
    results, function.remembered = function.remembered, None
    key = tuple((type(value), value) for value in call.args)
    plain = all(isinstance(value, _PLAIN) for value in call.args)
    try:
        if results is None or not plain or key not in results:
            found = run(machine, function, call)
            if results is not None and plain:
                results[key] = found
            return found
        return results[key]
    finally:
        function.remembered = results


def _abroad(machine: Machine, function: Function, call: Call, receiver: Value) -> Value:
    """Call a function of another module, of which a fragment tells little: with arguments that nobody knows
    it may go far or raise. Then it is a function that is not known.
    """
    from freezelint.source.interpreter import calls

    most, before = machine.most_ticks, machine.ticks
    allowed = machine.most_ticks = min(most, before + machine.most_abroad)
    machine.abroad = True
    try:
        return _run(machine, function, call, receiver)
    except BudgetError:
        if machine.ticks > most:
            raise
        machine.limit("a part of the file", "what it calls in other modules is too long to follow")
    except RaisedSignal:
        if any(frame.handled and any(frame.handled) for frame in machine.frames):
            raise
    finally:
        machine.abroad = False
        machine.most_ticks = min(most + machine.most_ticks - allowed, machine.whole_ticks)
    if function.name == "__init__":
        if isinstance(receiver, Module):
            receiver.open = True
        return None
    given = call.args if receiver is MISSING else [receiver, *call.args]
    return calls.unknown(machine, function.name, Call(call.node, given, call.kwargs, complete=call.complete))


def _run(machine: Machine, function: Function, call: Call, receiver: Value) -> Value:
    from freezelint.source.interpreter.machine import MOST_DEPTH, Frame

    if (
        len(machine.frames) > MOST_DEPTH
        or sum(f.function is function for f in machine.frames) > _MOST_RECURSION
    ):
        machine.limit(
            f"calls of `{function.name}`", "they are nested too deeply to follow", machine.location()
        )
        return Unknown(f"{function.name}()")
    function.called = True
    scope = bind(function, call, receiver)
    frame = Frame(function.file, scope, function.globals, function.closure, function.name, function)
    frame.receiver = receiver if receiver is not MISSING else None
    node = function.node
    before = machine.grad_enabled
    conditional, machine.conditional = machine.conditional, machine.conditional
    if function.grad_mode is not None:
        machine.grad_enabled = function.grad_mode
    machine.frames.append(frame)
    try:
        if isinstance(node, ast.Lambda):
            return machine.evaluate(node.body)
        generator = is_generator(node)
        frame.yields = [] if generator else None
        try:
            machine.execute(node.body)
        except ReturnSignal as signal:
            return Items(iter(frame.yields or [])) if generator else signal.value
        except (BreakSignal, ContinueSignal):
            return None
        return Items(iter(frame.yields or [])) if generator else None
    finally:
        machine.frames.pop()
        machine.grad_enabled = before
        machine.conditional = conditional


_MOST_RECURSION = 12
_PLAIN = (str, int, float, bool, type(None))


def is_generator(node: ast.AST) -> bool:
    """Whether a function yields. The answer is kept with the node: a function may be called thousands
    of times.
    """
    known: bool | None = getattr(node, _YIELDS, None)
    if known is None:
        known = _yields(node)
        setattr(node, _YIELDS, known)
    return known


_YIELDS = "freezelint_yields"


def _yields(node: ast.AST) -> bool:
    pending: list[ast.AST] = list(ast.iter_child_nodes(node))
    while pending:
        current = pending.pop()
        if isinstance(current, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(current, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            pending.extend(ast.iter_child_nodes(current))
    return False


def bind(function: Function, call: Call, receiver: Value) -> Scope:
    """The variables that a function starts with. What is not given and has no default is unknown."""
    arguments = function.node.args
    given = list(call.args) if receiver is MISSING else [receiver, *call.args]
    keywords = dict(call.kwargs)
    scope: Scope = {}
    positional = [*arguments.posonlyargs, *arguments.args]
    for position, argument in enumerate(positional):
        name = argument.arg
        if position < len(given):
            scope[name] = given[position]
        elif name in keywords:
            scope[name] = keywords.pop(name)
        else:
            scope[name] = _default(function, name, call)
    for argument in arguments.kwonlyargs:
        name = argument.arg
        scope[name] = keywords.pop(name) if name in keywords else _default(function, name, call)
    if arguments.vararg is not None:
        scope[arguments.vararg.arg] = (
            tuple(given[len(positional) :]) if call.complete else Unknown(arguments.vararg.arg)
        )
    if arguments.kwarg is not None:
        scope[arguments.kwarg.arg] = keywords if call.complete else Unknown(arguments.kwarg.arg)
    return scope


def _default(function: Function, name: str, call: Call) -> Value:
    if name in function.defaults:
        default = function.defaults[name]
        # An incomplete call (`**kwargs`, or a function nobody here calls) may give another value.
        return default if call.complete or isinstance(default, Unknown) else Unknown(name, default)
    return Unknown(name)


def instantiate(machine: Machine, cls: Class, call: Call) -> Value:
    """`cls(…)`: a module, an optimizer, or a plain object, after its constructor has run."""
    cls.instantiated = True
    given = _made_by_library(machine, cls, call)
    if given is not MISSING:
        return given
    made = blank(machine, cls)
    constructor = cls.find("__init__")
    if constructor is not None:
        run(machine, constructor[0], call, made) if isinstance(constructor[0], Function) else None
        if isinstance(made, Module):
            modules.constructed(machine, made)
        return made
    if cls.is_dataclass:
        _fill_fields(machine, cls, made, call)
        return made
    _construct_by_library(machine, cls, made, call)
    return made


def _construct_by_library(machine: Machine, cls: Class, made: Value, call: Call) -> None:
    """A class without a constructor has that of its ancestors."""
    from freezelint.source.interpreter import calls

    for library in cls.libraries():
        if isinstance(made, Module):
            calls.construct(machine, made, library.name, call)
            return
        run_base = machine.vocabulary.functions.get(machine.vocabulary.canonical(f"{library.name}.__init__"))
        if run_base is not None:
            call.args.insert(0, made)
            run_base(machine, call)
            return


def blank(machine: Machine, cls: Class) -> Value:
    """An object of the class before its constructor runs, of the kind that its ancestors say."""
    names = [machine.vocabulary.canonical(library.name) for library in cls.libraries()]
    if any(machine.vocabulary.builder(name) is not None for name in names):
        module = Module(
            cls.name,
            "__main__" if cls.file is machine.file else cls.file.path.rpartition("/")[2].partition(".")[0],
            cls=cls,
            role="container",
            built=machine.location(),
        )
        module.bases = frozenset(name.rpartition(".")[2] for name in names) | {"Module"}
        module.open = cls.is_open
        module.overrides_train = cls.find("train") is not None
        return module
    if any(name.startswith("torch.optim.") and "lr_scheduler" not in name for name in names):
        return Optimizer(cls.name, [], cls=cls, location=machine.location(), complete=False)
    return Instance(cls)


def _fill_fields(machine: Machine, cls: Class, made: Value, call: Call) -> None:
    fields: dict[str, Value] = {}
    for ancestor in reversed(cls.mro()):
        if isinstance(ancestor, Class):
            for name in ancestor.namespace.get("__annotations__", {}):
                fields[name] = _field(machine, ancestor.namespace.get(name, Unknown(name)))
            for name, value in ancestor.namespace.items():
                if not name.startswith("__") and not isinstance(value, (Function, Descriptor)):
                    fields.setdefault(name, _field(machine, value))
    for name, value in zip(fields, call.args, strict=False):
        fields[name] = value
    fields.update({name: value for name, value in call.kwargs.items() if name in fields})
    if isinstance(made, (Instance, Module)):
        made.attributes.update(fields)
    after = cls.find("__post_init__")
    if after is not None and isinstance(after[0], Function):
        run(machine, after[0], Call(call.node), made)


def _field(machine: Machine, value: Value) -> Value:
    """The value that a field has unless one is given; a factory makes a fresh one for each object."""
    if not isinstance(value, Instance) or value.kind != "dataclasses.Field":
        return value
    factory = value.attributes.get("default_factory")
    return value.attributes["default"] if factory is None else machine.call(factory)


def library_base(cls: Class, package: str) -> Library | None:
    """The first ancestor of this package."""
    return next((library for library in cls.libraries() if library.package == package), None)
