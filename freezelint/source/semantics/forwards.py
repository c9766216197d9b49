"""Calls of modules: what runs in which order and mode, with or without gradients, and what comes out.

A class of the script is interpreted. A layer of a library, or a known architecture, is taken as a whole: all
of it runs, and its output depends on its inputs and on its parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.values import (
    Call,
    Function,
    Intrinsic,
    Method,
    Module,
    Parameter,
    Ran,
    Tensor,
    Unknown,
    Value,
)
from freezelint.source.semantics.modules import added_to, returned
from freezelint.source.semantics.open_ends import rest_of
from freezelint.source.semantics.tensors import any_of, tensors_in

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_NOT_CALLED = frozenset({"ModuleList", "ModuleDict", "ParameterList", "ParameterDict"})


def forward(machine: Machine, module: Module, call: Call) -> Value:
    """`module(…)`, or `module.forward(…)` of a library's class."""
    if any(running is module for running in machine.forwarding[-200:]) and module.cls is None:
        return machine.derived(*call.args, *call.kwargs.values())
    arguments = [*call.args, *call.kwargs.values()]
    begun = _begin(machine, module, arguments)
    machine.forwarding.append(module)
    try:
        output = _run(machine, module, call)
    finally:
        machine.forwarding.pop()
    _end(machine, module, begun, arguments, output)
    return output


def run_unread(machine: Machine, module: Module, call: Call) -> Value:
    """A method of a library's model, or of a class that nobody knows, that runs the module in its own way."""
    arguments = [*call.args, *call.kwargs.values()]
    begun = _begin(machine, module, arguments)
    output = _as_a_whole(machine, module, arguments)
    _end(machine, module, begun, arguments, output)
    return output


def forward_of_library(machine: Machine, module: Module, call: Call) -> Value:
    """`super().forward(…)` in a class of the script: what its ancestor in a library does."""
    if any(running is module for running in machine.forwarding):
        return _run_library(machine, module, call)
    return forward(machine, module, call)


def _run(machine: Machine, module: Module, call: Call) -> Value:
    own = _own_forward(module)
    return _run_library(machine, module, call) if own is None else machine.call_with(own, call)


def _run_library(machine: Machine, module: Module, call: Call) -> Value:
    if module.wraps is not None and module.wraps is not module:
        return forward(machine, module.wraps, call)
    kinds = {module.class_name if module.cls is None else "", *module.bases}
    if kinds & _NOT_CALLED:
        return Unknown(f"{text_of(module)}(…)")
    if "Sequential" in kinds:
        return _one_after_the_other(machine, module, call)
    return _as_a_whole(machine, module, [*call.args, *call.kwargs.values()])


def _own_forward(module: Module) -> Value:
    """The forward that the script gives the module, bound to it."""
    assigned = module.attributes.get("forward")
    if isinstance(assigned, (Function, Method, Intrinsic)):
        return assigned
    if module.cls is None:
        return None
    for name in ("__call__", "forward"):
        found = module.cls.find(name)
        if found is not None and isinstance(found[0], Function):
            return Method(found[0], module)
    return None


def _one_after_the_other(machine: Machine, module: Module, call: Call) -> Value:
    value = call.get(0, "input", Unknown("input"))
    for child in list(module.children.values()):
        if child is not None:
            machine.tick()
            value = forward(machine, child, Call(call.node, [value]))
    if module.open:
        return _uncertain(machine, machine.derived(value, rest_of(module)))
    return value


def _as_a_whole(machine: Machine, module: Module, arguments: list[Value]) -> Value:
    """All of the module runs on the arguments."""
    flow = any_of(tensor.requires_grad for tensor in tensors_in(arguments))
    if flow is False and _has_unknown(arguments):
        flow = None
    whole = _Whole(machine)
    whole.run(module, flow, module.unused, module.calls)
    output = machine.derived(arguments, *whole.outputs, *whole.trained)
    if _has_one_output(module):
        for ran in whole.ran:
            ran.outputs.append(output)
    return _uncertain(machine, output) if whole.open else output


def _has_one_output(module: Module) -> bool:
    """Whether a loss comes through every part that runs: of a bare model of transformers it may use a
    part, as of a model with auxiliary outputs.
    """
    if module.library == "transformers":
        return "For" in module.class_name
    return not any("aux" in name.lower() for name in module.children)


