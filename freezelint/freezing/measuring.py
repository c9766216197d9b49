"""Watching what reaches norm layers during forward passes, and leaving everything as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from freezelint.freezing.modes import set_mode
from freezelint.freezing.statistics import Pooled

# What runs a model on one batch, where `run` below does not fit.
Forward: TypeAlias = "Callable[[nn.Module, Any], Any]"


def measured(
    model: nn.Module,
    norms: Iterable[nn.Module],
    loader: Iterable[Any],
    forward: Forward | None,
    *,
    by_batch: bool,
) -> tuple[dict[nn.Module, Pooled], int]:
    """Statistics of the inputs of norm layers over all batches, and how many batches there were.

    The model is in eval, without gradients; with `by_batch` the layers themselves normalise with the
    statistics of the batch, as in training. Afterwards modes, buffers and random numbers are as before.
    Raises `ValueError` where the loader gives no batch.
    """
    pooled = {norm: Pooled(norm) for norm in norms}
    batches = 0
    with _watching(model, pooled, by_batch), torch.no_grad():
        for batch in loader:
            (forward or run)(model, batch)
            batches += 1
    if not batches:
        raise ValueError("the loader gave no batch: an iterator that was used before is empty")
    return pooled, batches


def run(model: nn.Module, batch: Any) -> Any:
    """The output for a batch: a tensor, a tuple or list whose first element is the input, or a dict of
    keyword arguments, moved to the device of the model's first parameter.
    """
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    if isinstance(batch, Mapping):
        return model(**{key: _moved(value, device) for key, value in batch.items()})
    if isinstance(batch, (tuple, list)):
        batch = batch[0]
    return model(_moved(batch, device))


@contextmanager
def _watching(model: nn.Module, pooled: dict[nn.Module, Pooled], by_batch: bool) -> Iterator[None]:
    flags = [(module, module.training) for module in model.modules()]
    kept = [(buffer, buffer.clone()) for buffer in model.buffers()]
    hooks = [
        norm.register_forward_pre_hook(_collect(statistics), with_kwargs=True)
        for norm, statistics in pooled.items()
    ]
    set_mode(model, False)
    for norm in pooled:
        norm.training = by_batch
    try:
        with torch.random.fork_rng(devices=_devices(model)):
            yield
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in flags:
            module.training = training
        with torch.no_grad():
            for buffer, before in kept:
                buffer.copy_(before)


def _collect(statistics: Pooled) -> Callable[..., None]:
    def hook(norm: nn.Module, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        values = next(iter((*inputs, *keywords.values())), None)
        if isinstance(values, Tensor):
            statistics.add(values, norm.get_buffer("running_mean").numel())

    return hook


def _moved(value: Any, device: torch.device) -> Any:
    return value.to(device) if isinstance(value, Tensor) else value


def _devices(model: nn.Module) -> list[int]:
    """The GPUs whose random numbers the pass could use."""
    return sorted(
        {p.device.index for p in model.parameters() if p.device.type == "cuda" and p.device.index is not None}
    )
