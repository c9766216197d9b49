"""Calls, by what is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter import functions, natives
from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.packages import is_installed
from freezelint.source.interpreter.values import (
    Call,
    Class,
    Context,
    Descriptor,
    Function,
    Instance,
    Intrinsic,
    Library,
    Method,
    Module,
    Native,
    Optimizer,
    Parameter,
    Tensor,
    Unknown,
    Value,
)
from freezelint.source.recording import no_effects
from freezelint.source.semantics import escapes, forwards, groups, modules, tensors

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

# Names of functions that look at a model, by how they begin.
_LOOKING = (
    "print", "log", "show", "plot", "count", "summar", "save", "dump", "report", "visuali", "get_n_param",
    "num_param",
    "seed", "set_seed", "watch", "profile", "describe", "info", "accuracy", "compute", "metric", "calc",
)  # fmt: skip
# Methods that data has: what they give is computed from their owner alone, or is cut off from it.
_OF_DATA = frozenset(
    {
        "to",
        "cuda",
        "cpu",
        "float",
        "half",
        "double",
        "long",
        "int",
        "bool",
        "bfloat16",
        "type",
        "clone",
        "contiguous",
    }
    | {
        "view",
        "reshape",
        "flatten",
        "unsqueeze",
        "squeeze",
        "permute",
        "transpose",
        "size",
        "sum",
        "mean",
        "max",
        "min",
    }
    | {
        "get",
        "items",
        "keys",
        "values",
        "pop",
        "copy",
        "append",
        "pin_memory",
        "repeat",
        "expand",
        "chunk",
        "split",
    }
)
_CUTTING = frozenset({"detach", "item", "numpy", "tolist", "argmax"})


def call(machine: Machine, function: Value, call: Call) -> Value:
    """Call anything callable."""
    machine.tick()
    if isinstance(function, Method):
        return _method(machine, function, call)
    if isinstance(function, Function):
        return functions.run(machine, function, call)
    if isinstance(function, Intrinsic):
        call.name = function.name
        return function.run(machine, call)
    if isinstance(function, Library):
        return library(machine, function.name, call)
    if isinstance(function, Class):
        return functions.instantiate(machine, function, call)
    if isinstance(function, Native):
        return natives.run(machine, function, call)
    if isinstance(function, Module):
        return forwards.forward(machine, function, call)
    if isinstance(function, Context):
        return _decorated(function, call)
    if isinstance(function, Descriptor):
        return machine.call_with(function.function, call)
    if isinstance(function, Tensor):  # a method that has no entry of its own
        return machine.derived(function, *call.args, *call.kwargs.values())
    if isinstance(function, Unknown) or function is None:
        result = unknown(machine, text_of(function), call)
        if machine.grad_enabled is not False and _returns_a_graph(function, call):
            if isinstance(result, Unknown):
                result.returned = True
            elif isinstance(result, Tensor) and result.requires_grad is False:
                result.requires_grad = None
        return result
    defined = machine.get(function, "__call__")
    return (
        unknown(machine, text_of(function), call)
        if isinstance(defined, Unknown)
        else machine.call_with(defined, call)
    )


def _method(machine: Machine, method: Method, call: Call) -> Value:
    if isinstance(method.function, Function):
        return functions.run(machine, method.function, call, receiver=method.owner)
    if isinstance(method.function, Library):  # a classmethod that a class of the script inherits
        inherited = Call(call.node, [method.owner, *call.args], call.kwargs, complete=call.complete)
        return library(machine, method.function.name, inherited)
    if isinstance(method.owner, Module) and isinstance(method.function, Intrinsic):
        machine.recorder.misses.gave(method.owner, method.function.name, call.node)
    return machine.call_with(method.function, call)


def library(machine: Machine, name: str, call: Call) -> Value:
    """A call of something of an installed library."""
    call.name = machine.vocabulary.canonical(name)
    if call.kwargs and call.name.startswith("torch."):
        no_effects.keywords_given(machine, call)
    run = machine.vocabulary.function(name)
    if run is not None:
        return run(machine, call)
    if machine.vocabulary.builder(name) is not None:
        module = Module(name.rpartition(".")[2], name.partition(".")[0], built=machine.location())
        construct(machine, module, name, call)
        return module
    return unknown(machine, name, call)


def construct(machine: Machine, module: Module, name: str, call: Call) -> None:
    """Run the constructor of a library's module class on a module."""
    call.name = machine.vocabulary.canonical(name)
    build = machine.vocabulary.builder(name)
    if build is None:
        module.open = True
        return
    build(machine, module, call)
    modules.constructed(machine, module)


def construct_base(machine: Machine, base: Library | None, call: Call) -> None:
    """`super().__init__(…)` where the base is a class of a library; the receiver is that of the frame."""
    receiver = machine.frame.receiver
    if base is None:
        return
    if isinstance(receiver, Module):
        construct(machine, receiver, base.name, call)
    elif isinstance(receiver, (Optimizer, Instance)):
        name = machine.vocabulary.canonical(f"{base.name}.__init__")
        run = machine.vocabulary.functions.get(name)
        if run is not None:
            call.args.insert(0, receiver)
            run(machine, call)


def _decorated(context: Context, call: Call) -> Value:
    """`@torch.no_grad()`: the function runs in that mode."""
    function = call.args[0] if call.args else None
    if isinstance(function, Function) and context.mode is not None:
        function.grad_mode = context.mode
    return function


def unknown(machine: Machine, name: str, call: Call) -> Value:
    """A call that nobody knows. What it may have done to modules that were handed to it is unknown from now
    on; what it computes from tensors is a tensor."""
    made = groups.guessed(machine, name, call)
    if made is not None:
        return made
    arguments = [*call.args, *call.kwargs.values()]
    if not is_harmless(name):
        escapes.escaped(machine, arguments, name)
    given = [value for value in arguments if isinstance(value, Tensor) and not isinstance(value, Parameter)]
    if given:
        return machine.derived(*given)
    text = f"{name.rpartition('.')[2]}({', '.join(text_of(value) for value in call.args[:3])})"
    made_from = [Unknown(), *arguments]
    made_from[0].returned = any(isinstance(value, Module) for value in arguments)
    return tensors.unseen(text, *made_from)


def _returns_a_graph(function: Value, call: Call) -> bool:
    """Whether the result of something unknown may have a graph: any object may be a network. Methods of
    tensors and containers give no other than what they are called on.
    """
    last = text_of(function).rpartition(".")[2]
    if last in _CUTTING:
        return False
    sources = [function, *call.args, *call.kwargs.values()]
    return last not in _OF_DATA or tensors.may_have_graph(sources)


def is_harmless(name: str) -> bool:
    """Whether a function of this dotted name leaves the models it is given alone."""
    last = name.rpartition(".")[2].lower().lstrip("_")
    return is_installed(name) or last.startswith(_LOOKING)
