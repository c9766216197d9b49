"""Modes that last: layers that stay in eval through `model.train()`, and a train mode that knows what is
frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from freezelint.freezing.layers import has_parameters
from freezelint.freezing.patterns import unwrapped

_TRAIN = "train"


class StaysInEval:
    """Stands in the place of one module's `train` and leaves the module in eval.

    `model.train()` descends by calling `train` on every child, so an attribute of that name on the instance
    is what it meets. A hook that puts the layer back at each forward would let `module.training` lie in
    between, and would never run where code calls `batch_norm` with the layer's tensors; another class in
    place of the layer's would change `type(module)`. An attribute of the instance is part of its `__dict__`:
    it goes along through `copy.deepcopy`, pickling, `to()`, `torch.compile` and DistributedDataParallel
    (which keep the module), and leaves `state_dict` alone. What makes new modules loses it: convert
    (`SyncBatchNorm.convert_sync_batchnorm`) or script first, then freeze. Whoever unpickles a whole model
    needs freezelint.
    """

    def __init__(self, module: nn.Module, before: Callable[..., Any] | None = None) -> None:
        self.module = module
        self.before = before

    def __call__(self, mode: bool = True) -> nn.Module:
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        set_mode(self.module, False)
        return self.module


class TrainsWhatIsTrainable:
    """Stands in the place of a model's `train`: after it, what is wholly frozen is in eval."""

    def __init__(self, module: nn.Module, before: Callable[..., Any] | None = None) -> None:
        self.module = module
        self.before = before

    def __call__(self, mode: bool = True) -> nn.Module:
        own = self.before if self.before is not None else type(self.module).train.__get__(self.module)
        own(mode)
        if mode:
            _put_frozen_in_eval(self.module)
        return self.module


def stays_in_eval(module: nn.Module) -> bool:
    """Whether a module was told to stay in eval."""
    return isinstance(vars(module).get(_TRAIN), StaysInEval)


def stay_in_eval(module: nn.Module) -> None:
    """Put a module in eval, from now on whatever `train()` says."""
    if not stays_in_eval(module):
        vars(module)[_TRAIN] = StaysInEval(module, vars(module).get(_TRAIN))
    set_mode(module, False)


def release(module: nn.Module) -> None:
    """Let `train()` reach a module again; its mode stays as it is."""
    if stays_in_eval(module):
        _put_back(module)


def set_mode(module: nn.Module, training: bool) -> None:
    """Set the flag of a module and of all inside it, whatever their `train` does."""
    for each in module.modules():
        each.training = training


@contextmanager
def train_mode(model: nn.Module) -> Iterator[nn.Module]:
    """Train what is trainable: for the time of the `with` block the model is in train mode, and every part
    of it whose parameters are all frozen is in eval, norm layers and dropout alike.

    A module without parameters (dropout, a norm layer with `affine=False`) goes with the nearest module
    around it that has some. Afterwards each module has its own flag back. Flags are set once, on entering: a
    `model.train()` inside the block undoes them (`keep_frozen_in_eval` lasts).

        with freezing.train_mode(model):
            train_one_epoch(model, optimizer, loader)

    Source: torch documentation, `torch.nn.Module.train` and `BatchNorm2d`.
    """
    before = _Modes(model)
    try:
        model.train()
        _put_frozen_in_eval(model)
        yield model
    finally:
        before.restore()


class _Modes:
    """The flag of every module of a model, and which ones stayed in eval."""

    def __init__(self, model: nn.Module) -> None:
        self._trained = model.training
        self._flags = [(module, module.training, stays_in_eval(module)) for module in model.modules()]

    def restore(self) -> None:
        """Give the flags back. What was told meanwhile to stay in eval does; what was let go is as the
        model.
        """
        for module, training, stayed in self._flags:
            module.training = (self._trained if stayed else training) and not stays_in_eval(module)


class KeptMode:
    """What `keep_frozen_in_eval` returns: `undo()` takes it back, and so does the end of a `with` block.

    What an earlier call keeps is not taken back by a later one.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._before: _Modes | None = _Modes(model)
        self._own: TrainsWhatIsTrainable | None = None
        if not isinstance(vars(model).get(_TRAIN), TrainsWhatIsTrainable):
            self._own = TrainsWhatIsTrainable(model, vars(model).get(_TRAIN))
            vars(model)[_TRAIN] = self._own

    def undo(self) -> None:
        """Give the model its own `train` back, and each module the flag that it had. Once."""
        if self._before is None:
            return
        if self._own is not None and vars(self._model).get(_TRAIN) is self._own:
            _put_back(self._model)
        self._before.restore()
        self._before = None

    def __enter__(self) -> KeptMode:
        return self

    def __exit__(self, *_: object) -> None:
        self.undo()


def keep_frozen_in_eval(model: nn.Module) -> KeptMode:
    """Make `model.train()` mean from now on what `train_mode` does: what is wholly frozen at that moment goes
    to eval, all else to train mode.

    The parts are looked up at each call, so that a later freeze or unfreeze is followed by the next
    `train()`. The model is put in that mode at once if it is in train mode. Lives on the instance, as
    `StaysInEval` explains. Trainers that call `train()` before every step (transformers) need exactly this
    where a frozen part has dropout.
    """
    model = unwrapped(model)
    kept = KeptMode(model)
    if model.training:
        _put_frozen_in_eval(model)
    return kept


def follow_flags(model: nn.Module, trained: Iterable[nn.Module]) -> None:
    """Put the modules that train mode is for into it, and what is wholly frozen in eval."""
    for module in trained:
        module.training = not stays_in_eval(module)
    _put_frozen_in_eval(model)


def _put_back(module: nn.Module) -> None:
    stand_in = vars(module).pop(_TRAIN)
    if stand_in.before is not None:
        vars(module)[_TRAIN] = stand_in.before


def _put_frozen_in_eval(module: nn.Module) -> None:
    """Put the outermost wholly frozen modules in eval."""
    if not any(p.requires_grad for p in module.parameters()):
        set_mode(module, False)
        return
    for child in module.children():
        if has_parameters(child):
            _put_frozen_in_eval(child)
