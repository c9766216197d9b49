"""The Trainer of transformers (and those that derive from it): it makes the optimizer, and calls
`model.train()` before every step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import (
    MISSING,
    Call,
    Function,
    Instance,
    Library,
    Method,
    Module,
    Optimizer,
    Unknown,
    Value,
)
from freezelint.source.semantics import training
from freezelint.source.vocabulary import function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_TRAINER = "transformers.Trainer"
ALIASES = {
    "transformers.Seq2SeqTrainer": _TRAINER,
    "transformers.trainer.Trainer": _TRAINER,
    "trl.SFTTrainer": _TRAINER,
    "transformers.Seq2SeqTrainingArguments": "transformers.TrainingArguments",
}


@function("transformers.TrainingArguments")
def arguments(machine: Machine, call: Call) -> Value:
    """The settings, as given."""
    return Instance(None, dict(call.kwargs), "transformers.TrainingArguments")


@function(_TRAINER)
def trainer(machine: Machine, call: Call) -> Value:
    """`Trainer(model=…, args=…)`."""
    made = Instance(None, {}, _TRAINER)
    construct(machine, Call(call.node, [made, *call.args], call.kwargs, complete=call.complete))
    return made


@function(f"{_TRAINER}.__init__")
def construct(machine: Machine, call: Call) -> Value:
    """The constructor, also as `super().__init__(*args, **kwargs)` of a class of the script."""
    owner = call.owner
    if not isinstance(owner, Instance):
        return None
    model = call.get(1, "model", None)
    maker = call.kwargs.get("model_init")
    if model is None and isinstance(maker, (Function, Method)):
        model = machine.call(maker)
    owner.attributes["model"] = model
    owner.attributes["args"] = call.get(2, "args", Unknown("args"))
    owner.attributes["callbacks"] = call.get(None, "callbacks", None)
    owner.attributes["_optimizers"] = call.get(None, "optimizers", (None, None))
    owner.attributes["optimizer"] = None
    return None


@function(f"{_TRAINER}.train")
def train(machine: Machine, call: Call) -> Value:
    """The training loop."""
    owner = call.owner
    model = owner.attributes.get("model") if isinstance(owner, Instance) else None
    if not isinstance(owner, Instance) or not isinstance(model, Module):
        return Unknown("train()")
    optimizer = _optimizer(machine, owner, model, call)
    callbacks = training.callbacks_in(owner.attributes.get("callbacks"))
    if optimizer is None:
        return Unknown("train()")
    _tell(machine, callbacks, "on_train_begin", owner, model)
    for _ in training.epochs(machine):
        _tell(machine, callbacks, "on_epoch_begin", owner, model)
        _tell(machine, callbacks, "on_step_begin", owner, model)
        training.into_train(machine, model, "transformers")  # so that a callback's `eval()` is undone
        training.one_step(machine, [optimizer], lambda: _loss(machine, owner, model))
        _tell(machine, callbacks, "on_epoch_end", owner, model)
    return Unknown("train()")


def _tell(machine: Machine, callbacks: list[Instance], event: str, owner: Instance, model: Module) -> None:
    arguments = owner.attributes.get("args", Unknown("args"))
    for callback in callbacks:
        training.hook(machine, callback, event, arguments, Unknown("state"), Unknown("control"), model=model)


def _loss(machine: Machine, owner: Instance, model: Module) -> Value:
    inputs = Unknown("inputs")
    if training.defines(owner, "compute_loss"):
        loss = training.hook(machine, owner, "compute_loss", model, inputs)
        return loss[0] if isinstance(loss, tuple) and loss else loss
    return machine.call(model, inputs)


@function(f"{_TRAINER}.compute_loss")
def compute_loss(machine: Machine, call: Call) -> Value:
    """`super().compute_loss(model, inputs)`."""
    model = call.args[1] if len(call.args) > 1 else Unknown("model")
    loss = machine.call(model, Unknown("inputs"))
    wants = machine.truth(call.kwargs.get("return_outputs", False))
    return (loss, loss) if wants else loss


def _optimizer(machine: Machine, owner: Instance, model: Module, call: Call) -> Optimizer | None:
    given = owner.attributes.get("_optimizers")
    if isinstance(given, (tuple, list)) and given and isinstance(given[0], Optimizer):
        return given[0]
    if isinstance(given, Unknown):
        return None
    if training.defines(owner, "create_optimizer"):
        made = training.hook(machine, owner, "create_optimizer")
        made = made if isinstance(made, Optimizer) else owner.attributes.get("optimizer")
        return made if isinstance(made, Optimizer) else None
    return create(machine, owner, model, call)


@function(f"{_TRAINER}.create_optimizer")
def create_optimizer(machine: Machine, call: Call) -> Value:
    """`super().create_optimizer()`."""
    owner = call.owner
    model = owner.attributes.get("model") if isinstance(owner, Instance) else None
    if isinstance(owner, Instance) and isinstance(model, Module):
        owner.attributes["optimizer"] = create(machine, owner, model, call)
    return owner.attributes.get("optimizer") if isinstance(owner, Instance) else None


def create(machine: Machine, owner: Instance, model: Module, call: Call) -> Optimizer | None:
    """AdamW over what is trainable, in two groups: with and without weight decay."""
    settings = owner.attributes.get("args")
    rate = _setting(settings, "learning_rate", 5e-5)
    decay = _setting(settings, "weight_decay", 0.0)
    trainable = [parameter for _, parameter in model.own_and_below() if parameter.requires_grad is not False]
    decaying = [parameter for parameter in trainable if len(parameter.dims) > 1]
    others = [parameter for parameter in trainable if len(parameter.dims) <= 1]
    groups = [{"params": decaying, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    made = machine.call_with(Library("torch.optim.AdamW"), Call(call.node, [groups], {"lr": rate}))
    return made if isinstance(made, Optimizer) else None


def _setting(settings: Value, name: str, default: Value) -> Value:
    if isinstance(settings, Instance):
        return settings.attributes.get(name, default if settings.kind else Unknown(name))
    return Unknown(name) if known(settings) is MISSING else default


@function(
    f"{_TRAINER}.evaluate",
    f"{_TRAINER}.predict",
    f"{_TRAINER}.save_model",
    f"{_TRAINER}.add_callback",
    f"{_TRAINER}.push_to_hub",
    f"{_TRAINER}.log",
    f"{_TRAINER}.save_state",
    f"{_TRAINER}.log_metrics",
)
def harmless(machine: Machine, call: Call) -> Value:
    """What concerns neither flags nor the next step's modes; callbacks that come later are kept."""
    owner = call.owner
    if call.name.endswith("add_callback") and isinstance(owner, Instance) and len(call.args) > 1:
        before = owner.attributes.get("callbacks")
        owner.attributes["callbacks"] = [*(before if isinstance(before, list) else []), call.args[1]]
    return Unknown(call.name)
