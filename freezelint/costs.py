"""What a training step costs, measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """One training step before and after what was found is corrected (`corrected`: the codes).

    `seconds_before` and `seconds_after` are medians; `savings` is the share of the time that each round
    saved. `bytes_before` and `bytes_after` are peaks, as `freezelint.live.measuring` explains. `device` is
    "cpu" or "cuda".
    """

    corrected: tuple[str, ...]
    seconds_before: float
    seconds_after: float
    savings: tuple[float, ...]
    bytes_before: int
    bytes_after: int
    device: str

    @property
    def faster(self) -> bool | None:
        """Whether every round says that the corrected step is faster, or slower; None where they disagree."""
        if all(saving > 0 for saving in self.savings):
            return True
        return False if all(saving < 0 for saving in self.savings) else None
