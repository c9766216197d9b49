"""Which tensors have changed between two looks: by value, with one synchronisation for all of them."""

from __future__ import annotations

import weakref
from collections.abc import Iterable

import torch

from freezelint.live.digests import changed_each, digest


class Digests:
    """Digests of several tensors at one moment. Holds no copy of them, and keeps none of them alive."""

    def __init__(self, tensors: Iterable[torch.Tensor] = ()) -> None:
        self._tensors = {id(tensor): (weakref.ref(tensor), digest(tensor)) for tensor in tensors}

    def compare(self, later: Digests | None = None) -> dict[int, bool | None]:
        """For each tensor's id whether it has changed, until `later` or until now; None where values cannot
        be read.

        A tensor that `later` does not have, or that is gone, is left out.
        """
        living = {
            identity: tensor
            for identity, (reference, _) in self._tensors.items()
            if (tensor := reference()) is not None
        }
        if later is None:
            later = Digests(living.values())
        # A dead tensor's id may be reused: the same number does not make it the same tensor.
        common = [
            identity
            for identity, tensor in living.items()
            if identity in later._tensors and later._tensors[identity][0]() is tensor
        ]
        before = [self._tensors[identity][1] for identity in common]
        after = [later._tensors[identity][1] for identity in common]
        return dict(zip(common, changed_each(before, after), strict=True))
