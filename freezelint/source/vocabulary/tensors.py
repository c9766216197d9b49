"""Tensors: flags, graph cuts, backward, and the functions of torch that make or combine them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter import conditions
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import (
    Call,
    Context,
    Function,
    Module,
    Parameter,
    Tensor,
    Unknown,
    Value,
)
from freezelint.source.recording import lost_copies
from freezelint.source.semantics import tensors
from freezelint.source.vocabulary import assignment, attribute, constant, function, method

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

ALIASES = {
    "torch.autograd.no_grad": "torch.no_grad",
    "torch.autograd.grad_mode.no_grad": "torch.no_grad",
    "torch.autograd.inference_mode": "torch.inference_mode",
    "torch.autograd.set_grad_enabled": "torch.set_grad_enabled",
    "torch.autograd.enable_grad": "torch.enable_grad",
    "torch.nn.parameter.Parameter": "torch.nn.Parameter",
    "torch.nn.utils.stateless.functional_call": "torch.func.functional_call",
}

# -- grad mode
# ------------------------------------------------------------------------------------------------


@function("torch.no_grad", "torch.inference_mode", "torch.enable_grad")
def grad_mode(machine: Machine, call: Call) -> Value:
    """A context manager that is a decorator, too."""
    kind = call.name.rpartition(".")[2]
    first = call.args[0] if call.args else None
    context = Context(kind, kind == "enable_grad")
    if kind == "inference_mode" and not isinstance(first, Function):
        wanted = known(call.get(0, "mode", True))
        context.mode = not wanted if isinstance(wanted, bool) else None
    if isinstance(first, Function):  # `@torch.no_grad` without parentheses
        first.grad_mode = context.mode
        return first
    return context


@function("torch.set_grad_enabled")
def set_grad_enabled(machine: Machine, call: Call) -> Value:
    """Works at once, and until the end of the block where it is used in a `with`."""
    value = call.get(0, "mode")
    truth = machine.truth(value)
    context = Context("set_grad_enabled", truth, before=[machine.grad_enabled])
    context.value = context
    machine.grad_enabled = truth
    return context


@function("torch.is_grad_enabled")
def is_grad_enabled(machine: Machine, call: Call) -> Value:
    """Whether gradients are recorded here."""
    return Unknown("torch.is_grad_enabled()") if machine.grad_enabled is None else machine.grad_enabled


# -- flags
# ----------------------------------------------------------------------------------------------------


@attribute(Tensor, "requires_grad")
def requires_grad(machine: Machine, tensor: Tensor) -> Value:
    """The flag, where it is known."""
    if tensor.requires_grad is None:
        return Unknown(f"{tensor.text or 'tensor'}.requires_grad")
    return tensor.requires_grad


@assignment(Parameter, "requires_grad")
def set_parameter_flag(machine: Machine, parameter: Parameter, value: Value) -> None:
    """`p.requires_grad = value`."""
    machine.recorder.flag([parameter], conditions.flag(machine, value))


@assignment(Tensor, "requires_grad")
def set_tensor_flag(machine: Machine, tensor: Tensor, value: Value) -> None:
    """The flag of a tensor that is no parameter: an input, a loss."""
    _force(machine, tensor, machine.truth(value))


@method(Tensor, "requires_grad_")
def requires_grad_(machine: Machine, tensor: Tensor, call: Call) -> Value:
    """`tensor.requires_grad_(flag)`."""
    truth = conditions.flag(machine, call.get(0, "requires_grad", True))
    if isinstance(tensor, Parameter):
        machine.recorder.flag([tensor], truth)
    else:
        _force(machine, tensor, truth)
    return tensor


def _force(machine: Machine, tensor: Tensor, truth: bool | None) -> None:
    was = tensor.requires_grad
    if truth is False:
        lost_copies.tensor_written(machine, tensor)
    if truth and was is False and not tensor.parents:
        index = machine.recorder.event("gradient-forced", value=tensor.text)
        tensor.attributes["forced"] = index if index >= 0 else None
        tensor.leaf = True
    tensor.requires_grad = truth


# -- cuts
# -----------------------------------------------------------------------------------------------------


@method(Tensor, "detach", "detach_")
def detach(machine: Machine, tensor: Tensor, call: Call) -> Value:
    """Out of the graph; `detach_` in place."""
    cut = tensors.detached(machine, tensor, "detach")
    if call.name == "detach_" and not isinstance(tensor, Parameter):
        tensor.parents, tensor.requires_grad, tensor.cut, tensor.behind = (), False, cut.cut, cut.behind
        return tensor
    return cut


@attribute(Tensor, "data")
def data(machine: Machine, tensor: Tensor) -> Value:
    """The values without the graph. Of a parameter they share its memory."""
    if isinstance(tensor, Parameter):
        shared = tensor.attributes.get("data")
        if shared is None:
            shared = tensor.attributes["data"] = Tensor(cut="data", behind=tensor, text=f"{tensor.text}.data")
        return shared
    return tensors.detached(machine, tensor, "data")


@assignment(Tensor, "data")
def set_data(machine: Machine, tensor: Tensor, value: Value) -> None:
    """New values: a parameter is moved by hand."""
    if isinstance(tensor, Parameter):
        tensor.moved_by_hand = True


@method(Tensor, "item", "tolist", "numpy")
def item(machine: Machine, tensor: Tensor, call: Call) -> Value:
    """A number of Python: whatever is computed from it has no graph."""
    return Unknown(f"{tensor.text or 'tensor'}.{call.name}()")


@attribute(Tensor, "grad")
def grad(machine: Machine, tensor: Tensor) -> Value:
    """What backward has left."""
    if isinstance(tensor, Parameter):
        if tensor.gradient == "none":
            return None
        return tensor.attributes.setdefault("gradient", Tensor(text="grad", behind=tensor, cut="grad"))
    tensor.attributes["gradient read"] = True
    return Tensor(text="grad")


@assignment(Tensor, "grad")
def set_grad(machine: Machine, tensor: Tensor, value: Value) -> None:
    """`p.grad = None` clears, anything else is a gradient that the script makes."""
    if isinstance(tensor, Parameter):
        tensor.gradient = "none" if value is None else "unknown"


@method(
    Tensor,
    "zero_",
    "fill_",
    "copy_",
    "mul_",
    "add_",
    "sub_",
    "div_",
    "lerp_",
    "clamp_",
    "normal_",
    "uniform_",
)
def in_place(machine: Machine, tensor: Tensor, call: Call) -> Value:
    """Writes into a parameter, or into what shares its memory, move it by hand."""
    if call.name == "zero_" and tensor.cut == "grad" and isinstance(tensor.behind, Parameter):
        tensor.behind.gradient = "zero" if tensor.behind.gradient != "none" else "none"
        return tensor
    target = tensor.behind if tensor.cut in ("data", "detach", "state_dict") else tensor
    if isinstance(target, Parameter):
        target.moved_by_hand = True
        return tensor
    for argument in call.args:
        tensors.written(machine, tensor, argument)
    return tensor


# -- graph
# ----------------------------------------------------------------------------------------------------


@method(Tensor, "backward")
def backward(machine: Machine, tensor: Tensor, call: Call) -> Value:
    """`loss.backward()`."""
    tensors.backward(machine, tensor)
    return None


@method(Unknown, "backward")
def unknown_backward(machine: Machine, value: Unknown, call: Call) -> Value:
    """Backward from a loss that nobody knows."""
    tensors.backward(machine, value)
    return None


@function("torch.autograd.backward")
def autograd_backward(machine: Machine, call: Call) -> Value:
    """`torch.autograd.backward(losses)`."""
    losses = call.get(0, "tensors", None)
    tensors.backward(machine, machine.derived(losses) if isinstance(losses, (list, tuple)) else losses)
    return None


@function("torch.autograd.grad")
def autograd_grad(machine: Machine, call: Call) -> Value:
    """Gradients as values; `.grad` stays as it is."""
    inputs = call.get(1, "inputs", None)
    for tensor in tensors.tensors_in([inputs]):
        tensor.attributes["gradient read"] = True
    wanted = machine.elements(inputs, "autograd.grad")
    given = call.get(0, "outputs", None)
    keeps = machine.truth(call.get(4, "create_graph", False)) is not False
    count = 1 if wanted is None else len(wanted)
    return tuple(machine.derived(given) if keeps else Tensor() for _ in range(count))


@function("torch.utils.checkpoint.checkpoint")
def checkpoint(machine: Machine, call: Call) -> Value:
    """Runs the function; a reentrant one none of whose inputs requires grad cuts the graph."""
    if not call.args:
        return Unknown("checkpoint(…)")
    reentrant = machine.truth(call.kwargs.pop("use_reentrant", Unknown("use_reentrant")))
    for option in ("preserve_rng_state", "determinism_check", "debug", "context_fn"):
        call.kwargs.pop(option, None)
    inputs = list(tensors.tensors_in([*call.args[1:], *call.kwargs.values()]))
    inner = Call(call.node, call.args[1:], call.kwargs, complete=call.complete)
    flags = tensors.any_of(tensor.requires_grad for tensor in inputs)
    if reentrant is not True or flags is not False or machine.grad_enabled is not True:
        return machine.call_with(call.args[0], inner)
    machine.recorder.checkpoint_depth += 1
    before, machine.grad_enabled = machine.grad_enabled, False
    try:
        result = machine.call_with(call.args[0], inner)
    finally:
        machine.grad_enabled = before
        machine.recorder.checkpoint_depth -= 1
    ran = call.args[0] if isinstance(call.args[0], Module) else None
    machine.recorder.event("checkpointed", modules=[ran] if ran is not None else [])
    return result


@function("torch.func.functional_call")
def functional_call(machine: Machine, call: Call) -> Value:
    """Runs a module with other parameters: what they reach is theirs."""
    given = call.get(1, "parameter_and_buffer_dicts", None)
    return machine.derived(given, *call.args[2:])


@function("torch.autograd.Variable")
def variable(machine: Machine, call: Call) -> Value:
    """The wrapper of old torch versions: the tensor itself."""
    value = call.get(0, "data", Unknown("Variable"))
    wants = machine.truth(call.get(1, "requires_grad", False))
    if wants is not False:
        return Tensor(requires_grad=wants, leaf=True, text="Variable")
    return value


_MADE = [
    "tensor",
    "zeros",
    "ones",
    "empty",
    "full",
    "rand",
    "randn",
    "randint",
    "arange",
    "linspace",
    "eye",
    "randperm",
    "zeros_like",
    "ones_like",
    "rand_like",
    "randn_like",
    "empty_like",
    "full_like",
    "normal",
    "FloatTensor",
    "LongTensor",
    "Tensor",
    "from_numpy",
    "as_tensor",
    "bernoulli",
    "scalar_tensor",
]


@function(
    *(f"torch.{name}" for name in _MADE), *(f"torch.cuda.{name}" for name in ("FloatTensor", "LongTensor"))
)
def made(machine: Machine, call: Call) -> Value:
    """A new tensor. One made from the values of another (`torch.tensor(loss)`) has lost its graph."""
    tensor = tensors.new(machine, call, call.name)
    sources = [one for one in tensors.tensors_in(call.args[:1]) if one.requires_grad is not False]
    if sources:
        tensor.cut, tensor.behind = "tensor", sources[0]
    if tensor.requires_grad is True and call.name.endswith(".tensor"):
        tensor.attributes["forced"] = machine.recorder.event("gradient-forced", value="torch.tensor")
    return tensor


@function(
    "torch.nn.functional.*",
    "torch.*",
    "torch.fft.*",
    "torch.linalg.*",
    "torch.special.*",
    "torch.nn.utils.rnn.*",
)
def combined(machine: Machine, call: Call) -> Value:
    """Any other function of torch: a tensor computed from those that it was given."""
    arguments = [*call.args, *call.kwargs.values()]
    given = list(tensors.tensors_in(arguments))
    if given:
        return machine.derived(*arguments)
    return tensors.unseen(f"{call.name}(…)", *arguments)


@method(Tensor, "size", "dim", "ndimension", "numel", "nelement", "__len__", "stride", "get_device", "argmax",
        "eq", "ne", "gt", "lt", "ge", "le", "long", "int", "bool", "is_contiguous")  # fmt: skip
def number(machine: Machine, tensor: Tensor, call: Call) -> Value:
    """What is a number, or has no gradient."""
    if call.name in ("numel", "nelement") and isinstance(tensor, Parameter):
        return _count(tensor)
    if call.name == "size" and isinstance(tensor, Parameter):
        return _sizes(tensor, call)
    if call.name in ("dim", "ndimension") and isinstance(tensor, Parameter):
        return dimensions(machine, tensor)
    if call.name in ("argmax", "eq", "ne", "gt", "lt", "ge", "le", "long", "int", "bool"):
        return Tensor(text=call.name)
    return Unknown(f"{tensor.text or 'tensor'}.{call.name}()")


@attribute(Parameter, "shape")
def shape(machine: Machine, parameter: Parameter) -> Value:
    """The sizes, unknown ones among them."""
    return tuple(Unknown("size") if size is None else size for size in parameter.dims)


@attribute(Parameter, "ndim")
def dimensions(machine: Machine, parameter: Parameter) -> Value:
    """How many dimensions."""
    return len(parameter.dims) if parameter.dims else Unknown("ndim")


@attribute(Tensor, "dtype", "device", "is_cuda", "itemsize", "layout")
def plain(machine: Machine, tensor: Tensor) -> Value:
    """What nobody needs to know."""
    return Unknown("tensor.dtype")


@attribute(Tensor, "is_leaf", "grad_fn")
def graph_facts(machine: Machine, tensor: Tensor) -> Value:
    """How it stands in the graph."""
    return Unknown("tensor.grad_fn")


def _count(parameter: Parameter) -> Value:
    count = 1
    for size in parameter.dims:
        if size is None:
            return Unknown("numel()")
        count *= size
    return count if parameter.dims else Unknown("numel()")


def _sizes(parameter: Parameter, call: Call) -> Value:
    sizes = tuple(Unknown("size") if size is None else size for size in parameter.dims)
    position = call.get(0, "dim", None)
    if position is None:
        return sizes or Unknown("size()")
    return (
        sizes[position]
        if isinstance(position, int) and -len(sizes) <= position < len(sizes)
        else Unknown("size")
    )


@method(Tensor, "cpu", "cuda", "to", "float", "half", "double", "bfloat16", "contiguous", "type")
def moved(machine: Machine, tensor: Tensor, call: Call) -> Value:
    """The same values elsewhere; a leaf that requires grad is a leaf no more."""
    if isinstance(tensor, Parameter) or tensor.requires_grad is not False:
        return machine.derived(tensor)
    return tensor


@method(Tensor, "register_hook", "retain_grad")
def hooked(machine: Machine, tensor: Tensor, call: Call) -> Value:
    """Somebody reads the gradient."""
    tensor.attributes["gradient read"] = True
    return Unknown("hook")


@function("torch.load", "torch.hub.load_state_dict_from_url", "torch.utils.model_zoo.load_url",
          "torchvision.models.utils.load_state_dict_from_url", "safetensors.torch.load_file",
          "torchvision._internally_replaced_utils.load_state_dict_from_url")  # fmt: skip
def load(machine: Machine, call: Call) -> Value:
    """Stored weights, or anything else that was saved."""
    return Unknown(f"{call.name.rpartition('.')[2]}(…)")


@function("torch.save", "torch.manual_seed", "torch.cuda.manual_seed_all", "torch.cuda.*", "torch.backends.*")
def harmless(machine: Machine, call: Call) -> Value:
    """What concerns neither flags nor modes."""
    return Unknown(f"{call.name}()")


@function("torch.cuda.is_available", "torch.backends.mps.is_available")
def is_available(machine: Machine, call: Call) -> Value:
    """Whatever the machine has: scripts are written for one with a GPU."""
    return Unknown(f"{call.name}()", True)


@constant("torch.pi")
def pi() -> Value:
    """The number."""
    return 3.141592653589793
