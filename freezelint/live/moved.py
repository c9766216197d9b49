"""Which tensors have changed between two looks: by value, with one synchronisation for all of them."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from freezelint.live.digests import changed_each, digest


class Digests:
    """Digests of several tensors at one moment. Holds no copy of them."""

    def __init__(self, tensors: Iterable[torch.Tensor] = ()) -> None:
        self._tensors = {id(tensor): (tensor, digest(tensor)) for tensor in tensors}

    def compare(self, later: Digests | None = None) -> dict[int, bool | None]:
        """For each tensor's id whether it has changed, until `later` or until now; None where values cannot
        be read.

        A tensor that `later` does not have is left out.
        """
        if later is None:
            later = Digests(tensor for tensor, _ in self._tensors.values())
        common = [identity for identity in self._tensors if identity in later._tensors]
        before = [self._tensors[identity][1] for identity in common]
        after = [later._tensors[identity][1] for identity in common]
        return dict(zip(common, changed_each(before, after), strict=True))
