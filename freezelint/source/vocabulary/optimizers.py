"""Optimizers: those of torch.optim, and the usual ones of other libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter import calls
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import (
    Call,
    Class,
    Context,
    Intrinsic,
    Library,
    Method,
    Module,
    Optimizer,
    Unknown,
    Value,
)
from freezelint.source.semantics import groups, stepping, tensors
from freezelint.source.semantics.optimizer_classes import TORCH, class_of
from freezelint.source.vocabulary import assignment, attribute, function, method

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

ALIASES = {
    **{f"torch.optim.{name.lower()}.": "torch.optim." for name in TORCH},
    "torch.optim.sparse_adam.": "torch.optim.",
    "torch.optim._adafactor.": "torch.optim.",
    "torch.optim._muon.": "torch.optim.",
    "torch.optim.optimizer.": "torch.optim.",
    "torch.optim._multi_tensor.": "torch.optim.",
    "transformers.optimization.AdamW": "transformers.AdamW",
    "transformers.optimization.Adafactor": "transformers.Adafactor",
    "bitsandbytes.optim.adam.": "bitsandbytes.optim.",
    "bitsandbytes.optim.adamw.": "bitsandbytes.optim.",
    "timm.optim.optim_factory.": "timm.optim.",
    "timm.optim._optim_factory.": "timm.optim.",
    "timm.optim._param_groups.": "timm.optim.",
    "timm.optim.param_groups.": "timm.optim.",
    "timm.optim.lookahead.": "timm.optim.",
    "timm.optim.lamb.": "timm.optim.",
    "timm.optim.adamp.": "timm.optim.",
    "timm.optim.rmsprop_tf.": "timm.optim.",
    "deepspeed.ops.adam.": "deepspeed.ops.",
    "deepspeed.ops.lion.": "deepspeed.ops.",
    "deepspeed.ops.lamb.": "deepspeed.ops.",
    "fairscale.optim.oss.": "fairscale.optim.",
}

# Packages that hold nothing but optimizers and what belongs to them.
_PACKAGES = (
    "torch.optim", "bitsandbytes.optim", "timm.optim", "apex.optimizers", "torch_optimizer",
    "pytorch_optimizer", "deepspeed.ops", "fairscale.optim", "lion_pytorch", "adan_pytorch", "prodigyopt",
    "dadaptation", "schedulefree", "came_pytorch", "adabelief_pytorch", "ranger", "madgrad", "ademamix",
    "adamp", "sophia", "torchopt", "sam", "torch.distributed.optim", "pytorch_lamb", "lookahead", "ranger21",
    "galore_torch", "apollo_torch", "muon",
)  # fmt: skip
_NAMES = {name.lower(): name for name in TORCH} | {"momentum": "SGD", "nesterov": "SGD"}


@function(*(f"{package}.*" for package in _PACKAGES), "transformers.AdamW", "transformers.Adafactor")
def optimizer_class(machine: Machine, call: Call) -> Value:
    """The constructor of an optimizer, or of a wrapper around one."""
    last = call.name.rpartition(".")[2]
    first = call.args[0] if call.args else next(iter(call.kwargs.values()), None)
    if isinstance(first, Optimizer):  # Lookahead and the like: the same parameters, stepped once
        return first
    if not last[:1].isupper() or last.endswith(("LR", "Scheduler")) or (not call.args and not call.kwargs):
        return calls.unknown(machine, call.name, call)
    return _made(machine, call.name, call)


def _made(machine: Machine, name: str, call: Call, shown: str = "") -> Optimizer:
    optimizer = Optimizer(shown or name.rpartition(".")[2], [])
    groups.construct(machine, optimizer, name, call)
    return optimizer


@function("torch.optim.__dict__")
def chosen_class(machine: Machine, call: Call) -> Value:
    """`optim.__dict__[name](…)` with a name that nobody knows."""
    return _made(machine, "torch.optim.Optimizer", call)


@function("torch.distributed.optim.ZeroRedundancyOptimizer", "fairscale.optim.OSS")
def sharded(machine: Machine, call: Call) -> Value:
    """An optimizer of the class that is given, over a part of the state on each rank."""
    chosen = call.kwargs.pop("optimizer_class", call.kwargs.pop("optim", None))
    if chosen is None and len(call.args) > 1:
        chosen = call.args.pop(1)
    return _made(machine, chosen.name if isinstance(chosen, Library) else "torch.optim.Optimizer", call)


@function("torch.optim.Optimizer.__init__")
def base_constructor(machine: Machine, call: Call) -> None:
    """`super().__init__(params, defaults)` of an optimizer class of the script."""
    optimizer = call.args[0] if call.args else None
    if isinstance(optimizer, Optimizer):
        defaults = known(call.get(2, "defaults", {}))
        groups.fill(
            machine, optimizer, call.get(1, "params"), dict(defaults) if isinstance(defaults, dict) else {}
        )
        optimizer.stateful = True
        groups.built(machine, optimizer)


@function(*(f"torch.optim.{name}.__init__" for name in TORCH))
def derived_constructor(machine: Machine, call: Call) -> None:
    """`super().__init__(params, lr=…)` of a class of the script that extends one of torch's."""
    optimizer = call.args[0] if call.args else None
    if not isinstance(optimizer, Optimizer) or optimizer.cls is None:
        return
    names = [machine.vocabulary.canonical(library.name) for library in optimizer.cls.libraries()]
    name = next((name for name in names if name.rpartition(".")[2] in TORCH), "torch.optim.Optimizer")
    groups.construct(machine, optimizer, name, call, skip=1)


