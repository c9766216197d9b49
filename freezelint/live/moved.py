"""Which tensors have changed between two looks: by value, with one synchronisation for all of them."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from freezelint.live.digests import digest


class Digests:
    """Digests of several tensors at one moment. Holds no copy of them."""

    def __init__(self, tensors: Iterable[torch.Tensor] = ()) -> None:
        self._tensors = {id(tensor): (tensor, digest(tensor.detach())) for tensor in tensors}

    def compare(self, later: Digests | None = None) -> dict[int, bool | None]:
        """For each tensor's id whether it has changed, until `later` or until now; None where values cannot be read.

        A tensor that `later` does not have is left out.
        """
        found: dict[int, bool | None] = {}
        before: list[torch.Tensor] = []
        after: list[torch.Tensor] = []
        compared: list[int] = []
        for identity, (tensor, old) in self._tensors.items():
            if later is not None and identity not in later._tensors:
                continue
            new = digest(tensor.detach()) if later is None else later._tensors[identity][1]
            if old is None or new is None or old.device != new.device:
                found[identity] = None
                continue
            compared.append(identity)
            before.append(old)
            after.append(new)
        found.update(zip(compared, differing(before, after), strict=True))
        return found


def differing(before: list[torch.Tensor], after: list[torch.Tensor]) -> list[bool]:
    """Which pairs of digests differ, with one synchronisation a device."""
    found = [False] * len(before)
    devices: dict[torch.device, list[int]] = {}
    for index, value in enumerate(before):
        devices.setdefault(value.device, []).append(index)
    for indices in devices.values():
        flags = (
            torch.stack([before[i] for i in indices]) != torch.stack([after[i] for i in indices])
        ).tolist()
        for index, flag in zip(indices, flags, strict=True):
            found[index] = bool(flag)
    return found
