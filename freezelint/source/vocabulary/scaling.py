"""Loss scaling, autocast, clipping, and what turns parameters into one vector and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter.values import (
    Call,
    Context,
    Function,
    Instance,
    Intrinsic,
    Parameter,
    Tensor,
    Unknown,
    Value,
)
from freezelint.source.semantics import tensors
from freezelint.source.vocabulary import function
from freezelint.source.vocabulary.optimizers import stepped

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

ALIASES = {
    "torch.cuda.amp.GradScaler": "torch.amp.GradScaler",
    "torch.cuda.amp.grad_scaler.GradScaler": "torch.amp.GradScaler",
    "torch.amp.grad_scaler.GradScaler": "torch.amp.GradScaler",
    "torch.distributed.fsdp.sharded_grad_scaler.ShardedGradScaler": "torch.amp.GradScaler",
    "torch.cuda.amp.autocast": "torch.autocast",
    "torch.cuda.amp.autocast_mode.autocast": "torch.autocast",
    "torch.cpu.amp.autocast": "torch.autocast",
    "torch.amp.autocast": "torch.autocast",
    "torch.amp.autocast_mode.autocast": "torch.autocast",
    "torch.nn.utils.clip_grad.": "torch.nn.utils.",
    "torch.nn.utils.convert_parameters.": "torch.nn.utils.",
    "timm.utils.cuda.NativeScaler": "timm.utils.NativeScaler",
}


@function("torch.amp.GradScaler")
def grad_scaler(machine: Machine, call: Call) -> Value:
    """A scaler: `scale` keeps the graph, `step` steps the optimizer."""
    scaler = Instance(None, kind=call.name)
    for name, run in (("scale", _scale), ("step", _step)):
        scaler.attributes[name] = Intrinsic(name, run)
    for name in ("unscale_", "update", "load_state_dict"):
        scaler.attributes[name] = Intrinsic(name, lambda machine, call: None)
    for name in ("state_dict", "get_scale"):
        scaler.attributes[name] = Intrinsic(name, lambda machine, call: Unknown(f"scaler.{call.name}()"))
    scaler.attributes["is_enabled"] = Intrinsic(
        "is_enabled", lambda machine, call: Unknown("scaler.is_enabled()", True)
    )
    return scaler


def _scale(machine: Machine, call: Call) -> Value:
    loss = call.get(0, "outputs")
    if isinstance(loss, (list, tuple)):
        return [machine.derived(each) if isinstance(each, Tensor) else each for each in loss]
    return machine.derived(loss) if isinstance(loss, Tensor) else loss


def _step(machine: Machine, call: Call) -> Value:
    return stepped(machine, call.get(0, "optimizer"))


@function("timm.utils.NativeScaler", "timm.utils.ApexScaler")
def native_scaler(machine: Machine, call: Call) -> Value:
    """`loss_scaler(loss, optimizer, …)`: backward, clipping and a step in one."""
    harmless = {
        name: Intrinsic(name, lambda machine, call: Unknown(f"scaler.{call.name}()"))
        for name in ("state_dict", "load_state_dict")
    }
    return Instance(None, {"__call__": Intrinsic("loss_scaler", _scaled_step), **harmless}, call.name)


def _scaled_step(machine: Machine, call: Call) -> None:
    tensors.backward(machine, tensors.losses_in(call.get(0, "loss")))
    clipped = call.kwargs.get("parameters")
    if clipped is not None:
        machine.elements(clipped, "clip_grad_norm_")
    if machine.truth(call.kwargs.get("need_update", True)) is not False:
        stepped(machine, call.get(1, "optimizer"))


@function("torch.autocast")
def autocast(machine: Machine, call: Call) -> Value:
    """Half precision changes no flag and no graph."""
    first = call.args[0] if call.args else None
    return first if isinstance(first, Function) else Context(call.name)


@function(
    "torch.cuda.amp.custom_fwd", "torch.cuda.amp.custom_bwd", "torch.amp.custom_fwd", "torch.amp.custom_bwd"
)
def custom_function(machine: Machine, call: Call) -> Value:
    """Decorators of `torch.autograd.Function`."""
    first = call.args[0] if call.args else None
    return first if first is not None else Context(call.name)


@function(
    "torch.nn.utils.clip_grad_norm_", "torch.nn.utils.clip_grad_value_", "torch.nn.utils.clip_grad_norm",
    "torch.nn.utils.clip_grads_with_norm_", "timm.utils.dispatch_clip_grad", "timm.utils.adaptive_clip_grad",
)  # fmt: skip
def clip(machine: Machine, call: Call) -> Value:
    """Reads its parameters to the end: a spent iterator has none."""
    consume(machine, call.get(0, "parameters"), call.name.rpartition(".")[2])
    return Unknown("total_norm")


def consume(machine: Machine, parameters: Value, consumer: str) -> list[Value]:
    """The parameters that a function reads; none where they are not known."""
    if isinstance(parameters, Tensor):
        return [parameters]
    return [] if isinstance(parameters, str) else machine.elements(parameters, consumer) or []


@function("torch.nn.utils.get_total_norm", "torch.nn.utils.parameters_to_vector")
def to_vector(machine: Machine, call: Call) -> Value:
    """All parameters in one tensor, still in the graph."""
    members = consume(machine, call.get(0, "parameters"), call.name.rpartition(".")[2])
    return machine.derived(*members) if members else Tensor(requires_grad=None)


@function("torch.nn.utils.vector_to_parameters")
def from_vector(machine: Machine, call: Call) -> None:
    """Writes every parameter."""
    for parameter in consume(machine, call.get(1, "parameters"), "vector_to_parameters"):
        if isinstance(parameter, Parameter):
            parameter.moved_by_hand = True
