"""Whether the values of a tensor changed, without a copy: a 64-bit digest, made on its own device.

The memory is read as 64-bit words in blocks of 257 x 127. Of each block the sums of its rows and of its
columns are kept; these, and what is left over, are weighted by fixed random numbers and summed, modulo 2**64.
A change that moves, swaps or balances values changes some row or some column; the odd sizes keep sign bits,
two of which are worth 0, from vanishing. Sums run at the speed of memory; to weight every word costs twice
as much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

_ROWS, _COLUMNS = 257, 127
_BLOCK = _ROWS * _COLUMNS  # 255 KiB: the second sum finds the block in the processor's cache
_WORD = 8
_SEED = 0x5EED


def digest(tensor: torch.Tensor) -> torch.Tensor | None:
    """A number (0-dim int64, on the tensor's device) that changes with any bit of it; None if unreadable.

    Waits for nothing: on a GPU the work is queued like the operations around it.
    """
    if is_unreadable(tensor):
        return None
    with torch.no_grad(), torch._C.DisableTorchFunction():
        try:
            parts = [_of_words(words) for piece in _pieces(tensor.detach()) for words in _words(piece)]
            if not parts:
                return torch.zeros((), dtype=torch.int64, device=tensor.device)
            return _of_words(torch.stack(parts)) if len(parts) > 1 else parts[0]
        except (NotImplementedError, RuntimeError):  # a layout or a device without these operations
            return None


def is_unreadable(tensor: torch.Tensor) -> bool:
    """Whether no values can be looked at now: lazy, meta, fake and sparse tensors, tracing, graph capture."""
    return (
        is_lazy(tensor)
        or tensor.device.type == "meta"
        or isinstance(tensor, FakeTensor)
        or tensor.layout is not torch.strided
        or tensor.is_nested
        or torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.FAKE) is not None
        or torch._C._functorch.is_functorch_wrapped_tensor(tensor)
        or (tensor.is_cuda and torch.cuda.is_current_stream_capturing())
    )


def changed(before: torch.Tensor | None, after: torch.Tensor | None) -> bool | None:
    """Whether two digests of one tensor differ; None where one is missing."""
    return changed_each([before], [after])[0]


def changed_each(
    before: Sequence[torch.Tensor | None], after: Sequence[torch.Tensor | None]
) -> list[bool | None]:
    """Whether the digests of each tensor differ. Waits once a device, however many tensors there are."""
    found: list[bool | None] = [None] * len(before)
    by_device: dict[torch.device, list[tuple[int, torch.Tensor, torch.Tensor]]] = {}
    for index, (old, new) in enumerate(zip(before, after, strict=True)):
        if old is not None and new is not None:
            if old.device == new.device:
                by_device.setdefault(old.device, []).append((index, old, new))
            else:
                found[index] = old.item() != new.item()
    for pairs in by_device.values():
        olds = torch.stack([old for _, old, _ in pairs])
        news = torch.stack([new for _, _, new in pairs])
        for (index, _, _), differs in zip(pairs, (olds != news).tolist(), strict=True):
            found[index] = differs
    return found


def _pieces(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """One-dimensional tensors that make up the tensor: one, and no copy, where its memory is dense."""
    if is_traceable_wrapper_subclass(tensor):
        for name in tensor.__tensor_flatten__()[0]:
            yield from _pieces(getattr(tensor, name))
        return
    if tensor.is_quantized:
        tensor = tensor.int_repr()
    if tensor.is_conj() or tensor.is_neg():
        tensor = tensor.resolve_conj().resolve_neg()
    for axis, (size, stride) in enumerate(zip(tensor.shape, tensor.stride(), strict=True)):
        if stride == 0 and size > 1:  # expanded: the same memory many times
            tensor = tensor.narrow(axis, 0, 1)
    order = sorted(range(tensor.dim()), key=lambda axis: -tensor.stride()[axis])
    yield from _flat(tensor.permute(order))


def _flat(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    if tensor.is_contiguous() or tensor.numel() * tensor.element_size() <= _BLOCK * _WORD:
        yield tensor.contiguous().view(-1)
        return
    # Gaps in its memory: copied in parts of at most a block.
    count = max(1, _BLOCK // 2 // tensor[0].numel())
    for start in range(0, len(tensor), count):
        yield from _flat(tensor[start : start + count] if count > 1 else tensor[start])


def _cut(flat: torch.Tensor, length: int) -> Iterator[torch.Tensor]:
    for start in range(0, flat.numel(), length):
        yield flat[start : start + length]


def _words(flat: torch.Tensor) -> Iterator[torch.Tensor]:
    """The memory of a one-dimensional tensor as 64-bit words; the last one is filled up with zeros."""
    size = flat.element_size()
    if size > _WORD:
        flat = torch.view_as_real(flat).reshape(-1)
        size = flat.element_size()
    each = _WORD // size
    whole = flat.numel() // each * each
    if whole:
        if flat.storage_offset() * size % _WORD:
            for part in _cut(flat[:whole], _BLOCK * each):
                yield part.clone().view(torch.int64)
        else:
            yield flat[:whole].view(torch.int64)
    if whole < flat.numel():
        last = flat.new_zeros(
            each, dtype=torch.uint8 if size == 1 else torch.int16 if size == 2 else torch.int32
        )
        last[: flat.numel() - whole] = flat[whole:].view(last.dtype)
        yield last.view(torch.int64)


def _of_words(words: torch.Tensor) -> torch.Tensor:
    blocks = words.numel() // _BLOCK
    if blocks < 2:
        return _weighted(words)
    shaped = words[: blocks * _BLOCK].view(blocks, _ROWS, _COLUMNS)
    if words.device.type == "cpu":
        rows = torch.empty(blocks, _ROWS, dtype=torch.int64)
        columns = torch.empty(blocks, _COLUMNS, dtype=torch.int64)
        for block, row, column in zip(shaped.unbind(0), rows.unbind(0), columns.unbind(0), strict=True):
            torch.sum(block, 1, out=row)
            torch.sum(block, 0, out=column)
    else:
        rows, columns = shaped.sum(2), shaped.sum(1)
    rest = words[blocks * _BLOCK :]
    return _of_words(torch.cat([rows.view(-1), columns.view(-1), rest]))


def _weighted(words: torch.Tensor) -> torch.Tensor:
    """Every word times a random number, and its upper half times another: products lose their upper bits."""
    low, high = _weights(words.device)
    count = words.numel()
    weighted = words * low[:count]
    return weighted.add_((words >> 32).mul_(high[:count])).sum()


@cache
def _weights(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(_SEED)
    low, high = (
        torch.randint(-(2**63), 2**63 - 1, (2, 2 * _BLOCK), generator=generator).bitwise_or_(1).to(device)
    )
    return low, high
