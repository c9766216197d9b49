"""Writing one library's architectures to a file; `freezelint.source.architectures` reads it."""

from __future__ import annotations

import json
import struct
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

from freezelint.live.architectures.describing import Classes

_WINDOW = 32_000  # bytes of a dictionary that zlib can refer to


class Library:
    """The groups of architectures of one library. A group is read as a whole: what shares layers stands
    together.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.classes = Classes()
        self._groups: dict[str, tuple[list[str], dict[str, Any]]] = {}

    def add(self, group: str, nodes: list[str], records: dict[str, Any]) -> None:
        self._groups[group] = (nodes, records)

    def write(self, folder: Path, names: dict[str, Any]) -> Path:
        """`names` is the directory of the library: how a name leads to a group and a record in it."""
        dictionary = self._dictionary()
        places: dict[str, list[int]] = {}
        body = b""
        for group, (nodes, records) in self._groups.items():
            text = "[" + ",".join(nodes) + "]\n" + _text(records)
            packer = zlib.compressobj(9, zdict=dictionary)
            packed = packer.compress(text.encode()) + packer.flush()
            places[group] = [len(body), len(packed)]
            body += packed
        index = zlib.compress(_text({"places": places, **names}).encode(), 9)
        classes = zlib.compress(_text(self.classes.records()).encode(), 9)
        packed_dictionary = zlib.compress(dictionary, 9)
        header = struct.pack(">III", len(index), len(classes), len(packed_dictionary))
        path = folder / f"{self.name}.bin"
        path.write_bytes(header + index + classes + packed_dictionary + body)
        return path

    def _dictionary(self) -> bytes:
        """The nodes that save most when they need not be written again, the best of them last."""
        counts = Counter(text for nodes, _ in self._groups.values() for text in nodes)
        saving = {text: (count - 1) * len(text) for text, count in counts.items() if count > 1}
        chosen: list[str] = []
        size = 0
        for text in sorted(saving, key=lambda text: (-saving[text], text)):
            if size + len(text) < _WINDOW:
                chosen.append(text)
                size += len(text) + 1
        return ",".join(reversed(chosen)).encode()


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
