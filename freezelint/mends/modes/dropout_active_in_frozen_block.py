"""FRZ104: the frozen blocks are put in eval mode after every `train()`."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.fixing.modes.keeping import ways
from freezelint.fixing.modes.kept import of_layers
from freezelint.fixing.scene import Mend, Scene


def mends(scene: Scene) -> Iterator[Mend]:
    """As for FRZ101, by the names of the blocks: dropout has no flag that would tell it."""
    kept = of_layers(scene)
    if kept is not None:
        yield from ways(scene, kept, "unsafe")
