"""fastai: learners are recognised as training loops; what they freeze is theirs, and stays unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter.values import Call, Instance, Module, Unknown, Value
from freezelint.source.vocabulary import function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_LEARNER = "fastai.Learner"
_MAKERS = [
    "Learner",
    "cnn_learner",
    "vision_learner",
    "unet_learner",
    "text_classifier_learner",
    "language_model_learner",
    "tabular_learner",
    "collab_learner",
]
_PLACES = [
    "fastai",
    "fastai.vision",
    "fastai.vision.all",
    "fastai.vision.learner",
    "fastai.text.all",
    "fastai.learner",
    "fastai.basics",
    "fastai.tabular.all",
    "fastai.text",
    "fastai.callback.all",
]
_TRAINING = [
    "freeze",
    "unfreeze",
    "freeze_to",
    "fit",
    "fit_one_cycle",
    "fine_tune",
    "fit_flat_cos",
    "fit_sgdr",
]
_OTHER = [
    "lr_find",
    "validate",
    "predict",
    "get_preds",
    "show_results",
    "save",
    "load",
    "export",
    "summary",
    "recorder",
    "to_fp16",
    "to_fp32",
]


@function(
    *(f"{place}.{name}" for place in _PLACES for name in _MAKERS if f"{place}.{name}" != _LEARNER), _LEARNER
)
def learner(machine: Machine, call: Call) -> Value:
    """A learner around a model; a model of the script's own is in its hands from now on."""
    model = next((value for value in (*call.args, *call.kwargs.values()) if isinstance(value, Module)), None)
    attributes = {"model": model if model is not None else Unknown("learn.model")}
    return Instance(None, attributes, _LEARNER)


@function(*(f"{_LEARNER}.{name}" for name in _TRAINING))
def trains(machine: Machine, call: Call) -> Value:
    """fastai freezes by its own parameter groups and keeps norm layers trained: nothing is said of it."""
    owner = call.owner
    model = owner.attributes.get("model") if isinstance(owner, Instance) else None
    if isinstance(model, Module):
        for _, parameter in model.own_and_below():
            parameter.requires_grad = parameter.cause = None
    machine.limit(
        "fastai's Learner",
        "it freezes and trains by rules of its own, which are not followed",
        machine.location(),
    )
    return None


@function(*(f"{_LEARNER}.{name}" for name in _OTHER))
def harmless(machine: Machine, call: Call) -> Value:
    """What trains nothing; some of it returns the learner."""
    return call.owner if call.name.endswith(("to_fp16", "to_fp32")) else Unknown(call.name)
