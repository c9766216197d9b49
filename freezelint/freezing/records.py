"""What a call changed, so that it can be undone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from freezelint.freezing.modes import release, stay_in_eval, stays_in_eval


@dataclass(frozen=True)
class _ModeBefore:
    module: nn.Module
    stayed: bool
    training: bool


class Change:
    """What `freeze`, `unfreeze` and their like changed.

    `parameters` are the names that the call took (also those that already had the flag), `norms` the norm
    layers with running statistics that it put in eval or let go. `undo()` gives every flag, mode and
    momentum its earlier value; as a context manager the change lasts for the `with` block. Changes are undone
    in the opposite order. Gradients that a freeze dropped do not come back.
    """

    def __init__(self, model: nn.Module, frozen: bool) -> None:
        self.frozen = frozen
        self.parameters: tuple[str, ...] = ()
        self.norms: tuple[str, ...] = ()
        self._model = model
        self._model_trained = model.training
        self._flags: list[tuple[nn.Parameter, bool]] = []
        self._modes: list[_ModeBefore] = []
        self._momenta: list[tuple[nn.Module, object]] = []

    def flag(self, parameters: Iterable[tuple[str, nn.Parameter]], value: bool) -> None:
        """Set `requires_grad`. A frozen parameter loses its gradient: a zeroed one would still let momentum
        and weight decay move it. What cannot have a gradient (quantised weights) stays as it is.
        """
        names = dict.fromkeys(self.parameters)
        for name, parameter in parameters:
            if value and not (parameter.dtype.is_floating_point or parameter.dtype.is_complex):
                continue
            names[name] = None
            if parameter.requires_grad != value:
                self._flags.append((parameter, parameter.requires_grad))
                parameter.requires_grad = value  # what is lazy has no `requires_grad_` yet
            if not value:
                parameter.grad = None
        self.parameters = tuple(names)

    def hold(self, norms: Iterable[tuple[str, nn.Module]]) -> None:
        """Put norm layers in eval, to stay there."""
        for name, norm in norms:
            self._remember(name, norm)
            stay_in_eval(norm)

    def let_go(self, norms: Iterable[tuple[str, nn.Module]]) -> None:
        """Give norm layers that were held back to the model: into the mode that the model is in."""
        for name, norm in norms:
            self._remember(name, norm)
            if stays_in_eval(norm):
                release(norm)
                norm.train(self._model.training)

    def set_momentum(self, norm: nn.Module, momentum: float | None) -> None:
        """Set the momentum of a norm layer, where it has one."""
        if hasattr(norm, "momentum"):
            self._momenta.append((norm, norm.momentum))
            vars(norm)["momentum"] = momentum

    def undo(self) -> None:
        """Take the change back; a second call does nothing."""
        for parameter, value in reversed(self._flags):
            parameter.requires_grad = value
            if not value:
                parameter.grad = None
        for before in reversed(self._modes):
            self._restore(before)
        for norm, momentum in reversed(self._momenta):
            vars(norm)["momentum"] = momentum
        self._flags, self._modes, self._momenta = [], [], []

    def __enter__(self) -> Change:
        return self

    def __exit__(self, *_: object) -> None:
        self.undo()

    def __repr__(self) -> str:
        word = "froze" if self.frozen else "unfroze"
        norms = (
            f", {len(self.norms)} norm layers {'in' if self.frozen else 'out of'} eval" if self.norms else ""
        )
        return f"<Change: {word} {len(self.parameters)} parameters{norms}>"

    def _remember(self, name: str, norm: nn.Module) -> None:
        self.norms = tuple(dict.fromkeys((*self.norms, name)))
        self._modes.append(_ModeBefore(norm, stays_in_eval(norm), norm.training))

    def _restore(self, before: _ModeBefore) -> None:
        """Where a layer was in the mode of the model, it goes into the mode that the model is in now."""
        with_model = before.training == self._model_trained
        if before.stayed:
            stay_in_eval(before.module)
        else:
            release(before.module)
            before.module.train(self._model.training if with_model else before.training)
