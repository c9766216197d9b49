"""A plan for fine-tuning one model: what it says, as text, as a training script, and as objects of torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from freezelint.freezing.anatomy import Anatomy
from freezelint.freezing.decisions import Decision
from freezelint.freezing.scripts import Batch, script

if TYPE_CHECKING:
    from torch import nn

    from freezelint.freezing.applying import Training

_HEADERS = ("block", "parameters", "trains", "learning rate")


@dataclass(frozen=True)
class Plan:
    """What `recommend` recommends: `str()` tells it, `apply(model, loader)` sets it up, `code()` is a script.

    `model` are the blocks that it is for, `decision` what is to be done with them (`decision.frozen`,
    `.stages`, `.rates`, `.norms`, `.epochs`, `.why` …); `batch` tells whether the model takes a tensor, or a
    dict as transformers' do. Plans are values: equal ones say the same.
    """

    model: Anatomy
    decision: Decision
    batch: Batch = "tensor"

    @property
    def cell(self) -> str:
        """The cell of the size-by-similarity matrix, and what it says."""
        return self.decision.cell

    @property
    def frozen(self) -> tuple[str, ...]:
        """The blocks that are never trained, from input to output."""
        return self.decision.frozen

    @property
    def epochs(self) -> int:
        """How many epochs to train."""
        return self.decision.epochs

    def __str__(self) -> str:
        decision = self.decision
        aligned = ("left", "right", "left", "right")
        table = tabulate(self._rows(), headers=_HEADERS, colalign=aligned, disable_numparse=True)
        falling = f"then a {decision.schedule} fall to {decision.lowest:g} of the rates"
        warm_up = "steps of warm-up after each opening" if decision.stages else "steps of warm-up"
        lines = [
            f"{self.model.name}: {decision.cell}",
            "",
            table,
            "",
            f"{decision.optimizer}, weight decay {decision.weight_decay:g}, {decision.epochs} epochs, "
            f"{decision.warmup_steps} {warm_up}, {falling}",
        ]
        if decision.label_smoothing:
            lines.append(f"label smoothing {decision.label_smoothing:g}")
        return "\n".join([*lines, *(f"- {reason}" for reason in decision.why)])

    def code(self) -> str:
        """The plan as plain torch that needs no freezelint: a module whose `fine_tune(model, loader, device)`
        trains a model on batches `(inputs, labels)`, labels being classes from 0. The model has its new head
        already. `freezelint check` finds nothing in it.
        """
        return script(self.model, self.decision, self.batch, f"Fine-tunes {self.model.name}.")

    def apply(
        self,
        model: nn.Module,
        loader: Iterable[Any],
        *,
        forward: Callable[[nn.Module, Any], Any] | None = None,
    ) -> Training:
        """Freeze, and build optimizer, groups and schedule; `Training` says how to go on.

        `model` is the one that the plan was made for, or has the same names, its new head in place; `loader`
        has a length, in batches, and is read here only where running statistics are to be measured anew
        (`norms.calibrate`, which also explains `forward`). Raises `ValueError` where the names are others,
        or the loader has no length.
        """
        from freezelint.freezing.applying import apply

        return apply(self, model, loader, forward)

    def _rows(self) -> list[tuple[str, ...]]:
        opened = {name: stage for stage, names in enumerate(self.decision.stages, 1) for name in names}
        rows: list[tuple[str, ...]] = []
        for block in self.model.blocks:
            rate = self.decision.rates.get(block.name)
            when = "frozen" if rate is None else "from the beginning" if not block.head else "new head"
            if block.name in opened:
                when = f"from epoch {opened[block.name] * self.decision.every + 1}"
            rows.append((block.name, f"{block.values:,}", when, "" if rate is None else f"{rate:.3g}"))
        return rows
