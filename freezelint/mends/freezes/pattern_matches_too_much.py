"""FRZ505: the pattern ends where the name that it means ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from freezelint.facts.flags import flag_statements
from freezelint.fixing.freezes import outermost_loop
from freezelint.fixing.owners import looping_over_owners
from freezelint.fixing.patterns import dotted
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import NoPlaceError


def mends(scene: Scene) -> Iterator[Mend]:
    """`"layer.1" in name` becomes `"layer.1." in name`, in all patterns of the statement that are such
    numbers. A pairing by `zip` becomes a loop over the parameters of each module.
    """
    if scene.finding.evidence.get("zipped"):
        title = "loop over the parameters of each module"
        yield Mend(title, looping_over_owners(scene.here, scene.finding.location), "unsafe")
        return
    pattern = scene.finding.evidence.get("pattern")
    if not isinstance(pattern, str):
        return
    patterns = _patterns(scene)
    _require_whole(scene, pattern, also=scene.finding.evidence.get("also") or ())
    ended = [each for each in patterns if each == pattern or (each[-1:].isdigit() and _is_whole(scene, each))]
    script = scene.here
    whole = outermost_loop(script, scene.finding.location)
    for edits in dotted(script, whole, pattern, ended):
        yield Mend(f"compare with the whole of `{pattern}`, up to the dot", edits, "unsafe")


def _patterns(scene: Scene) -> tuple[str, ...]:
    """All that the conditions around the statement look for."""
    at = scene.finding.location.at()
    statements = (s for s in flag_statements(scene.trace) if s.location is not None and s.location.at() == at)
    return tuple(dict.fromkeys(pattern for statement in statements for pattern in statement.patterns))


def _require_whole(scene: Scene, pattern: str, also: Sequence[str]) -> None:
    """Raises NoPlaceError where a dot behind the pattern would take away what is meant."""
    for stem, rest in _places(scene, pattern):
        component = stem + rest.partition(".")[0]
        if not rest:
            raise NoPlaceError(f"`{stem}` is a parameter: no dot follows it")
        too_much = component in also or (stem[-1].isdigit() and rest[0].isdigit())
        if not rest.startswith(".") and not too_much:
            raise NoPlaceError(f"`{pattern}` also stands for `{component}`, as far as is known")


def _is_whole(scene: Scene, pattern: str) -> bool:
    """Whether a dot follows wherever the pattern stands, but for the longer numbers that it takes, too."""
    found = [rest for _, rest in _places(scene, pattern)]
    return any(rest.startswith(".") for rest in found) and all(
        rest.startswith(".") or rest[:1].isdigit() for rest in found
    )


def _places(scene: Scene, pattern: str) -> Iterator[tuple[str, str]]:
    """Where the pattern stands in names of parameters: the name up to its end, and what follows."""
    paths = {path for p in scene.trace.parameters if p.model is not None for path in p.paths}
    for path in sorted(paths):
        start = path.find(pattern)
        while start >= 0:
            end = start + len(pattern)
            yield path[:end], path[end:]
            start = path.find(pattern, start + 1)
