"""What a mend is made from, and what it is."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import cast

from freezelint.evidence import Location, Trace
from freezelint.finding import Applicability, Edit, Finding
from freezelint.fixing.script import NoPlaceError, Script
from freezelint.registry import Rule


@dataclass(frozen=True)
class Mend:
    """One way to mend a finding. `title` says what it does, as in "FRZ101 fixed: keep … in eval". `uncovers`
    are rules whose faults the mended one hid, and that need not be mended with it.
    """

    title: str
    edits: tuple[Edit, ...]
    applicability: Applicability = "safe"
    uncovers: tuple[str, ...] = ()


class Scene:
    """The finding, the evidence that it was found in, and the sources that the evidence points to."""

    def __init__(self, finding: Finding, trace: Trace, load: Callable[[str], Script | None]) -> None:
        self.finding = finding
        self.trace = trace
        self._load = load
        self._scripts: dict[str, Script | None] = {}

    def script(self, path: str) -> Script:
        """The source of this path. Raises NoPlaceError where it is none of the project's files."""
        if path not in self._scripts:
            self._scripts[path] = self._load(path)
        script = self._scripts[path]
        if script is None:
            raise NoPlaceError(f"{path} is none of the files that may be changed")
        return script

    @property
    def here(self) -> Script:
        """The source that the finding points into."""
        return self.script(self.finding.path)

    def places(self, locations: Sequence[Location | None]) -> list[Location]:
        """The locations that are known, each statement once, in their order."""
        found: dict[tuple[str, int], Location] = {}
        for location in locations:
            if location is not None:
                found.setdefault(location.at(), location)
        return list(found.values())


# The ways to mend a finding, the best first; the first one that is proven is kept. May raise NoPlaceError.
Mender = Callable[[Scene], Iterator[Mend]]


@cache
def mender(rule: Rule) -> Mender | None:
    """`mends` in the module of the rule's name in `freezelint/mends/<family>/`; None where there is none."""
    import freezelint.mends

    name = f"{freezelint.mends.__name__}.{rule.family}.{rule.name.replace('-', '_')}"
    return cast("Mender", import_module(name).mends) if name in _modules() else None


@lru_cache(maxsize=1)
def _modules() -> frozenset[str]:
    import freezelint.mends

    found = pkgutil.walk_packages(freezelint.mends.__path__, f"{freezelint.mends.__name__}.")
    return frozenset(module.name for module in found)
