"""FRZ102: what put the frozen layers in eval mode is done again after every `train()`."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.fixing.modes.again import done_again
from freezelint.fixing.modes.keeping import ways
from freezelint.fixing.modes.kept import drifting
from freezelint.fixing.scene import Mend, Scene


def mends(scene: Scene) -> Iterator[Mend]:
    """The user's own function is called again where there is one; else as for FRZ101."""
    kept = drifting(scene)
    if kept is not None:
        yield from done_again(scene, kept)
        yield from ways(scene, kept)
