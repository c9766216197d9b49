"""Callbacks for transformers' `Trainer`.

from freezelint import freezing
from freezelint.integrations.transformers import GradualUnfreezingCallback

freezing.freeze_all_but(model, "classifier")
trainer = Trainer(model=model, args=arguments, train_dataset=data)
trainer.add_callback(GradualUnfreezingCallback(trainer))
trainer.train()
"""

from __future__ import annotations

from typing import Any, Literal

try:
    from transformers import Trainer, TrainerCallback
except ImportError as error:
    raise ImportError(
        "freezelint.integrations.transformers needs transformers with torch and accelerate: "
        "pip install 'freezelint[transformers]' accelerate"
    ) from error
from torch.nn.parallel import DistributedDataParallel

from freezelint.freezing.gradual import GradualUnfreezing, check
from freezelint.freezing.modes import KeptMode, keep_frozen_in_eval

__all__ = ["GradualUnfreezingCallback", "KeepFrozenInEvalCallback"]


class GradualUnfreezingCallback(TrainerCallback):  # type: ignore[misc]
    """`freezing.GradualUnfreezing` inside a `Trainer`: what is trainable when the training starts is the
    head, and the other blocks are opened one by one, from the output to the input.

    Each becomes a group of the Trainer's own optimizer (two where weight decay is kept from norm layers and
    biases, as the Trainer does), and the Trainer's schedule goes on with it. Norm layers with running
    statistics of what is still frozen stay in eval, although the Trainer calls `model.train()` before every
    step; for dropout add `KeepFrozenInEvalCallback`. A resumed training opens what was open: the saved
    optimizer's groups tell it.

    - `trainer`: the Trainer that it is added to.
    - `every`: how many epochs (or, with `unit="step"`, optimizer steps) lie between two blocks.
    - `decay`, `norms` and `sample` as in `GradualUnfreezing`.

    Raises `ValueError` at the start of the training where everything or nothing of the last block is
    trainable, where the schedule is cyclic, and under DistributedDataParallel, FSDP and DeepSpeed, which fix
    what is trained before the first step; `decay`, `every` and `norms` out of range raise at once.
    """

    def __init__(
        self,
        trainer: Trainer,
        *,
        every: int = 1,
        unit: Literal["epoch", "step"] = "epoch",
        decay: float = 1 / 2.6,
        norms: Literal["follow", "frozen"] = "follow",
        sample: Any = None,
    ) -> None:
        check(decay, every, norms, unit)
        self._trainer = trainer
        self._unit = unit
        self._options: dict[str, Any] = {"every": every, "decay": decay, "norms": norms, "sample": sample}
        self._unfreezing: GradualUnfreezing | None = None
        self._optimizer: Any = None  # of `_unfreezing`
        self._epoch: int | None = None
        self._create_optimizer = trainer.create_optimizer
        # The one moment between the optimizer's making and the loading of its saved state, which has the
        # groups of the later stages: no event of the Trainer's lies there.
        trainer.create_optimizer = self._created

    @property
    def unfreezing(self) -> GradualUnfreezing | None:
        """What does the work; None before the training starts."""
        return self._unfreezing

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Freeze all but the head, or go on where a checkpoint was."""
        self._begin()
        self._epoch = None

    def on_epoch_begin(self, _: Any, state: Any, *__: Any, **___: Any) -> None:
        """Open what is due."""
        # The state counts in parts of an epoch; one that was cut short is over all the same.
        self._epoch = int(state.epoch + 1e-6) if self._epoch is None else self._epoch + 1
        if self._unit == "epoch" and self._unfreezing is not None:
            self._unfreezing.begin_epoch(self._epoch)

    def on_step_begin(self, _: Any, state: Any, *__: Any, **___: Any) -> None:
        """Open what is due."""
        if self._unit == "step" and self._unfreezing is not None:
            self._unfreezing.begin_epoch(state.global_step)

    def _created(self, *arguments: Any, **keywords: Any) -> Any:
        made = self._create_optimizer(*arguments, **keywords)
        optimizer = _inner(self._trainer.optimizer)
        if optimizer is not self._optimizer:
            self._unfreezing, self._optimizer = None, optimizer
            optimizer.register_load_state_dict_pre_hook(self._before_load)
        return made

    def _before_load(self, optimizer: Any, state: dict[str, Any]) -> None:
        """Open what was open when this state was saved, so that it has the same groups."""
        own = {group.get("name") for group in optimizer.param_groups}
        added = [name for group in state["param_groups"] if (name := group.get("name")) not in own]
        if added:
            self._begin().open_groups(added)

    def _begin(self) -> GradualUnfreezing:
        trainer = self._trainer
        if self._unfreezing is None:
            _refuse(trainer)
            optimizer = _inner(trainer.optimizer)
            schedule = trainer.lr_scheduler
            self._unfreezing = GradualUnfreezing(trainer.model, optimizer, schedule=schedule, **self._options)
        else:
            self._unfreezing.follow(trainer.lr_scheduler)
        return self._unfreezing


class KeepFrozenInEvalCallback(TrainerCallback):  # type: ignore[misc]
    """`freezing.keep_frozen_in_eval` for the time of a training: whatever is wholly frozen is in eval,
    dropout included, although the Trainer calls `model.train()` before every step. Follows each unfreezing.
    """

    def __init__(self) -> None:
        self._kept: KeptMode | None = None

    def on_train_begin(self, *_: Any, model: Any, **__: Any) -> None:
        """Make `train()` know what is frozen."""
        self.on_train_end()  # of a training that an exception ended
        self._kept = keep_frozen_in_eval(model)

    def on_train_end(self, *_: Any, **__: Any) -> None:
        """Give the model its own `train` back."""
        if self._kept is not None:
            self._kept.undo()
            self._kept = None


def _inner(optimizer: Any) -> Any:
    """The optimizer out of accelerate's wrapper."""
    return getattr(optimizer, "optimizer", optimizer)


def _refuse(trainer: Any) -> None:
    sharded = any(getattr(trainer, f"is_{name}_enabled", False) for name in ("fsdp", "deepspeed"))
    if sharded or isinstance(trainer.model_wrapped, DistributedDataParallel):
        raise ValueError(
            "gradual unfreezing needs one process: DistributedDataParallel, FSDP and DeepSpeed fix the set "
            "of trained parameters before the first step; train each stage with a Trainer of its own"
        )
