"""Learning rate schedules: torch's, those of transformers and timm, and classes that extend torch's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter import calls
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import (
    Call,
    Function,
    Instance,
    Intrinsic,
    Items,
    Method,
    Optimizer,
    Schedule,
    Unknown,
    Value,
)
from freezelint.source.semantics import groups, schedule_uses, scheduling
from freezelint.source.semantics.rates import number
from freezelint.source.vocabulary import attribute, function, method

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

ALIASES = {
    "torch.optim.lr_scheduler._LRScheduler": "torch.optim.lr_scheduler.LRScheduler",
    "torch.optim.lr_scheduler._LRScheduler.": "torch.optim.lr_scheduler.LRScheduler.",
    "torch.optim.swa_utils.SWALR": "torch.optim.lr_scheduler.SWALR",
    "transformers.optimization.": "transformers.",
    "timm.scheduler.cosine_lr.": "timm.scheduler.",
    "timm.scheduler.step_lr.": "timm.scheduler.",
    "timm.scheduler.scheduler_factory.": "timm.scheduler.",
}

_TRANSFORMERS = (
    "constant_schedule", "constant_schedule_with_warmup", "linear_schedule_with_warmup",
    "cosine_schedule_with_warmup", "cosine_with_hard_restarts_schedule_with_warmup",
    "polynomial_decay_schedule_with_warmup", "inverse_sqrt_schedule",
    "cosine_with_min_lr_schedule_with_warmup", "wsd_schedule", "reduce_on_plateau_schedule",
    "adafactor_schedule", "scheduler",
)  # fmt: skip
# Where an object of a class of the script keeps what is known of it as a schedule: no name a script can use.
_HIDDEN = "as a schedule"


@function(
    "torch.optim.lr_scheduler.*", "timm.scheduler.*", "warmup_scheduler.*", "warmup_scheduler_pytorch.*",
    "pytorch_warmup.*", "pl_bolts.optimizers.lr_scheduler.*", "flash.core.optimizers.*",
    "torch_optimizer.lr_scheduler.*", "pytorch_optimizer.lr_scheduler.*", "cosine_annealing_warmup.*",
    "deepspeed.runtime.lr_schedules.*",
)  # fmt: skip
def schedule_class(machine: Machine, call: Call) -> Value:
    """The constructor of a schedule, or a factory of one."""
    return made_schedule(machine, call.name.rpartition(".")[2], call)


@function("timm.scheduler.create_scheduler", "timm.scheduler.create_scheduler_v2")
def timm_scheduler(machine: Machine, call: Call) -> Value:
    """Gives the schedule and the number of epochs."""
    return made_schedule(machine, "CosineLRScheduler with warmup", call), Unknown("num_epochs")


@function(*(f"transformers.get_{name}" for name in _TRANSFORMERS))
def transformers_schedule(machine: Machine, call: Call) -> Value:
    """A LambdaLR; with a warm-up the first rate is zero."""
    name = call.name.rpartition(".")[2]
    kind = known(call.get(0, "name")) if name == "get_scheduler" else name
    warm = call.get(1 if name != "get_scheduler" else 2, "num_warmup_steps", 0)
    if warm is None or (isinstance(kind, str) and "constant" in kind and "warmup" not in kind):
        warm = 0
    steps = number(warm)
    shown = name if "warmup" in name else f"{name} (warmup)"
    return made_schedule(
        machine, "LambdaLR" if steps == 0 else shown, call, details={scheduling.WARM_UP: steps}
    )


def made_schedule(
    machine: Machine,
    name: str,
    call: Call,
    receiver: Instance | None = None,
    details: dict[str, Value] | None = None,
) -> Value:
    """A schedule of this class over the optimizer among the arguments; `details` are attributes that say how
    it is set up.
    """
    optimizer = _optimizer_in(call)
    if optimizer is None and receiver is None and not name[:1].isupper():
        return calls.unknown(machine, call.name, call)
    schedule = Schedule(name, None, call)
    if optimizer is None:
        return schedule
    optimizer = schedule.optimizer = groups.sharing(machine, optimizer)
    recorder = machine.recorder
    recorder.register(optimizer)
    recorder.rates.before_step(optimizer)
    event = recorder.event("schedule-built", optimizer=optimizer, name=name)
    schedule.built = event if event >= 0 else None
    schedule.holders = schedule_uses.holders_here(machine, call)
    recorder.schedules.append(schedule)
    schedule.attributes.update(_lambdas(schedule, optimizer) if details is None else details)
    if receiver is None:
        scheduling.start(machine, schedule, optimizer)
    else:
        _start_own(machine, schedule, optimizer, receiver)
    recorder.rates.changed(optimizer, event, schedule)
    return schedule


def _optimizer_in(call: Call) -> Optimizer | None:
    """The optimizer that a schedule is for; a chain of schedules may only name its schedules."""
    for value in [*call.args, *call.kwargs.values()]:
        if isinstance(value, Optimizer):
            return value
        if isinstance(value, (list, tuple)) and value and isinstance(value[0], Schedule):
            return value[0].optimizer
        if isinstance(value, Schedule):
            return value.optimizer
    return None


def _lambdas(schedule: Schedule, optimizer: Optimizer) -> dict[str, Value]:
    """The functions of a LambdaLR, one for each group."""
    if schedule.class_name not in ("LambdaLR", "MultiplicativeLR"):
        return {}
    given = schedule.call.get(1, "lr_lambda")
    if isinstance(given, (list, tuple)):
        return {"lr_lambdas": list(given)}
    return {} if isinstance(given, (Unknown, Items)) else {"lr_lambdas": [given] * len(optimizer.groups)}


@method(Schedule, "step", "step_update")
def step(machine: Machine, schedule: Schedule, call: Call) -> None:
    """The next rates. In the passes that stand for all later ones nobody knows which step this is."""
    optimizer = schedule.optimizer
    if optimizer is None:
        return
    recorder = machine.recorder
    recorder.register(optimizer)
    if not any(other is schedule for other in recorder.schedules):  # of an earlier trace
        schedule.built = None
        recorder.schedules.append(schedule)
    recorder.rates.before_step(optimizer)
    schedule.stepped += 1
    late = any(loop.late for loop in machine.loops)
    epoch = None if late or "epoch unknown" in schedule.attributes else schedule.stepped
    if epoch is None or (call.args and schedule.class_name != "ReduceLROnPlateau"):
        schedule.attributes["epoch unknown"], epoch = True, None
    problem = scheduling.advance(machine, schedule, optimizer, epoch)
    event = recorder.event("schedule-stepped", optimizer=optimizer, name=schedule.class_name, value=problem)
    recorder.rates.changed(optimizer, event, schedule)


@method(Schedule, "get_last_lr", "get_lr", "_get_epoch_values", "get_epoch_values")
def rates(machine: Machine, schedule: Schedule, call: Call) -> Value:
    """The rates as they are."""
    if schedule.optimizer is None:
        return Unknown("get_last_lr()")
    return [group.get("lr", Unknown("lr")) for group in schedule.optimizer.groups]


@method(Schedule, "state_dict", "load_state_dict", "print_lr", "dampening")
def harmless(machine: Machine, schedule: Schedule, call: Call) -> Value:
    """What changes no rate; a loaded schedule stands somewhere else."""
    if call.name == "load_state_dict":
        schedule.attributes["epoch unknown"] = True
    return Unknown(f"scheduler.{call.name}()")


# -- classes of the script that extend a schedule of torch ---------------------------------------------------


@function(
    *(f"torch.optim.lr_scheduler.{name}.__init__" for name in (
        "LRScheduler", "LambdaLR", "MultiplicativeLR", "StepLR", "MultiStepLR", "ConstantLR", "LinearLR",
        "ExponentialLR", "PolynomialLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR",
        "OneCycleLR", "ReduceLROnPlateau",
    ))
)  # fmt: skip
def own_class(machine: Machine, call: Call) -> None:
    """`super().__init__(optimizer, last_epoch)`: rates come from the class's own `get_lr`."""
    instance = call.args.pop(0) if call.args else None
    if isinstance(instance, Instance) and instance.cls is not None:
        instance.attributes[_HIDDEN] = None
        schedule = made_schedule(machine, instance.cls.name, call, instance)
        instance.attributes[_HIDDEN] = schedule


