"""Who is who: every parameter that the audit meets gets one number for the whole trace, also after it is
gone.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from freezelint.evidence import Location, Origin, Parameter


class Entry:
    """What is known of one tensor. `paths` and `model` are as of the last inventory; the tensor itself is
    held weakly.

    Fresh values that somebody writes over are no longer fresh: torch counts the writes to a tensor, also
    those through its views, `detach()` and `state_dict()`. Writes that initialise are taken off that count.
    """

    __slots__ = (
        "_origin",
        "_version",
        "attached",
        "built",
        "bytes",
        "dtype",
        "id",
        "model",
        "paths",
        "reference",
        "settled",
        "shape",
        "trained",
    )

    def __init__(self, identity: int, tensor: torch.Tensor) -> None:
        self.id = identity
        self.reference: Callable[[], torch.Tensor | None] = weakref.ref(tensor)
        self._origin: Origin = "unknown"
        self._version: int | None = None  # as it is while only initialisation has written; None: no matter
        self.settled = False
        self.trained = False  # an optimizer has stepped with its gradient
        self.built: Location | None = None
        self.paths: tuple[str, ...] = ()
        self.model: int | None = None
        self.attached = False
        self.shape: tuple[int, ...] = ()
        self.dtype = ""
        self.bytes = 0
        self.describe(tensor)

    @property
    def origin(self) -> Origin:
        """Where the values come from, as far as can be told now."""
        tensor = self.reference() if self._version is not None else None
        if tensor is not None and _version(tensor) != self._version:
            self.origin = "unknown"
        return self._origin

    @origin.setter
    def origin(self, origin: Origin) -> None:
        tensor = self.reference() if origin == "fresh" and not self.settled else None
        self._origin = origin
        self._version = None if tensor is None else _version(tensor)

    def settle(self) -> None:
        """Training begins and will write: what the origin is now, it stays."""
        self._origin, self._version, self.settled = self.origin, None, True

    @contextmanager
    def initialising(self, tensor: torch.Tensor) -> Iterator[None]:
        """What is written to `tensor` (this one or a view of it) meanwhile are initial values."""
        expected, before = self._version, _version(tensor)
        yield
        after = _version(tensor)
        if expected is not None and before is not None and after is not None:
            self._version = expected + after - before

    def describe(self, tensor: torch.Tensor) -> None:
        """Take shape and type as they are now (a lazy parameter has none until it is used)."""
        if isinstance(tensor, (nn.UninitializedParameter, nn.UninitializedBuffer)):
            return
        self.shape = tuple(tensor.shape)
        self.dtype = str(tensor.dtype).removeprefix("torch.")
        self.bytes = tensor.numel() * tensor.element_size()

    def evidence(self) -> Parameter:
        return Parameter(
            self.id,
            self.model,
            self.paths,
            self.shape,
            self.dtype,
            self.bytes,
            self.origin,
            self.attached,
            self.built,
        )


class Ledger:
    """All entries, by number and by living tensor."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._by_tensor: dict[int, Entry] = {}
        self._settled = 0  # how many of the entries

    def find(self, tensor: torch.Tensor) -> Entry | None:
        entry = self._by_tensor.get(id(tensor))
        # A dead tensor's id may be reused: trust the entry only while its own tensor lives.
        return entry if entry is not None and entry.reference() is tensor else None

    def find_behind(self, tensor: torch.Tensor) -> Entry | None:
        """The entry of this tensor, or of the one that it is a view of."""
        found = self.find(tensor)
        if found is None and type(tensor) is torch.Tensor and (base := tensor._base) is not None:
            return self.find(base)
        return found

    def entry(self, tensor: torch.Tensor) -> Entry:
        """The entry of this tensor, made if there is none."""
        found = self.find(tensor)
        if found is None:
            found = Entry(len(self.entries), tensor)
            self.entries.append(found)
            self._by_tensor[id(tensor)] = found
        return found

    def ids(self, tensors: Iterable[torch.Tensor]) -> list[int]:
        return [self.entry(tensor).id for tensor in tensors]

    def mark(self, tensors: Iterable[torch.Tensor], origin: Origin) -> None:
        """Say where the values of these tensors come from."""
        for tensor in tensors:
            self.entry(tensor).origin = origin

    @property
    def settled(self) -> bool:
        """Whether training has begun for all the entries that there are."""
        return self._settled == len(self.entries)

    def settle(self) -> None:
        """An optimizer is about to write to the parameters that there are."""
        for entry in self.entries[self._settled :]:
            entry.settle()
        self._settled = len(self.entries)

    def train(self, tensors: Iterable[torch.Tensor]) -> None:
        """An optimizer is about to step with the gradients of these."""
        for tensor in tensors:
            self.entry(tensor).trained = True

    @contextmanager
    def released(self, tensors: Iterable[torch.Tensor], *, same_values: bool) -> Iterator[None]:
        """Hold no weak reference to these tensors for a while: only then torch swaps the contents of two.

        `same_values` tells that what they are swapped for are the same values in another form.
        """
        held = [(entry, tensor) for tensor in tensors if (entry := self.find(tensor)) is not None]
        origins = [entry.origin if same_values else "unknown" for entry, _ in held]
        for entry, _ in held:
            entry.reference = _nothing
        try:
            yield
        finally:
            for (entry, tensor), origin in zip(held, origins, strict=True):
                entry.reference = weakref.ref(tensor)
                entry.origin = origin


def _nothing() -> None:
    """Stands for a weak reference to a tensor that is gone."""


def _version(tensor: torch.Tensor) -> int | None:
    """How often the tensor has been written to; None where torch does not count (inference mode)."""
    with torch._C.DisableTorchFunctionSubclass():
        try:
            return tensor._version
        except RuntimeError:
            return None
