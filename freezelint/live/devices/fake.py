"""Tensors without values: a step of any size in no memory, with scripts none the wiser.

Whatever asks for a value gets an answer that lets training go on: 1 for numbers (a rate or a count that is
divided by), no for questions (`if torch.isnan(loss)`), yes for `isfinite`. Where a result's size depends on
values, all elements count as chosen.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)
from torch.utils._pytree import tree_map
from torch.utils.data import DataLoader

from freezelint.live.patching import Patches

Says = Callable[[str, str], None]
Handlers = dict[Any, Callable[[Any, Any, Any], Any]]
_YES = "_holds"  # set on tensors whose elements are all taken for true
_aten = torch.ops.aten
_LEGACY = {
    "Float": torch.float32,
    "Double": torch.float64,
    "Half": torch.float16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Byte": torch.uint8,
    "Bool": torch.bool,
}


@contextmanager
def faked(patches: Patches, says: Says) -> Iterator[Handlers]:
    """Make every new tensor a fake one. Gives what a function mode has to answer in place of torch."""
    says("values", "tensors were fake, with shapes but no values: what moves, and by how much, was not seen")
    _keep_in_one_process(patches)
    _write_no_files(patches, says)
    patches.replace(torch.Tensor, "__format__", _format)
    patches.replace(torch.Tensor, "__array__", _array)
    patches.replace(nn.Module, "_apply", _apply)
    patches.replace(FakeTensor, "__deepcopy__", _deepcopy)
    for name, dtype in _LEGACY.items():
        patches.replace(torch, f"{name}Tensor", _legacy(dtype))
    scale = torch.amp.GradScaler.__init__

    def unscaled(scaler: Any, *args: Any, **kwargs: Any) -> None:
        scale(scaler, *args, **{**kwargs, "enabled": False})

    patches.replace(torch.amp.GradScaler, "__init__", unscaled)
    with _Mode(allow_non_fake_inputs=True):
        yield _handlers()


class _Mode(FakeTensorMode):  # type: ignore[no-untyped-call]
    """Fake tensors that answer where torch's own would refuse because the answer depends on values."""

    def dispatch(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace == "aten" and func._opname.startswith("_fused_"):
            return None  # fused optimizers write in place, past the fake tensors, to memory that is not there
        try:
            # torch's own reckoning of shapes means what it says with device="meta".
            with torch._C.DisableTorchFunction():
                return super().dispatch(func, types, args, kwargs or {})
        except (DataDependentOutputException, DynamicOutputShapeException):
            answer = _ANSWERS.get(func)
            if answer is None:
                raise
            return answer(*args, **(kwargs or {}))


def _scalar(tensor: torch.Tensor) -> bool | int | float | complex:
    if tensor.dtype is torch.bool:
        return getattr(tensor, _YES, False)
    if tensor.is_complex():
        return 1 + 0j
    return 1.0 if tensor.is_floating_point() else 1


def _nonzero(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.new_empty((tensor.numel(), tensor.dim()), dtype=torch.int64)


def _unique(
    tensor: torch.Tensor, _sorted: bool = True, return_inverse: bool = False, return_counts: bool = False
) -> tuple[torch.Tensor, ...]:
    count = tensor.numel()
    inverse = tensor.new_empty(tensor.shape if return_inverse else 0, dtype=torch.int64)
    return tensor.new_empty(count), inverse, inverse.new_empty(count if return_counts else 0)


def _bincount(tensor: torch.Tensor, weights: torch.Tensor | None = None, minlength: int = 0) -> torch.Tensor:
    dtype = torch.int64 if weights is None else torch.float64
    return tensor.new_empty(max(minlength, 2), dtype=dtype)  # every element is 1


def _masked_select(tensor: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    shape: tuple[int, ...] = torch.broadcast_shapes(tensor.shape, mask.shape)  # type: ignore[no-untyped-call]
    return tensor.new_empty(math.prod(shape))


_ANSWERS: dict[Any, Callable[..., Any]] = {
    _aten._local_scalar_dense.default: _scalar,
    _aten.equal.default: lambda one, other: one.shape == other.shape,
    _aten.allclose.default: lambda *_, **__: True,
    _aten.nonzero.default: _nonzero,
    _aten._unique2.default: _unique,
    _aten.bincount.default: _bincount,
    _aten.masked_select.default: _masked_select,
}


def _handlers() -> Handlers:
    tensor = torch.Tensor
    found: Handlers = {
        torch.tensor: _tensor,
        tensor.numpy: _numpy,
        tensor.tolist: _tolist,
        tensor.data_ptr: lambda _func, args, _kwargs: args[0].untyped_storage()._cdata,
        torch.isfinite: lambda func, args, kwargs: _holding(func(*args, **kwargs), True),
        tensor.isfinite: lambda func, args, kwargs: _holding(func(*args, **kwargs), True),
    }
    for same in (torch.all, torch.any, tensor.all, tensor.any):
        found[same] = lambda func, args, kwargs: _holding(func(*args, **kwargs), _holds(args[0]))
    for opposite in (torch.logical_not, tensor.logical_not, tensor.__invert__, torch.bitwise_not):
        found[opposite] = lambda func, args, kwargs: _holding(func(*args, **kwargs), not _holds(args[0]))
    return found


def _holds(tensor: Any) -> bool:
    return bool(getattr(tensor, _YES, False))


def _holding(result: Any, holds: bool) -> Any:
    if holds and isinstance(result, FakeTensor):
        setattr(result, _YES, True)
    return result


def _tensor(func: Any, args: Any, kwargs: Any) -> Any:
    """`torch.tensor([loss.detach() for …])` reads the memory of what the list holds."""
    if isinstance(args[0], (list, tuple)):
        args = (tree_map(lambda v: v.tolist() if isinstance(v, FakeTensor) else v, args[0]), *args[1:])
    if kwargs.get("device") is not None:
        kwargs = {**kwargs, "device": "cpu"}
    return func(*args, **kwargs)


def _numpy(func: Any, args: Any, kwargs: Any) -> Any:
    tensor = args[0]
    if not isinstance(tensor, FakeTensor):
        return func(*args, **kwargs)
    import numpy

    kind = str(tensor.dtype).removeprefix("torch.")
    return numpy.full(tuple(tensor.shape), _scalar(tensor), dtype=kind if hasattr(numpy, kind) else "float32")


def _tolist(func: Any, args: Any, _kwargs: Any) -> Any:
    tensor = args[0]
    return _nested(tuple(tensor.shape), _scalar(tensor)) if isinstance(tensor, FakeTensor) else func(*args)


def _nested(shape: tuple[int, ...], value: Any) -> Any:
    return [_nested(shape[1:], value) for _ in range(shape[0])] if shape else value


def _format(tensor: torch.Tensor, spec: str) -> str:
    return format(tensor.item(), spec) if tensor.dim() == 0 else str(tensor)


def _array(tensor: torch.Tensor, dtype: Any = None, **_: Any) -> Any:
    values = tensor.detach().numpy()
    return values if dtype is None else values.astype(dtype, copy=False)


def _apply(module: nn.Module, change: Callable[[Any], Any], recurse: bool = True) -> nn.Module:
    """`Module.to` and its kind; torch's own swaps fake parameters, which references to them forbid."""
    for child in module.children() if recurse else ():
        _apply(child, change)
    with torch.no_grad():
        for name, parameter in module._parameters.items():
            if parameter is None or (changed := change(parameter)) is parameter:
                continue
            if changed.dtype == parameter.dtype:
                parameter.data = changed
            else:
                module._parameters[name] = nn.Parameter(changed, parameter.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = change(buffer)
    return module


def _deepcopy(tensor: torch.Tensor, memo: dict[int, Any]) -> torch.Tensor:
    """torch's own deep copy of a fake parameter corrupts the heap (seen with torch 2.15)."""
    if id(tensor) not in memo:
        with torch.no_grad():
            copied = tensor.detach().clone()
        if isinstance(tensor, nn.Parameter):
            copied = nn.Parameter(copied, tensor.requires_grad)
        memo[id(tensor)] = copied.requires_grad_(tensor.requires_grad)
    found: torch.Tensor = memo[id(tensor)]
    return found


def _legacy(dtype: torch.dtype) -> type:
    """A class in place of `torch.FloatTensor` and its kind."""

    class Like(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, torch.Tensor) and instance.dtype is dtype

    class LegacyTensor(metaclass=Like):
        def __new__(cls, *args: Any, **_: Any) -> Any:
            if args and not isinstance(args[0], int):
                return torch.tensor(args[0], dtype=dtype)
            return torch.empty(args or 0, dtype=dtype)

    return LegacyTensor


def _keep_in_one_process(patches: Patches) -> None:
    """Workers of a loader would fork the mode and send memory that fake tensors do not have."""
    names = DataLoader.__init__.__code__.co_varnames
    place = names.index("num_workers") - 1

    def load(loader: Any, *args: Any, **kwargs: Any) -> None:
        if len(args) > place:
            args = (*args[:place], 0, *args[place + 1 :])
        for name in (
            "num_workers",
            "prefetch_factor",
            "persistent_workers",
            "multiprocessing_context",
            "timeout",
        ):
            kwargs.pop(name, None)
        original(loader, *args, **{**kwargs, "pin_memory": False})

    original = patches.replace(DataLoader, "__init__", load)


def _write_no_files(patches: Patches, says: Says) -> None:
    """What the script saves is kept for its `torch.load`: a file of nothing must not replace a checkpoint."""
    kept: dict[Any, Any] = {}

    def key(f: Any) -> Any:
        return os.path.abspath(f) if isinstance(f, (str, os.PathLike)) else f  # noqa: PTH100

    def save(obj: Any, f: Any, *_: Any, **__: Any) -> None:
        says("torch.save", "fake tensors have no values: nothing was written")
        kept[key(f)] = tree_map(_copied, obj)

    def load(f: Any, *args: Any, **kwargs: Any) -> Any:
        if key(f) in kept:
            return tree_map(_copied, kept[key(f)])
        return original(f, *args, **kwargs)

    patches.replace(torch, "save", save)
    original = patches.replace(torch, "load", load)


def _copied(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, torch.Tensor) else value