# -- what an optimizer does ----------------------------------------------------------------------------------


@method(Optimizer, "step", "second_step")
def step(machine: Machine, optimizer: Optimizer, call: Call) -> Value:
    """One step; a closure runs first, as often as it needs to."""
    closure = call.get(0, "closure", None)
    loss: Value = None
    if closure is not None and not isinstance(closure, (Unknown, bool)) and not _is_data(closure):
        loss = machine.call(closure)
    stepping.taken(machine, optimizer)
    if call.name == "second_step" and machine.truth(call.get(0, "zero_grad", False)):
        stepping.cleared(machine, optimizer, True)
    return loss


def _is_data(value: Value) -> bool:
    return isinstance(value, (Optimizer, Library, int, float, str, list, dict))


@method(Optimizer, "first_step")
def first_step(machine: Machine, optimizer: Optimizer, call: Call) -> None:
    """Sharpness-aware minimisation moves the weights, and moves them back in `second_step`."""
    if machine.truth(call.get(0, "zero_grad", False)):
        stepping.cleared(machine, optimizer, True)


@method(Optimizer, "zero_grad")
def zero_grad(machine: Machine, optimizer: Optimizer, call: Call) -> None:
    """Gradients become None, or zeros."""
    stepping.cleared(machine, optimizer, machine.truth(call.get(0, "set_to_none", True)))


@method(Optimizer, "add_param_group")
def add_param_group(machine: Machine, optimizer: Optimizer, call: Call) -> None:
    """One more group."""
    groups.extended(machine, optimizer, call.get(0, "param_group"))


@method(Optimizer, "backward")
def backward(machine: Machine, optimizer: Optimizer, call: Call) -> None:
    """Wrappers for half precision start backward themselves."""
    tensors.backward(machine, tensors.losses_in(call.get(0, "loss")))


@attribute(Optimizer, "param_groups")
def param_groups(machine: Machine, optimizer: Optimizer) -> Value:
    """The list of groups itself."""
    return optimizer.groups


@assignment(Optimizer, "param_groups")
def set_param_groups(machine: Machine, optimizer: Optimizer, value: Value) -> None:
    """Wrappers show the groups of the optimizer inside."""
    if isinstance(value, list) and all(isinstance(group, dict) for group in value):
        optimizer.groups = value
    else:
        optimizer.complete = False


@attribute(Optimizer, "state")
def state(machine: Machine, optimizer: Optimizer) -> Value:
    """What it keeps for each parameter."""
    return stepping.state_of(optimizer)


@assignment(Optimizer, "state")
def set_state(machine: Machine, optimizer: Optimizer, value: Value) -> None:
    """State that comes from elsewhere."""
    optimizer.attributes["state"] = value
    optimizer.state_known = False


@attribute(Optimizer, "optimizer", "base_optimizer", "optim")
def inner(machine: Machine, optimizer: Optimizer) -> Value:
    """What a wrapper wraps: here, wrappers are the optimizer itself."""
    return NotImplemented if optimizer.cls is not None else optimizer


@method(Optimizer, "state_dict")
def state_dict(machine: Machine, optimizer: Optimizer, call: Call) -> Value:
    """The state, as something to store."""
    return Unknown("optimizer.state_dict()")


@method(Optimizer, "load_state_dict")
def load_state_dict(machine: Machine, optimizer: Optimizer, call: Call) -> None:
    """State and settings from elsewhere: what is in them is not known."""
    optimizer.state_known = False
    optimizer.state_at_start = None


@method(
    Optimizer, "train", "eval", "share_memory", "register_step_pre_hook", "register_step_post_hook",
    "synchronize", "clip_master_grads", "update_master_grads", "consolidate_state_dict", "master_params",
)  # fmt: skip
def harmless(machine: Machine, optimizer: Optimizer, call: Call) -> Value:
    """What changes neither groups nor parameters."""
    return Unknown(f"optimizer.{call.name}()")


# -- factories -----------------------------------------------------------------------------------------------


@function("timm.optim.create_optimizer")
def timm_create_optimizer(machine: Machine, call: Call) -> Value:
    """`create_optimizer(args, model)`: everything is in the arguments of the script."""
    settings = call.get(0, "args")
    named = {
        name: machine.get(settings, name)
        for name in ("opt", "lr", "weight_decay", "momentum", "layer_decay")
        if machine.has(settings, name) is not False
    }
    if known(named.get("layer_decay")) is None:
        named.pop("layer_decay", None)
    filters = call.get(2, "filter_bias_and_bn", True)
    model = call.get(1, "model")
    return timm_create(machine, Call(call.node, [model], {**named, "filter_bias_and_bn": filters}, call.name))


