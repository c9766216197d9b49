"""What the user asks of a live run. Imports no torch: parent and child share it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LiveSettings:
    """`steps` optimizer steps are watched, for at most `timeout` seconds, on `device` (auto, cpu, cuda or
    fake). `measure` are the codes of which it is measured what their correction saves."""

    steps: int = 2
    timeout: float = 600.0
    device: str = "auto"
    hermetic: bool = False
    measure: tuple[str, ...] = ()
