"""Callbacks for Lightning's `Trainer`, of `lightning` and of `pytorch_lightning` (the one that is imported
already; `lightning` where both are, or none).

    from freezelint import freezing
    from freezelint.integrations.lightning import GradualUnfreezingCallback

    trainer = Trainer(max_epochs=4, callbacks=[GradualUnfreezingCallback()])
    trainer.fit(module, loader)  # whose `configure_optimizers` takes the head's parameters
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Literal

from torch import nn

from freezelint.freezing.gradual import GradualUnfreezing, check
from freezelint.freezing.modes import KeptMode, follow_flags, keep_frozen_in_eval, stays_in_eval

__all__ = ["GradualUnfreezingCallback", "KeepFrozenInEvalCallback"]


def _library() -> Any:
    for name in sorted(("lightning.pytorch", "pytorch_lightning"), key=lambda name: name not in sys.modules):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ImportError("freezelint.integrations.lightning needs Lightning: pip install lightning")


_Callback: Any = _library().Callback


class GradualUnfreezingCallback(_Callback):  # type: ignore[misc]
    """`freezing.GradualUnfreezing` inside a Lightning `Trainer`: what the optimizer of `configure_optimizers`
    holds when the training starts is the head, and everything else is frozen; the other blocks are opened
    one by one, from the output to the input.

    Each becomes a group of the same optimizer, and the module's schedules go on with it. Norm layers with
    running statistics of what is still frozen are in eval and stay there; for dropout add
    `KeepFrozenInEvalCallback` behind this. The state is in the checkpoint: `fit(ckpt_path=…)` goes on with
    it.

    - `every`: how many epochs (or, with `unit="step"`, optimizer steps) lie between two blocks.
    - `decay`, `norms` and `sample` as in `GradualUnfreezing`; the model is the whole `LightningModule`.
    - `optimizer`: its position, where `configure_optimizers` returns several.

    Raises `ValueError` when the training starts where the optimizer holds everything, or nothing of the last
    block, where a schedule is cyclic, and under strategies that wrap the model (DDP, FSDP, DeepSpeed), which
    fix what is trained before the first step; `decay`, `every` and `norms` out of range raise at once.
    """

    def __init__(
        self,
        *,
        every: int = 1,
        unit: Literal["epoch", "step"] = "epoch",
        decay: float = 1 / 2.6,
        norms: Literal["follow", "frozen"] = "follow",
        sample: Any = None,
        optimizer: int = 0,
    ) -> None:
        check(decay, every, norms, unit)
        self._unit = unit
        self._options: dict[str, Any] = {"every": every, "decay": decay, "norms": norms, "sample": sample}
        self._position = optimizer
        self._unfreezing: GradualUnfreezing | None = None
        self._loaded: dict[str, Any] | None = None

    @property
    def unfreezing(self) -> GradualUnfreezing | None:
        """What does the work; None before the training starts."""
        return self._unfreezing

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Freeze all but the head, or go on where a checkpoint was, whose optimizer is loaded after this."""
        if trainer.strategy.model is not pl_module:
            raise ValueError(
                f"gradual unfreezing needs one process: {type(trainer.strategy).__name__} fixes the set of "
                "trained parameters before the first step; train each stage with a Trainer of its own"
            )
        optimizers = trainer.optimizers
        if not -len(optimizers) <= self._position < len(optimizers):
            raise ValueError(
                f"there is no optimizer {self._position}: `configure_optimizers` returned {len(optimizers)}"
            )
        optimizer = optimizers[self._position]
        schedules = [
            each.scheduler for each in trainer.lr_scheduler_configs if each.scheduler.optimizer is optimizer
        ]
        self._unfreezing = GradualUnfreezing(pl_module, optimizer, schedule=schedules, **self._options)
        if self._loaded is not None:
            self._unfreezing.load_state_dict(self._loaded)
            self._loaded = None

    def on_train_epoch_start(self, trainer: Any, _: Any) -> None:
        """Open what is due."""
        if self._unit == "epoch" and self._unfreezing is not None:
            self._unfreezing.begin_epoch(trainer.current_epoch)

    def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
        """Open what is due; by epochs too, for one that a resumed training begins is not announced."""
        if self._unfreezing is not None:
            by_step = self._unit == "step"
            self._unfreezing.begin_epoch(trainer.global_step if by_step else trainer.current_epoch)

    def state_dict(self) -> dict[str, Any]:
        """The stage, for a checkpoint."""
        return {} if self._unfreezing is None else self._unfreezing.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The stage of a checkpoint, kept until there is an optimizer."""
        self._loaded = state_dict or None


class KeepFrozenInEvalCallback(_Callback):  # type: ignore[misc]
    """`freezing.keep_frozen_in_eval` for the time of a training: whatever is wholly frozen is in eval,
    dropout included, and a part that is unfrozen goes back to train mode with the next batch. List it behind
    the callbacks that freeze and unfreeze. Modules that were in eval before stay there.
    """

    def __init__(self) -> None:
        self._kept: KeptMode | None = None
        self._flags: tuple[bool, ...] = ()
        self._trained: set[nn.Module] = set()

    def on_train_start(self, _: Any, pl_module: Any) -> None:
        """Make `train()` know what is frozen."""
        self.on_train_end()  # of a training that an exception ended
        self._trained = {module for module in pl_module.modules() if module.training}
        self._flags = _flags(pl_module)
        self._kept = keep_frozen_in_eval(pl_module)

    def on_train_batch_start(self, _: Any, pl_module: Any, *__: Any) -> None:
        """Follow what was frozen and unfrozen since the last batch: Lightning calls no `train()`."""
        flags = _flags(pl_module)
        if flags != self._flags:
            self._flags = flags
            self._trained.update(module for module in pl_module.modules() if module.training)
            follow_flags(pl_module, self._trained)

    def on_train_end(self, *_: Any) -> None:
        """Give the model its own `train` back."""
        if self._kept is not None:
            self._kept.undo()
            self._kept = None
            for module in self._trained:
                module.training = not stays_in_eval(module)


def _flags(model: nn.Module) -> tuple[bool, ...]:
    return tuple(p.requires_grad for p in model.parameters())
