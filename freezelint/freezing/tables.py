"""What is frozen and what trains, as a table. No torch here: the command line tells it of sources too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

_UNKNOWN = "?"


@dataclass(frozen=True)
class Row:
    """One block: numbers of values, `mode` ("train", "eval", "mixed", "?" for one that is not known), the
    rates of the groups that hold it (lowest and highest; none where no optimizer does), and the bytes of its
    parameters and buffers. `unknown` values may train or not; `rates` are not all where `more_rates`.
    """

    block: str
    parameters: int
    trainable: int
    mode: str
    rates: tuple[float, ...]
    memory: int
    unknown: int = 0
    more_rates: bool = False

    @property
    def frozen(self) -> int:
        """Values that do not train."""
        return self.parameters - self.trainable - self.unknown


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
    def unknown(self) -> int:
        """Values of which it is not known whether they train."""
        return sum(row.unknown for row in self.rows)

    @property
    def frozen(self) -> int:
        """Values that do not train."""
        return self.parameters - self.trainable - self.unknown

    @property
    def memory(self) -> int:
        """Bytes of the parameters and buffers in all rows; buffers outside of every block are in none."""
        return sum(row.memory for row in self.rows)

    def __str__(self) -> str:
        share = f"{100 * self.trainable / max(self.parameters, 1):.1f} % trainable"
        total = Row("total", self.parameters, self.trainable, share, (), self.memory, self.unknown)
        table = [_cells(row) for row in (*self.rows, total)]
        if not self.unknown:
            table = [{key: cell for key, cell in row.items() if key != "unknown"} for row in table]
        aligned = ["left" if key in ("block", "mode", "rate") else "right" for key in table[0]]
        text: str = tabulate(table, headers="keys", colalign=aligned, disable_numparse=True)
        return text

    def data(self) -> dict[str, Any]:
        """The same as plain data."""
        rows = [
            {
                "block": row.block,
                "parameters": row.parameters,
                "trainable": row.trainable,
                "frozen": row.frozen,
                "unknown": row.unknown,
                "mode": None if row.mode in ("", _UNKNOWN) else row.mode,
                "rates": None if row.more_rates else list(row.rates),
                "memory": row.memory,
            }
            for row in self.rows
        ]
        total = {
            key: getattr(self, key) for key in ("parameters", "trainable", "frozen", "unknown", "memory")
        }
        return {"blocks": rows, "total": total}


def mode_of(flags: Iterable[bool | None]) -> str:
    """The mode of several modules in one word."""
    modes = {_UNKNOWN if training is None else "train" if training else "eval" for training in flags}
    if _UNKNOWN in modes:
        return _UNKNOWN
    return modes.pop() if len(modes) == 1 else "mixed" if modes else ""


def lowest_and_highest(rates: Iterable[float]) -> tuple[float, ...]:
    """The rates that a row tells."""
    found = sorted(set(rates))
    return tuple(dict.fromkeys((found[0], found[-1]))) if found else ()


def _cells(row: Row) -> dict[str, str]:
    told = [f"{rate:.3g}" for rate in row.rates] + [_UNKNOWN] * row.more_rates
    return {
        "block": row.block,
        "parameters": f"{row.parameters:,}",
        "trainable": f"{row.trainable:,}",
        "frozen": f"{row.frozen:,}",
        "unknown": f"{row.unknown:,}",
        "mode": row.mode,
        "rate": " to ".join(told),
        "memory": _bytes(row.memory),
    }


def _bytes(count: int) -> str:
    if count < 1024:
        return f"{count} B"
    size, unit = count / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.1f} {unit}"
