"""What is frozen and what trains, block by block."""

from __future__ import annotations

from itertools import chain
from typing import Any

from torch import nn
from torch.optim import Optimizer

from freezelint.freezing.levels import parts_at
from freezelint.freezing.patterns import unwrapped
from freezelint.freezing.structure import Block, blocks, tree_of
from freezelint.freezing.tables import Row, Summary, lowest_and_highest, mode_of

__all__ = ["Row", "Summary", "summary"]


def summary(
    model: nn.Module, optimizer: Optimizer | None = None, sample: Any = None, depth: int | None = None
) -> Summary:
    """Parameters, trainable and frozen ones, mode, rate and memory of each block of a model.

    Counts are numbers of values, memory is in bytes (parameters and buffers, without gradients and optimizer
    state), rates are those of `optimizer` now. `sample` as in `freezing.blocks`, which also says what is
    raised. With a `depth` the rows are not blocks but modules so many names deep (`layer1.0` is two), and
    what holds parameters above them. `print(summary(model))` shows a table.
    """
    model = unwrapped(model)
    rates = {id(p): float(group["lr"]) for group in _groups(optimizer) for p in group["params"]}
    found = blocks(model, sample) if depth is None else _at(model, depth)
    return Summary(tuple(_row(model, block, rates) for block in found))


def _at(model: nn.Module, depth: int) -> list[Block]:
    return [Block(part.name, part.modules, part.parameters) for part in parts_at(tree_of(model), depth)]


def _groups(optimizer: Optimizer | None) -> list[dict[str, Any]]:
    return [] if optimizer is None else optimizer.param_groups


def _row(model: nn.Module, block: Block, rates: dict[int, float]) -> Row:
    parameters = list(block.parameters.values())
    modules = list(dict.fromkeys(block.selection(model).modules.values()))
    buffers = chain.from_iterable(module.buffers(recurse=False) for module in modules)
    return Row(
        block=block.name,
        parameters=sum(p.numel() for p in parameters),
        trainable=sum(p.numel() for p in parameters if p.requires_grad),
        mode=mode_of(module.training for module in modules),
        rates=lowest_and_highest(rates[id(p)] for p in parameters if id(p) in rates),
        memory=sum(tensor.numel() * tensor.element_size() for tensor in (*parameters, *buffers)),
    )
