"""What is frozen and what trains, block by block."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from tabulate import tabulate
from torch import nn
from torch.optim import Optimizer

from freezelint.freezing.patterns import unwrapped
from freezelint.freezing.structure import Block, blocks

_HEADERS = ("block", "parameters", "trainable", "frozen", "mode", "rate", "memory")


@dataclass(frozen=True)
class Row:
    """One block: numbers of values, `mode` ("train", "eval", or "mixed"), the rates of the groups that hold
    it (lowest and highest; none where no optimizer does), and the bytes of its parameters and buffers.
    """

    block: str
    parameters: int
    trainable: int
    mode: str
    rates: tuple[float, ...]
    memory: int

    @property
    def frozen(self) -> int:
        """Values that do not train."""
        return self.parameters - self.trainable


@dataclass(frozen=True)
class Summary:
    """The rows of a summary, from input to output; as text, a table with a line of totals."""

    rows: tuple[Row, ...]

    @property
    def parameters(self) -> int:
        """Values in all parameters."""
        return sum(row.parameters for row in self.rows)

    @property
    def trainable(self) -> int:
        """Values that train."""
        return sum(row.trainable for row in self.rows)

    @property
    def frozen(self) -> int:
        """Values that do not train."""
        return self.parameters - self.trainable

    @property
    def memory(self) -> int:
        """Bytes of all parameters and buffers."""
        return sum(row.memory for row in self.rows)

    def __str__(self) -> str:
        share = f"{100 * self.trainable / max(self.parameters, 1):.1f} % trainable"
        total = ("total", self.parameters, self.trainable, self.frozen, share, (), self.memory)
        lines = [
            _cells(r.block, r.parameters, r.trainable, r.frozen, r.mode, r.rates, r.memory) for r in self.rows
        ]
        aligned = ("left", "right", "right", "right", "left", "left", "right")
        table = [*lines, _cells(*total)]
        text: str = tabulate(table, headers=_HEADERS, colalign=aligned, disable_numparse=True)
        return text


def summary(model: nn.Module, optimizer: Optimizer | None = None, sample: Any = None) -> Summary:
    """Parameters, trainable and frozen ones, mode, rate and memory of each block of a model.

    Counts are numbers of values, memory is in bytes (parameters and buffers, without gradients and optimizer
    state), rates are those of `optimizer` now. `sample` as in `freezing.blocks`, which also says what is
    raised. `print(summary(model))` shows a table.
    """
    model = unwrapped(model)
    rates = {id(p): float(group["lr"]) for group in _groups(optimizer) for p in group["params"]}
    return Summary(tuple(_row(model, block, rates) for block in blocks(model, sample)))


def _groups(optimizer: Optimizer | None) -> list[dict[str, Any]]:
    return [] if optimizer is None else optimizer.param_groups


def _row(model: nn.Module, block: Block, rates: dict[int, float]) -> Row:
    parameters = list(block.parameters.values())
    modules = list(dict.fromkeys(block.selection(model).modules.values()))
    buffers = chain.from_iterable(module.buffers(recurse=False) for module in modules)
    found = sorted({rates[id(p)] for p in parameters if id(p) in rates})
    return Row(
        block=block.name,
        parameters=sum(p.numel() for p in parameters),
        trainable=sum(p.numel() for p in parameters if p.requires_grad),
        mode=_mode(module.training for module in modules),
        rates=tuple(dict.fromkeys((found[0], found[-1]))) if found else (),
        memory=sum(tensor.numel() * tensor.element_size() for tensor in (*parameters, *buffers)),
    )


def _mode(flags: Iterable[bool]) -> str:
    modes = sorted({"train" if training else "eval" for training in flags})
    return modes[0] if len(modes) == 1 else "mixed" if modes else ""


def _cells(
    name: str, parameters: int, trainable: int, frozen: int, mode: str, rates: tuple[float, ...], memory: int
) -> tuple[str, ...]:
    told = " to ".join(f"{rate:.3g}" for rate in rates)
    return (name, f"{parameters:,}", f"{trainable:,}", f"{frozen:,}", mode, told, _bytes(memory))


def _bytes(count: int) -> str:
    if count < 1024:
        return f"{count} B"
    size, unit = count / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.1f} {unit}"
