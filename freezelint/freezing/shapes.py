"""How a learning rate goes over a training. No torch here: the source reader imports it too."""

from __future__ import annotations

import math
from typing import Literal


class Shape:
    """The factor on every group's rate, as a function of the step.

    A plain object, so that `LambdaLR` puts its attributes into the schedule's state_dict: a schedule that
    was restarted resumes where it was.
    """

    def __init__(
        self, kind: Literal["cosine", "linear", "slanted"], total: int, warmup: int, lowest: float
    ) -> None:
        self.kind = kind
        self.total = total
        self.warmup = warmup
        self.lowest = lowest
        self.started = 0

    def __call__(self, step: int) -> float:
        if self.kind == "slanted":
            return self._slanted(min(step - self.started, self.total))
        ramp = min(1.0, (step - self.started + 1) / self.warmup) if self.warmup else 1.0
        return ramp * self._decayed(step)

    def restart(self, step: int) -> None:
        """Warm up again from this step on; a slanted triangle starts over as a whole."""
        self.started = step

    def _decayed(self, step: int) -> float:
        """The decay goes on over the whole training, whatever warm-ups there are."""
        done = (step - self.warmup) / max(self.total - self.warmup, 1)
        done = min(max(done, 0.0), 1.0)
        left = (1 + math.cos(math.pi * done)) / 2 if self.kind == "cosine" else 1 - done
        return self.lowest + (1 - self.lowest) * left

    def _slanted(self, step: int) -> float:
        rise = self.warmup
        part = step / rise if step < rise else 1 - (step - rise) / max(self.total - rise, 1)
        return self.lowest + (1 - self.lowest) * max(part, 0.0)


def falling(kind: Literal["cosine", "linear"], total: int, warmup: int, lowest: float) -> Shape:
    """A linear rise, then a fall. Raises `ValueError` for numbers out of range."""
    _check(total, warmup, lowest)
    return Shape(kind, total, warmup, lowest)


def slanted(total: int, rising: float, ratio: float) -> Shape:
    """A short rise and a long fall, both linear. Raises `ValueError` for numbers out of range."""
    if not 0 < rising < 1:
        raise ValueError(f"rising must lie between 0 and 1, and is {rising}")
    if not ratio > 1:
        raise ValueError(f"ratio must be above 1, and is {ratio}")
    rise = math.floor(total * rising)
    _check(total, rise, 1 / ratio)
    return Shape("slanted", total, rise, 1 / ratio)


def _check(total: int, warmup: int, lowest: float) -> None:
    if total < 1:
        raise ValueError(f"total_steps must be at least 1, and is {total}")
    if not 0 <= warmup <= total:
        raise ValueError(f"warmup_steps must lie between 0 and total_steps ({total}), and is {warmup}")
    if not 0 <= lowest < 1:
        raise ValueError(f"lowest must lie in [0, 1), and is {lowest}")