class _Whole:
    """One run through a module of a library, in definition order or in that of the knowledge base."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.trained: list[Parameter] = []
        self.outputs: list[Tensor] = []  # of modules of the script's inside
        self.open = False
        self.ran: list[Ran] = []
        self._seen: set[int] = set()

    def run(
        self, module: Module, flow: bool | None, unused: frozenset[str], calls: tuple[str, ...]
    ) -> bool | None:
        """Run the module, which has begun already; gives whether gradients flow out of it."""
        self._machine.tick()
        self._seen.add(id(module))
        for parameter in module.parameters.values():
            if parameter is not None and parameter.requires_grad is not False:
                self.trained.append(parameter)
                flow = parameter.requires_grad or flow or None
        if not module.children and not module.open:
            return flow
        # What a script adds to a class of a library under a new name is not run by that class.
        idle = added_to(module) if (module.cls is None or module.calls) and not module.open else frozenset()
        told = bool(calls) or module.class_name == "MultiheadAttention"
        for name, child in _in_order(module, calls):
            if child is None or id(child) in self._seen or name in unused or name in idle:
                continue
            below = frozenset(_below(name, unused)) | child.unused if unused else child.unused
            inner = (below, child.calls or (tuple(_below(name, calls)) if calls else ()))
            called = not told or name in calls or not any(child.parameters.values())
            flow = self._child(child, flow, inner, called)
        if module.open:
            self.open = True
            self.trained.append(rest_of(module))
            flow = flow or None
        return flow

    def _child(
        self, child: Module, flow: bool | None, inner: tuple[frozenset[str], tuple[str, ...]], called: bool
    ) -> bool | None:
        machine = self._machine
        if _own_forward(child) is not None:
            output = forward(machine, child, Call(machine.node, [Tensor(requires_grad=flow)]))
            found = list(tensors_in([output]))
            self.outputs.extend(found)
            return any_of([flow, *(tensor.requires_grad for tensor in found)])
        if not called:  # its parent uses its weights without calling it
            return self.run(child, flow, *inner)
        ran, first = _mark(machine, child)
        if _flows(machine):
            self.ran.append(ran)
        before = flow
        flow = self.run(child, flow, *inner)
        _note(machine, ran, first, [before], flow)
        return flow


def _in_order(module: Module, calls: tuple[str, ...]) -> Iterable[tuple[str, Module | None]]:
    children = list(module.children.items())
    if not calls:
        return children
    first: dict[str, int] = {}
    for position, path in enumerate(calls):
        first.setdefault(path.partition(".")[0], position)
    return sorted(children, key=lambda item: first.get(item[0], len(calls)))


def _below(name: str, paths: Iterable[str]) -> Iterator[str]:
    """Paths as the child of this name sees them."""
    prefix = f"{name}."
    return (path.removeprefix(prefix) for path in paths if path.startswith(prefix))


def _uncertain(machine: Machine, output: Tensor) -> Tensor:
    """The output of a module of which something is unknown."""
    if machine.grad_enabled is not False and output.requires_grad is False:
        output.requires_grad = None
    return output


# -- what is noted of a call -----------------------------------------------------------------------


def _begin(machine: Machine, module: Module, arguments: list[Value]) -> tuple[Ran, bool]:
    if not machine.forwarding:
        returned(machine, module)
    if _flows(machine):
        for tensor in tensors_in(arguments):
            if tensor.leaf and tensor.requires_grad is True and not isinstance(tensor, Parameter):
                machine.recorder.stock.leaves.setdefault(id(tensor), (module, tensor))
    return _mark(machine, module)


def _mark(machine: Machine, module: Module) -> tuple[Ran, bool]:
    """The module runs: in its present mode, with or without gradients. Gives what it did since the last step,
    and whether this is its first call with gradients.
    """
    recorder = machine.recorder
    recorder.forwarded = True
    new = module.ran is None
    ran = module.ran = module.ran or Ran(recorder.forwards, module.training)
    recorder.forwards += new
    first = not ran.with_gradient
    modes = [module.training] if new else [ran.training, module.training]
    if recorder.checkpoint_depth:
        ran.cut_by_checkpoint = True
        ran.training = any_of(modes)
    elif machine.grad_enabled is False:
        ran.training = any_of(modes) if first else ran.training
        ran.without_gradient = True
        ran.conditional_cut = ran.conditional_cut or machine.varying
    else:
        ran.training = module.training if first else any_of(modes)
        ran.with_gradient = True
        if machine.grad_enabled is None:
            ran.without_gradient = ran.conditional_cut = True
    _count_batch(machine, module)
    return ran, first


def _count_batch(machine: Machine, module: Module) -> None:
    norm = module.norm
    if norm is not None and norm.batches_since_reset is not None and module.training is not False:
        # Loops that train, and those of unknown length, are not run to their end here.
        trains = any(machine.recorder.steps_done > loop.steps for loop in machine.loops)
        known = not machine.inexact and not trains and module.training is True
        norm.batches_since_reset = norm.batches_since_reset + 1 if known else None


def _flows(machine: Machine) -> bool:
    return machine.grad_enabled is not False and not machine.recorder.checkpoint_depth


def _note(machine: Machine, ran: Ran, first: bool, received: list[bool | None], given: bool | None) -> None:
    """What flows into and out of a call; of several calls in a step one that requires grad counts."""
    if not _flows(machine):
        return
    if received:
        before = [] if first else [ran.input_requires_grad]
        ran.input_requires_grad = any_of([*before, *received])
    ran.output_requires_grad = any_of([given] if first else [ran.output_requires_grad, given])


def _end(
    machine: Machine, module: Module, call: tuple[Ran, bool], arguments: list[Value], output: Value
) -> None:
    if len(arguments) == 1 and isinstance(arguments[0], Tensor) and isinstance(output, Tensor):
        _end_of_one(machine, module, call, arguments[0], output)
        return
    inputs = list(tensors_in(arguments))
    given = {id(tensor) for tensor in inputs}
    results = list(tensors_in([output]))
    for tensor in results:
        if id(tensor) not in given and not isinstance(tensor, Parameter):
            tensor.module = module
    if _flows(machine):
        call[0].outputs += [tensor for tensor in results if id(tensor) not in given]
    flags = [tensor.requires_grad for tensor in inputs] + ([None] if _has_unknown(arguments) else [])
    out = any_of(tensor.requires_grad for tensor in results)
    _note(machine, *call, flags, None if isinstance(output, Unknown) and not out else out)


def _end_of_one(
    machine: Machine, module: Module, call: tuple[Ran, bool], given: Tensor, output: Tensor
) -> None:
    """The same for one tensor that goes in and one that comes out, as nearly always."""
    if output is not given:
        if not isinstance(output, Parameter):
            output.module = module
        if _flows(machine):
            call[0].outputs.append(output)
    _note(machine, *call, [given.requires_grad], output.requires_grad)


def _has_unknown(arguments: Iterable[Value]) -> bool:
    return any(isinstance(value, Unknown) for value in arguments)
