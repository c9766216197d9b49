"""Who is who: every parameter that the audit meets gets one number for the whole trace, also after it is
gone.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable

import torch
from torch import nn

from freezelint.evidence import Location, Origin, Parameter


class Entry:
    """What is known of one tensor. `paths` and `model` are as of the last inventory; the tensor itself is
    held weakly.
    """

    __slots__ = (
        "attached",
        "built",
        "bytes",
        "dtype",
        "id",
        "model",
        "origin",
        "paths",
        "reference",
        "shape",
    )

    def __init__(self, identity: int, tensor: torch.Tensor) -> None:
        self.id = identity
        self.reference = weakref.ref(tensor)
        self.origin: Origin = "unknown"
        self.built: Location | None = None
        self.paths: tuple[str, ...] = ()
        self.model: int | None = None
        self.attached = False
        self.shape: tuple[int, ...] = ()
        self.dtype = ""
        self.bytes = 0
        self.describe(tensor)

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

    def find(self, tensor: torch.Tensor) -> Entry | None:
        entry = self._by_tensor.get(id(tensor))
        # A dead tensor's id may be reused: trust the entry only while its own tensor lives.
        return entry if entry is not None and entry.reference() is tensor else None

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
