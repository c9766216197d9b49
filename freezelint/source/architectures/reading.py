"""Reading the files of the knowledge base; `freezelint.live.architectures.storing` writes them."""

from __future__ import annotations

import json
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any

from freezelint.evidence import Role
from freezelint.source.architectures.tree import Node, NormSettings

_HEADER = struct.Struct(">III")


class Library:
    """The file of one library: a directory, and groups of architectures that are read when asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            index, classes, dictionary = _HEADER.unpack(file.read(_HEADER.size))
            self.index: dict[str, Any] = json.loads(zlib.decompress(file.read(index)))
            self._classes: list[Any] = json.loads(zlib.decompress(file.read(classes)))
            self._dictionary = zlib.decompress(file.read(dictionary))
            self._start = file.tell()
        self._groups: dict[str, Group] = {}

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(self.index["places"])

    def group(self, name: str) -> Group | None:
        """The group of this name."""
        if name not in self._groups and name in self.index["places"]:
            self._groups[name] = self._read(*self.index["places"][name])
        return self._groups.get(name)

    def _read(self, offset: int, length: int) -> Group:
        with self._path.open("rb") as file:
            file.seek(self._start + offset)
            text = zlib.decompressobj(zdict=self._dictionary).decompress(file.read(length))
        nodes, _, records = text.partition(b"\n")
        return Group(json.loads(nodes), json.loads(records), self._classes)


class Group:
    """Architectures that share nodes."""

    def __init__(self, nodes: list[Any], records: dict[str, Any], classes: list[Any]) -> None:
        self.records = records
        self._stored = nodes
        self._classes = classes
        self._nodes: dict[int, Node] = {}

    def node(self, number: int) -> Node:
        if number not in self._nodes:
            self._nodes[number] = self._made(number, self._stored[number])
        return self._nodes[number]

    def _made(self, number: int, stored: dict[str, Any]) -> Node:
        class_name, library, kind, overrides_train, bases, attributes = self._classes[stored["c"]]
        own: dict[str, list[int]] = stored.get("p", {})
        frozen = stored.get("f", ())
        below = stored.get("k", {})
        role: Role = stored.get("r") or kind or ("container" if below and not own else "plain")
        norm = stored.get("n")
        return Node(
            class_name,
            library,
            role,
            tuple((name, tuple(shape), name not in frozen) for name, shape in own.items()),
            tuple((name, self.node(number - distance)) for name, distance in below.items()),
            NormSettings(bool(norm[0]), bool(norm[1]), norm[2], bool(norm[3])) if norm else None,
            stored.get("d"),
            bool(overrides_train),
            tuple(zip(attributes, stored.get("a", ()), strict=True)),
            (*bases, "Module"),
        )


@cache
def library(name: str) -> Library:
    return Library(Path(__file__).with_name(f"{name}.bin"))