@function("timm.optim.create_optimizer_v2")
def timm_create(machine: Machine, call: Call) -> Value:
    """`create_optimizer_v2(model, opt="adamw", lr=…, weight_decay=…)`."""
    model = call.get(0, "model_or_params")
    chosen = known(call.get(1, "opt", "sgd"))
    decay, momentum = call.get(3, "weight_decay", 0.0), call.get(4, "momentum", 0.9)
    name = chosen.lower().split("_")[-1] if isinstance(chosen, str) else ""
    shown = _NAMES.get(name, chosen if isinstance(chosen, str) else "Optimizer")
    full = f"torch.optim.{shown}" if shown in TORCH else f"timm.optim.{shown}"
    rate = call.get(2, "lr", None)
    arguments: dict[str, Value] = {"weight_decay": decay}
    if "momentum" in dict(class_of(full).fields):
        arguments["momentum"] = momentum
    if rate is not None:
        arguments["lr"] = rate
    given = model
    if isinstance(model, Module):
        chosen_groups = _timm_groups(machine, model, call, decay)
        given = chosen_groups
    return _made(machine, full, Call(call.node, [given], arguments, full), shown)


def _timm_groups(machine: Machine, model: Module, call: Call, decay: Value) -> Value:
    making = call.kwargs.get("param_group_fn")
    if making is not None:
        return machine.call(making, model)
    layered = call.kwargs.get("layer_decay")
    if layered is not None:
        return layer_decay_groups(machine, Call(call.node, [model], {"weight_decay": decay}, call.name))
    filters = machine.truth(call.get(6, "filter_bias_and_bn", True))
    if filters is False or known(decay) == 0:
        return [parameter for _, parameter in model.own_and_below()]
    return weight_decay_groups(machine, Call(call.node, [model, decay], {}, call.name))


@function("timm.optim.param_groups_weight_decay")
def weight_decay_groups(machine: Machine, call: Call) -> Value:
    """What is trainable, in a group without weight decay (biases, norms) and one with it."""
    model, decay = call.get(0, "model"), call.get(1, "weight_decay", 1e-5)
    if not isinstance(model, Module):
        return Unknown("groups")
    without: list[Value] = []
    others: list[Value] = []
    for path, parameter in model.own_and_below():
        if parameter.requires_grad is not False:
            bare = path.endswith(".bias") or (bool(parameter.dims) and len(parameter.dims) <= 1)
            (without if bare else others).append(parameter)
    chosen = [{"params": without, "weight_decay": 0.0}, {"params": others, "weight_decay": decay}]
    return [group for group in chosen if group["params"]]


@function("timm.optim.param_groups_layer_decay")
def layer_decay_groups(machine: Machine, call: Call) -> Value:
    """What is trainable, with rates that fall from layer to layer: by how much is not followed."""
    model = call.get(0, "model")
    if not isinstance(model, Module):
        return Unknown("groups")
    trainable = [parameter for _, parameter in model.own_and_below() if parameter.requires_grad is not False]
    return [{"params": trainable, "lr": Unknown("lr"), "weight_decay": call.get(1, "weight_decay", 0.05)}]


@function(
    "horovod.torch.DistributedOptimizer",
    "byteps.torch.DistributedOptimizer",
    "apex.fp16_utils.FP16_Optimizer",
)
def wrapped(machine: Machine, call: Call) -> Value:
    """A wrapper that steps the optimizer it is given."""
    return call.get(0, "optimizer")


@function("apex.amp.initialize")
def apex_initialize(machine: Machine, call: Call) -> Value:
    """Gives back the models and the optimizers."""
    models, optimizers = call.get(0, "models"), call.get(1, "optimizers", None)
    return models if optimizers is None else (models, optimizers)


@function("apex.amp.scale_loss")
def apex_scale_loss(machine: Machine, call: Call) -> Value:
    """`with amp.scale_loss(loss, optimizer) as scaled:`."""
    loss = call.get(0, "loss")
    return Context(call.name, value=loss if isinstance(loss, Unknown) else machine.derived(loss))


@function("apex.amp.master_params")
def apex_master_params(machine: Machine, call: Call) -> Value:
    """The parameters of an optimizer."""
    optimizer = call.get(0, "optimizer")
    return groups.parameters_of(optimizer) if isinstance(optimizer, Optimizer) else Unknown("master_params")


def stepped(machine: Machine, optimizer: Value) -> Value:
    """`optimizer.step()`, on behalf of a scaler or an engine, whatever kind of optimizer it is."""
    if isinstance(optimizer, (Library, Intrinsic, Class)) or optimizer is None:
        return None
    run = machine.get(optimizer, "step")
    return machine.call(run) if isinstance(run, Method) else None
