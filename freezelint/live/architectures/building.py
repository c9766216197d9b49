"""Building models on the meta device, and comparing two sizes of one model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from freezelint.live.architectures.describing import (
    Table,
    configuration_numbers,
    outermost,
    repeated_modules,
    tied_parameters,
)
from freezelint.live.architectures.stepping import Ran, step

# Constructors compute rates of stochastic depth and the like with these, and read the numbers.
_COMPUTED_WITH = {torch.linspace, torch.arange, torch.tensor}


class _NumbersOnProcessor(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in _COMPUTED_WITH and kwargs.get("device") is None:
            kwargs["device"] = "cpu"
        return func(*args, **kwargs)


def on_meta(construct: Callable[[], nn.Module]) -> nn.Module:
    """The model without memory."""
    try:
        with torch.device("meta"):
            model = construct()
    except (NotImplementedError, RuntimeError):
        with torch.device("meta"), _NumbersOnProcessor():
            model = construct()
    # Old ways to make a tensor take no notice of the device.
    stray = any(parameter.device.type != "meta" for parameter in model.parameters())
    return model.to("meta") if stray else model


# How a size follows the number of classes: [path of the parameter or attribute, axis or None, factor, offset]
Scaling = list[list[Any]]


def scaling(model: nn.Module, classes: int, other: nn.Module, others: int) -> Scaling:
    """What differs between a model with `classes` classes and the same one with `others`."""
    found: Scaling = []
    counterparts = dict(other.named_parameters())
    for name, parameter in model.named_parameters():
        counterpart = counterparts.get(name)
        if counterpart is None or counterpart.dim() != parameter.dim():
            continue
        for axis, (here, there) in enumerate(zip(parameter.shape, counterpart.shape, strict=True)):
            if here != there:
                found.append([name, axis, *_line(classes, here, others, there)])
    return found


def _line(x1: int, y1: int, x2: int, y2: int) -> tuple[int, int]:
    factor = (y2 - y1) // (x2 - x1)
    return factor, y1 - factor * x1


def described(
    table: Table,
    model: nn.Module,
    ran: Ran | None,
    classes: int | None = None,
    scales: Scaling | None = None,
    head: list[str] | None = None,
    extra: dict[str, int] | None = None,
) -> dict[str, Any]:
    """The record of an architecture, its nodes entered in the table. Empty parts are left out."""
    numbers = {**configuration_numbers(model), **(extra or {})}
    labelled = outermost(model, {name for name, *_ in scales or []})
    record: dict[str, Any] = {
        "root": table.add(model, numbers),
        "classes": classes,
        "tied": tied_parameters(model),
        "repeated": repeated_modules(model),
        "scaling": scales or [],
        "labelled": labelled,
        "head": labelled if head is None else head,
    }
    if record["head"] == labelled:
        record.pop("head")
    if ran is not None:
        record["ran"] = compact(model, ran)
    return {key: value for key, value in record.items() if value not in (None, [])}


def compact(model: nn.Module, ran: Ran) -> dict[str, Any]:
    """The order of calls as numbers of the modules that own parameters; only gaps where it is that of
    definition.
    """
    owners = [path for path, m in model.named_modules() if any(p is not None for p in m._parameters.values())]
    numbers = {path: number for number, path in enumerate(owners)}
    order = [numbers[path] for path in ran.called]
    compact: dict[str, Any] = {}
    if order == sorted(order):
        compact["skipped"] = sorted(set(range(len(owners))) - set(order))
    else:
        compact["steps"] = [here - before for before, here in zip([0, *order], order, strict=False)]
    compact["unused"] = outermost(model, ran.without_gradient)
    return {key: value for key, value in compact.items() if value}


class Observations:
    """What trees of the same modules have in common whatever their sizes: it is found out once."""

    def __init__(self) -> None:
        self._ran: dict[tuple[str, ...], Ran | None] = {}
        self._scales: dict[tuple[str, ...], Scaling] = {}

    def ran(self, model: nn.Module, observe: Callable[[], Ran | None]) -> Ran | None:
        """What `observe` tells of a training step of this model, or of one like it."""
        shape = _shape(model)
        if shape not in self._ran:
            self._ran[shape] = observe()
        return self._ran[shape]

    def scales(self, model: nn.Module, classes: int, construct: Callable[[int], nn.Module]) -> Scaling:
        """What follows the number of classes, given a way to build the model with another one."""
        shape = _shape(model)
        if shape not in self._scales:
            others = classes + 6
            other = on_meta(lambda: construct(others))
            self._scales[shape] = scaling(model, classes, other, others)
        return self._scales[shape]


def _shape(model: nn.Module) -> tuple[str, ...]:
    return tuple(f"{path} {type(module).__name__}" for path, module in model.named_modules())


class _Answers(TorchFunctionMode):
    """Answers no, or nought, to questions about values that are not there: is there padding, how long is the
    longest text?
    """

    def __init__(self, questions: dict[Any, Any]) -> None:
        super().__init__()
        self._questions = questions

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in self._questions and isinstance(args[0], torch.Tensor) and args[0].is_meta:
            return self._questions[func]
        return func(*args, **(kwargs or {}))


_ABOUT_PADDING: dict[Any, Any] = {
    torch.Tensor.__bool__: False,
    torch.Tensor.__contains__: False,
    torch.equal: False,
}
_ABOUT_VALUES: dict[Any, Any] = {
    **_ABOUT_PADDING,
    torch.Tensor.item: 0,
    torch.Tensor.__int__: 0,
    torch.Tensor.__index__: 0,
}


def run(model: nn.Module, loss: Callable[[nn.Module], torch.Tensor]) -> Ran | None:
    """See `stepping.step`. What a model makes without asking for a device is a number where that helps."""
    ran = step(model, loss)
    if ran is None:
        with _Answers(_ABOUT_PADDING):
            ran = step(model, loss)
    if ran is None:
        with _Answers(_ABOUT_VALUES):
            ran = _without_unused(step(model, loss))
    if ran is None:
        with torch.device("meta"), _Answers(_ABOUT_VALUES):
            ran = _without_unused(step(model, loss))
    return ran


def _without_unused(ran: Ran | None) -> Ran | None:
    """With other values other parts might have been used."""
    return None if ran is None else Ran(ran.called, [])
