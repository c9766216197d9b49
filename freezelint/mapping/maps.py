"""What `freezelint map` tells, as text and as data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from freezelint.freezing.tables import Summary


@dataclass(frozen=True)
class Map:
    """One model: its name, its class, what more there is to say of where this comes from, the table."""

    name: str
    class_name: str
    where: str
    summary: Summary
    notes: tuple[str, ...] = ()


def as_text(maps: Sequence[Map]) -> str:
    """Title, table and notes of each."""
    return "\n".join(_text(each) for each in maps)


def as_json(maps: Sequence[Map]) -> str:
    """The same as data."""
    models = [
        {
            "name": each.name,
            "class": each.class_name,
            "where": each.where,
            **each.summary.data(),
            "notes": list(each.notes),
        }
        for each in maps
    ]
    return f"{json.dumps({'version': 1, 'models': models}, indent=2)}\n"


def _text(each: Map) -> str:
    title = f"{each.name} ({each.class_name}){f', {each.where}' if each.where else ''}"
    notes = "".join(f"{note}\n" for note in each.notes)
    return f"{title}\n\n{each.summary}\n" + (f"\n{notes}" if notes else "")
