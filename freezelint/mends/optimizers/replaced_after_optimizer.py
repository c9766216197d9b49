"""FRZ204: the optimizer is built when the new module is in its place."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.fixing.moving import moved_behind
from freezelint.fixing.optimizers import built_before
from freezelint.fixing.scene import Mend, Scene


def mends(scene: Scene) -> Iterator[Mend]:
    """The construction, with what uses it, moves behind the statement that exchanges the module."""
    where = scene.finding.location
    for optimizer, built in built_before(scene, where):
        title = f"build {optimizer.class_name} when the new module is in place"
        # The new head learns from now on: whether too fast (FRZ401) is another question.
        yield Mend(title, moved_behind(scene, built, where), uncovers=("FRZ401",))
