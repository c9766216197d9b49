"""Lightning: modules, and the trainer that runs their steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter.values import Call, Instance, Module, Optimizer, Tensor, Unknown, Value
from freezelint.source.semantics import escapes, training
from freezelint.source.vocabulary import builds, function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

ALIASES = {
    "pytorch_lightning.": "lightning.",
    "lightning.pytorch.": "lightning.",
    "lightning.core.": "lightning.",
    "lightning.core.lightning.": "lightning.",
    "lightning.core.module.": "lightning.",
    "lightning.trainer.": "lightning.",
    "lightning.trainer.trainer.": "lightning.",
}
_TRAINER = "lightning.Trainer"
_MODULE = "lightning.LightningModule"


@builds(_MODULE)
def module(machine: Machine, module: Module, call: Call) -> None:
    """`super().__init__()` of a LightningModule."""
    module.role = "container"


@function(f"{_MODULE}.save_hyperparameters")
def save_hyperparameters(machine: Machine, call: Call) -> Value:
    """The arguments of the constructor become `self.hparams`."""
    receiver, scope = call.owner, machine.frame.scope
    if isinstance(receiver, Module):
        given = {
            name: value
            for name, value in scope.items()
            if value is not receiver and not name.startswith("__")
        }
        names = [name for name in call.args[1:] if isinstance(name, str)]
        ignored = call.kwargs.get("ignore", [])
        ignored = (
            [ignored] if isinstance(ignored, str) else ignored if isinstance(ignored, (list, tuple)) else []
        )
        chosen = {k: v for k, v in given.items() if (k in names if names else k not in ignored)}
        receiver.attributes["hparams"] = Instance(None, chosen, "lightning.hparams")
    return None


@function(f"{_MODULE}.freeze", f"{_MODULE}.unfreeze")
def freeze(machine: Machine, call: Call) -> Value:
    """All parameters, and the mode with them."""
    receiver = call.owner
    if isinstance(receiver, Module):
        frozen = call.name.endswith(".freeze")
        parameters = [parameter for _, parameter in receiver.own_and_below()]
        machine.recorder.flag(parameters, not frozen, receiver)
        machine.call(machine.get(receiver, "eval" if frozen else "train"))
    return None


@function(f"{_MODULE}.optimizers")
def optimizers(machine: Machine, call: Call) -> Value:
    """What `configure_optimizers` made."""
    receiver = call.owner
    made = receiver.attributes.get("_optimizers") if isinstance(receiver, Module) else None
    if isinstance(made, list) and made:
        return made[0] if len(made) == 1 else list(made)
    return Unknown("self.optimizers()")


@function(f"{_MODULE}.manual_backward")
def manual_backward(machine: Machine, call: Call) -> Value:
    """`self.manual_backward(loss)`."""
    loss = call.args[1] if len(call.args) > 1 else Unknown("loss")
    if isinstance(loss, (Tensor, Unknown)):
        machine.call(machine.get(loss, "backward"))
    return None


@function(f"{_MODULE}.log", f"{_MODULE}.log_dict", f"{_MODULE}.print", f"{_MODULE}.lr_schedulers",
          f"{_MODULE}.toggle_optimizer", f"{_MODULE}.untoggle_optimizer", f"{_MODULE}.clip_gradients",
          f"{_MODULE}.all_gather", f"{_MODULE}.register_buffer_")  # fmt: skip
def harmless(machine: Machine, call: Call) -> Value:
    """What concerns neither flags nor modes."""
    return Unknown(call.name)


@function(f"{_MODULE}.load_from_checkpoint")
def load_from_checkpoint(machine: Machine, call: Call) -> Value:
    """A module with stored weights."""
    from freezelint.source.interpreter.functions import instantiate
    from freezelint.source.interpreter.values import Class
    from freezelint.source.semantics import trees

    cls = call.owner if call.args else None
    if not isinstance(cls, Class):
        return Unknown("load_from_checkpoint(…)")
    made = instantiate(machine, cls, Call(call.node, [], dict(call.kwargs), complete=False))
    if isinstance(made, Module):
        trees.mark(made, "pretrained")
    return made


@function(_TRAINER)
def trainer(machine: Machine, call: Call) -> Value:
    """`Trainer(callbacks=[…])`."""
    return Instance(None, dict(call.kwargs), _TRAINER)


@function(f"{_TRAINER}.fit")
def fit(machine: Machine, call: Call) -> Value:
    """Runs the training loop on a module of the script."""
    owner = call.owner
    model = call.args[1] if len(call.args) > 1 else call.kwargs.get("model")
    if isinstance(model, Module) and model.cls is not None:
        callbacks = owner.attributes.get("callbacks", []) if isinstance(owner, Instance) else []
        run_module(machine, model, callbacks)
    return None


@function(f"{_TRAINER}.validate", f"{_TRAINER}.test", f"{_TRAINER}.predict", f"{_TRAINER}.save_checkpoint")
def no_training(machine: Machine, call: Call) -> Value:
    """Modes are restored afterwards, flags left alone."""
    return Unknown(call.name)


def run_module(machine: Machine, model: Module, callbacks: Value = ()) -> None:
    """What `fit` does: the hooks of the module, its optimizers, and steps in a few epochs."""
    training.hook(machine, model, "prepare_data")
    training.hook(machine, model, "setup", "fit")
    _callbacks(machine, model, callbacks)
    if not training.defines(model, "configure_optimizers"):
        return
    made = training.optimizers_in(training.hook(machine, model, "configure_optimizers"))
    model.attributes["_optimizers"] = made
    if not made:
        return
    training.hook(machine, model, "on_fit_start")
    training.hook(machine, model, "on_train_start")
    automatic = machine.truth(machine.get(model, "automatic_optimization", True)) is not False
    for epoch in training.epochs(machine):
        model.attributes["current_epoch"] = epoch
        training.hook(machine, model, "on_train_epoch_start")
        training.hook(machine, model, "on_epoch_start")
        _batch(machine, model, made, automatic=automatic)
        training.hook(machine, model, "on_train_epoch_end")


def _batch(machine: Machine, model: Module, optimizers: list[Optimizer], *, automatic: bool) -> None:
    batch = Unknown("batch")
    training.hook(machine, model, "on_train_batch_start", batch, 0)
    if automatic:
        training.one_step(
            machine, optimizers, lambda: training.hook(machine, model, "training_step", batch, 0)
        )
    else:
        training.hook(machine, model, "training_step", batch, 0)


def _callbacks(machine: Machine, model: Module, callbacks: Value) -> None:
    """A callback that freezes or unfreezes by itself makes unknown what is trained when."""
    values = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
    for callback in values:
        name = str(getattr(callback, "text", "")) + str(getattr(getattr(callback, "cls", None), "name", ""))
        if "inetun" in name or "reez" in name:
            escapes.escaped(machine, [model], name.partition("(")[0] or "a callback")
