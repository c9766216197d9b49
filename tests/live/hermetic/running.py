"""What the hermetic tests share: a context with its reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from freezelint.live.hermetic import installed


@dataclass
class Reports:
    """What a hermetic run noted, and the origin that it gave to parameters."""

    notes: list[tuple[str, str]] = field(default_factory=list)
    origins: dict[int, str] = field(default_factory=dict)

    def of(self, model: torch.nn.Module) -> dict[str, str]:
        """The origin of each parameter by name, "unmarked" where nothing was said."""
        return {name: self.origins.get(id(p), "unmarked") for name, p in model.named_parameters()}

    def named(self, model: torch.nn.Module, origin: str) -> list[str]:
        return [name for name, found in self.of(model).items() if found == origin]


@contextmanager
def hermetic() -> Iterator[Reports]:
    reports = Reports()

    def mark(parameters: Iterable[torch.Tensor], origin: str) -> None:
        reports.origins.update({id(parameter): origin for parameter in parameters})

    with installed(lambda what, why: reports.notes.append((what, why)), mark):
        yield reports
