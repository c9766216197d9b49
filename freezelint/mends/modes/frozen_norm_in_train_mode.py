"""FRZ101: what is frozen is put back in eval mode wherever something put it in train mode."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.fixing.modes.keeping import ways
from freezelint.fixing.modes.kept import drifting
from freezelint.fixing.scene import Mend, Scene


def mends(scene: Scene) -> Iterator[Mend]:
    """In the model's own class where that froze it, else after every `train()` that undoes it."""
    kept = drifting(scene)
    if kept is not None:
        yield from ways(scene, kept)
