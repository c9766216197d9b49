"""FRZ501: the module's own method is called instead."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.fixing.flags import by_call, writes_at
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import NoPlaceError

_NAMES = ("requires_grad", "requires_grad_")


def mends(scene: Scene) -> Iterator[Mend]:
    """`m.requires_grad = x` and `m.requires_grad_ = x` become `m.requires_grad_(x)`, as does `setattr`."""
    found = writes_at(scene.here, scene.finding.location, _NAMES)
    if not found:
        raise NoPlaceError("the attribute is set in another way than by an assignment or `setattr`")
    edits = dict.fromkeys(by_call(write, _NAMES) for write in found)
    yield Mend("call `requires_grad_` on the module", tuple(edits))
