"""What models and optimizers are wrapped in: data parallelism, accelerate, Fabric, DeepSpeed, averages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from freezelint.source.interpreter.values import (
    Call,
    Context,
    Function,
    Instance,
    Intrinsic,
    Library,
    Method,
    Module,
    Optimizer,
    Unknown,
    Value,
)
from freezelint.source.semantics import groups, stepping, tensors
from freezelint.source.vocabulary import attribute, function
from freezelint.source.vocabulary.optimizers import stepped
from freezelint.source.vocabulary.scaling import consume

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_Run: TypeAlias = "Callable[[Machine, Call], Value]"

ALIASES = {
    "torch.nn.parallel.DataParallel": "torch.nn.DataParallel",
    "torch.nn.parallel.data_parallel.DataParallel": "torch.nn.DataParallel",
    "torch.nn.parallel.distributed.DistributedDataParallel": "torch.nn.parallel.DistributedDataParallel",
    "apex.parallel.distributed.DistributedDataParallel": "apex.parallel.DistributedDataParallel",
    "torch.distributed.fsdp.fully_sharded_data_parallel.": "torch.distributed.fsdp.",
    "torch.distributed._composable.fsdp.fully_shard": "torch.distributed.fsdp.fully_shard",
    "accelerate.accelerator.Accelerator": "accelerate.Accelerator",
    "lightning.fabric.Fabric": "lightning.Fabric",
    "lightning.fabric.fabric.Fabric": "lightning.Fabric",
    "lightning_fabric.Fabric": "lightning.Fabric",
    "timm.utils.model_ema.": "timm.utils.",
}


# -- several devices, compilation ----------------------------------------------------------------------------


@function(
    "torch.nn.DataParallel", "torch.nn.parallel.DistributedDataParallel",
    "apex.parallel.DistributedDataParallel", "fairscale.nn.data_parallel.ShardedDataParallel",
    "fairscale.nn.ShardedDataParallel",
)  # fmt: skip
def data_parallel(machine: Machine, call: Call) -> Value:
    """The model as `module` of a wrapper."""
    model = call.get(0, "module")
    return around(machine, model, call.name.rpartition(".")[2]) if isinstance(model, Module) else model


def around(machine: Machine, model: Module, class_name: str) -> Module:
    """A module that runs another one."""
    wrapper = Module(
        class_name, "torch", role="container", children={"module": model}, built=machine.location()
    )
    wrapper.bases = frozenset({"Module", class_name})
    wrapper.training = model.training
    wrapper.wraps = model
    wrapper.name = model.name
    return wrapper


@function(
    "torch.distributed.fsdp.FullyShardedDataParallel", "torch.distributed.fsdp.fully_shard",
    "torch.distributed.fsdp.wrap.wrap", "torch.distributed.fsdp.wrap.auto_wrap",
    "fairscale.nn.FullyShardedDataParallel", "torch.jit.script", "intel_extension_for_pytorch.optimize",
    "ipex.optimize", "torch._dynamo.optimize",
)  # fmt: skip
def same_model(machine: Machine, call: Call) -> Value:
    """A wrapper that shows the attributes and parameters of the model under their own names."""
    model = call.args[0] if call.args else call.kwargs.get("module", call.kwargs.get("model"))
    optimizer = call.kwargs.get("optimizer")
    return model if optimizer is None else (model, optimizer)


@function("torch.compile")
def compiled(machine: Machine, call: Call) -> Value:
    """Behaves as what is compiled; without a model it is a decorator."""
    model = call.get(0, "model", None)
    return Intrinsic("compile", lambda machine, call: call.get(0, "model")) if model is None else model


@attribute(Module, "_orig_mod")
def original(machine: Machine, module: Module) -> Value:
    """The model that was compiled: the module itself."""
    return module


@function(
    "torch.multiprocessing.spawn",
    "torch.multiprocessing.start_processes",
    "torch_xla.distributed.xla_multiprocessing.spawn",
)
def spawn(machine: Machine, call: Call) -> Value:
    """Each process runs the function; one of them stands for all."""
    given = call.get(1, "args", ())
    arguments = list(given) if isinstance(given, (list, tuple)) else [Unknown("args")]
    run = call.get(0, "fn")
    return machine.call(run, Unknown("rank", 0), *arguments) if isinstance(run, (Function, Method)) else None


@function(
    "accelerate.notebook_launcher", "accelerate.debug_launcher", "accelerate.launchers.notebook_launcher"
)
def launch(machine: Machine, call: Call) -> Value:
    """Runs the function."""
    given = call.get(1, "args", ())
    arguments = list(given) if isinstance(given, (list, tuple)) else [Unknown("args")]
    run = call.get(0, "function")
    return machine.call(run, *arguments) if isinstance(run, (Function, Method)) else None


@function("torch.distributed.*", "horovod.torch.*", "torch_xla.*", "torch.multiprocessing.*")
def distributed(machine: Machine, call: Call) -> Value:
    """Talking to the other processes changes no flag."""
    last = call.name.rpartition(".")[2]
    hints: dict[str, Value] = {
        "get_rank": 0, "rank": 0, "local_rank": 0, "get_world_size": 1, "size": 1, "is_initialized": False,
        "is_available": True, "is_nccl_available": True, "is_torchelastic_launched": False,
    }  # fmt: skip
    return Unknown(f"{last}()", hints[last]) if last in hints else Unknown(f"{last}()")


# -- accelerate and Fabric -----------------------------------------------------------------------------------

_ACCELERATOR_FACTS: dict[str, Value] = {
    "is_main_process": True, "is_local_main_process": True, "is_last_process": True, "sync_gradients": True,
    "num_processes": 1, "process_index": 0, "local_process_index": 0, "use_distributed": False,
    "optimizer_step_was_skipped": False, "is_global_zero": True, "global_rank": 0, "local_rank": 0,
    "world_size": 1, "gradient_accumulation_steps": 1,
}  # fmt: skip
_NOTHING = (
    "print", "log", "init_trackers", "end_training", "wait_for_everyone", "save", "save_state", "save_model",
    "free_memory", "clear", "register_for_checkpointing", "skip_first_batches", "unscale_gradients",
    "set_trigger", "check_trigger", "get_tracker", "barrier", "seed_everything", "get_state_dict",
    "register_save_state_pre_hook", "log_dict", "call", "register_load_state_pre_hook", "lomo_backward",
    "on_main_process", "join_uneven_inputs", "split_between_processes",
)  # fmt: skip
_SAME = (
    "gather", "gather_for_metrics", "reduce", "pad_across_processes", "unwrap_model", "prepare_model",
    "prepare_optimizer", "prepare_scheduler", "prepare_data_loader", "setup_dataloaders", "setup_module",
    "setup_optimizers", "to_device", "all_gather", "all_reduce", "broadcast",
)  # fmt: skip
_CONTEXTS = (
    "accumulate", "autocast", "no_sync", "main_process_first", "local_main_process_first", "profile",
    "no_backward_sync", "init_module", "init_tensor", "sharded_model", "rank_zero_first",
    "maybe_context_parallel",
)  # fmt: skip


@function("accelerate.Accelerator", "lightning.Fabric")
def accelerator(machine: Machine, call: Call) -> Value:
    """Hands back what it is given; starts backward."""
    made = Instance(None, kind=call.name)
    runs: dict[str, _Run] = {
        "prepare": _prepare, "setup": _prepare, "backward": _backward, "clip_grad_norm_": _clip,
        "clip_grad_value_": _clip,
        "clip_gradients": _clip_model, "load_state": _load, "launch": _launched(made),
    }  # fmt: skip
    runs.update(dict.fromkeys(_SAME, _prepare))
    runs.update(dict.fromkeys(_CONTEXTS, _context))
    runs.update(dict.fromkeys(_NOTHING, _nothing))
    for name, run in runs.items():
        made.attributes[name] = Intrinsic(name, run)
    for name, hint in _ACCELERATOR_FACTS.items():
        made.attributes[name] = Unknown(f"accelerator.{name}", hint)
    return made


def _prepare(machine: Machine, call: Call) -> Value:
    given = [
        *call.args,
        *(value for name, value in call.kwargs.items() if name in ("module", "model", "optimizer")),
    ]
    if not call.complete:
        return Unknown("prepared")
    return given[0] if len(given) == 1 else tuple(given)


def _backward(machine: Machine, call: Call) -> None:
    tensors.backward(machine, tensors.losses_in(call.get(0, "loss")))


def _clip(machine: Machine, call: Call) -> Value:
    consume(machine, call.get(0, "parameters"), call.name)
    return Unknown("total_norm")


def _clip_model(machine: Machine, call: Call) -> Value:
    return Unknown("total_norm")


def _context(machine: Machine, call: Call) -> Value:
    return Context(call.name)


def _nothing(machine: Machine, call: Call) -> Value:
    first = call.args[0] if call.args else None
    return first if call.name == "on_main_process" else Unknown(f"{call.name}()")


def _load(machine: Machine, call: Call) -> Value:
    """Weights come from a folder that nobody here knows."""
    for root in machine.recorder.stock.roots():
        for _, parameter in root.own_and_below():
            parameter.origin = "unknown"
    for optimizer in machine.recorder.optimizers:
        optimizer.state_known, optimizer.state_at_start = False, None
    return None


def _launched(fabric: Instance) -> _Run:
    def run(machine: Machine, call: Call) -> Value:
        chosen = call.args[0] if call.args else None
        return (
            machine.call(chosen, fabric, *call.args[1:]) if isinstance(chosen, (Function, Method)) else None
        )

    return run


# -- DeepSpeed -----------------------------------------------------------------------------------------------


@function("deepspeed.initialize")
def deepspeed(machine: Machine, call: Call) -> Value:
    """The engine, the optimizer, the loader and the schedule."""
    model, optimizer = call.get(1, "model"), call.get(2, "optimizer", None)
    schedule = call.kwargs.get("lr_scheduler")
    if not isinstance(optimizer, Optimizer):
        optimizer = _from_configuration(machine, call)
    loader = Unknown("loader")
    if not isinstance(model, Module):
        return Unknown("engine"), optimizer, loader, schedule
    engine = around(machine, model, "DeepSpeedEngine")

    def step(machine: Machine, call: Call) -> None:
        stepped(machine, optimizer)
        stepping.cleared(machine, optimizer, True)

    engine.attributes["backward"] = Intrinsic("backward", _backward)
    engine.attributes["step"] = Intrinsic("step", step)
    engine.attributes["optimizer"] = optimizer
    for name in (
        "save_checkpoint",
        "load_checkpoint",
        "is_gradient_accumulation_boundary",
        "save_16bit_model",
    ):
        engine.attributes[name] = Intrinsic(name, lambda machine, call: Unknown(f"{call.name}()"))
    return engine, optimizer, loader, schedule


def _from_configuration(machine: Machine, call: Call) -> Optimizer:
    """The optimizer that the configuration file names, over what is given or over the whole model."""
    given = call.get(3, "model_parameters", None)
    model = call.get(1, "model")
    optimizer = Optimizer("DeepSpeedOptimizer", [])
    if given is None and isinstance(model, Module):
        given = [parameter for _, parameter in model.own_and_below() if parameter.requires_grad is not False]
    if given is None:
        given = Unknown("model_parameters")
    groups.fill(machine, optimizer, given, {"lr": Unknown("lr")})
    groups.built(machine, optimizer)
    return optimizer


# -- averages of a model -------------------------------------------------------------------------------------


@function(
    "timm.utils.ModelEma", "timm.utils.ModelEmaV2", "timm.utils.ModelEmaV3",
    "torch.optim.swa_utils.AveragedModel", "ema_pytorch.EMA",
)  # fmt: skip
def average(machine: Machine, call: Call) -> Value:
    """A copy of the model that follows it, and that no optimizer holds."""
    model = call.get(0, "model")
    if not isinstance(model, Module):
        return Unknown("ema")
    copied = machine.call(Library("copy.deepcopy"), model)
    if not isinstance(copied, Module):
        return Unknown("ema")
    last = call.name.rpartition(".")[2]
    if last != "AveragedModel":
        for _, inner in copied.walk():
            inner.training, inner.training_cause = False, None
    if last in ("ModelEma", "ModelEmaV3", "EMA"):
        for _, parameter in copied.own_and_below():
            parameter.requires_grad, parameter.cause = False, None
    holder = around(machine, copied, last)
    holder.attributes.update(ema=copied, ema_model=copied)
    for name in ("update", "set", "update_parameters"):
        holder.attributes[name] = Intrinsic(name, _followed(copied))
    return holder


def _followed(copied: Module) -> _Run:
    def run(machine: Machine, call: Call) -> None:
        for _, parameter in copied.own_and_below():
            parameter.moved_by_hand = True

    return run


@function("torch_ema.ExponentialMovingAverage", "diffusers.training_utils.EMAModel", "diffusers.EMAModel")
def average_of_parameters(machine: Machine, call: Call) -> Value:
    """Keeps copies of the values; writes them back only for evaluation."""
    consume(machine, call.get(0, "parameters"), call.name.rpartition(".")[2])
    made = Instance(None, kind=call.name)
    for name in ("update", "step", "copy_to", "store", "restore", "to", "state_dict", "load_state_dict"):
        made.attributes[name] = Intrinsic(name, lambda machine, call: Unknown(f"{call.name}()"))
    made.attributes["average_parameters"] = Intrinsic("average_parameters", _context)
    return made


@function("torch.optim.swa_utils.update_bn", "torch.optim.swa_utils.get_ema_multi_avg_fn",
          "torch.optim.swa_utils.get_ema_avg_fn", "torch.optim.swa_utils.get_swa_avg_fn")  # fmt: skip
def averaging(machine: Machine, call: Call) -> Value:
    """How to average, and new statistics for the average."""
    return Unknown(call.name.rpartition(".")[2])