def _start_own(machine: Machine, schedule: Schedule, optimizer: Optimizer, instance: Instance) -> None:
    for group in optimizer.groups:
        group.setdefault("initial_lr", group.get("lr", Unknown("lr")))
    bases = [group["initial_lr"] for group in optimizer.groups]
    instance.attributes.update(optimizer=optimizer, base_lrs=bases, last_epoch=0, _step_count=1)
    schedule.attributes["epoch unknown"] = True
    _own_rates(machine, optimizer, instance)


def _own_rates(machine: Machine, optimizer: Optimizer, instance: Instance) -> None:
    """Write the rates that `get_lr` of the script gives; unknown ones where it does not say."""
    run = machine.get(instance, "get_lr")
    given = machine.call(run) if isinstance(run, Method) and isinstance(run.function, Function) else None
    values = machine.elements(given) if isinstance(given, (list, tuple, Items)) else None
    for position, group in enumerate(optimizer.groups):
        if values is None:
            group["lr"] = Unknown("lr")
        elif position < len(values):
            group["lr"] = values[position]


@attribute(Instance, "step")
def own_step(machine: Machine, instance: Instance) -> Value:
    """The inherited `step` of a schedule class of the script."""
    schedule = instance.attributes.get(_HIDDEN)
    if not isinstance(schedule, Schedule) or schedule.optimizer is None:
        return NotImplemented

    def run(machine: Machine, call: Call) -> None:
        optimizer = schedule.optimizer
        if optimizer is None:
            return
        machine.recorder.rates.before_step(optimizer)
        schedule.stepped += 1
        instance.attributes["last_epoch"] = Unknown("last_epoch", late=True)
        _own_rates(machine, optimizer, instance)
        event = machine.recorder.event("schedule-stepped", optimizer=optimizer, name=schedule.class_name)
        machine.recorder.rates.changed(optimizer, event, schedule)

    return Method(Intrinsic("step", run), instance)


@attribute(Instance, "get_last_lr", "state_dict", "load_state_dict")
def own_rates(machine: Machine, instance: Instance) -> Value:
    """What a schedule class of the script inherits."""
    return NotImplemented if _HIDDEN not in instance.attributes else Unknown("rates")
