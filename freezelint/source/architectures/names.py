"""From the names that scripts write to architectures."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

from freezelint.source.architectures.reading import Group, library
from freezelint.source.architectures.resizing import resized
from freezelint.source.architectures.tree import Architecture, Ran

Pretrained = Literal["", "backbone", "all"]


def names(of: str) -> tuple[str, ...]:
    """Known names of a library: models of torchvision, architectures of timm, types and hub ids of
    transformers.
    """
    known = library(of)
    if of != "transformers":
        return known.groups
    sized = (name for name in known.index["types"] if name in known.index["places"])
    return (*sized, *known.index["checkpoints"])


@lru_cache(maxsize=256)
def torchvision(name: str, classes: int | None = None, pretrained: Pretrained = "") -> Architecture | None:
    """A model of torchvision. What is pretrained decides about its parts: detectors freeze their norm layers,
    some lose or gain an auxiliary head.
    """
    group = library("torchvision").group(name)
    if group is None:
        return None
    key = pretrained if pretrained in group.records else ""
    return _made(group, key, name, "torchvision", classes)


@lru_cache(maxsize=256)
def timm(name: str, classes: int | None = None) -> Architecture | None:
    """An architecture of timm, with or without a tag; `classes` 0 means without a head."""
    known = library("timm")
    base, _, tag = name.rpartition("timm/")[2].partition(".")
    group = known.group(base)
    if group is None:
        return None
    key = known.index["tags"].get(base, {}).get(tag, "")
    published = group.records[key].get("classes")
    if classes == 0 and published:
        key = "0" if key == "" else key
    if classes and not published:
        key = "n"
    if classes == 0 and group.records[key].get("classes"):
        return None  # a variant of another size that is known only with its head
    return _made(group, key, name, "timm", classes or None)


@lru_cache(maxsize=256)
def transformers(name: str, task: str = "", labels: int | None = None) -> Architecture | None:
    """A model of transformers by hub id or by model type (with the sizes of its configuration class).

    `task` is "" for the bare model, the end of a class name ("ForSequenceClassification", "LMHeadModel") or
    of an automatic class ("ForCausalLM"), or a whole class name; a class name may also stand for the type.
    """
    index = library("transformers").index
    of_class = transformers_class(name)
    if of_class is not None:
        name, task = of_class[0], task or of_class[1]
    group_name, stored, stored_labels, official = _checkpoint(name, index)
    model_type = group_name.partition(":")[0]
    entry = index["types"].get(model_type)
    group = library("transformers").group(group_name)
    if entry is None or group is None:
        return None
    tasks: dict[str, str] = entry["tasks"]
    class_name = tasks.get(task, task if task in tasks.values() else None)
    if class_name is None:
        return None
    suffix = f"/{stored_labels}" if stored_labels else ""
    key = class_name + suffix
    if key not in group.records:
        return None
    found = _made(group, key, name, "transformers", labels)
    missing = group.records["heads"].get(stored + suffix, {}).get(class_name, ())
    head = tuple(missing or ())
    if found.classes is not None and found.classes != group.records[key].get("classes"):
        head = tuple(dict.fromkeys((*head, *found.labelled)))
    return replace(found, head=head, pretrained_head=not head if official and missing is not None else None)


def transformers_class(class_name: str) -> tuple[str, str] | None:
    """Model type and task of a class: "BertForSequenceClassification" -> ("bert",
    "ForSequenceClassification").
    """
    return _classes().get(class_name)


def auto_task(class_name: str) -> str | None:
    """The task of an automatic class: "AutoModelForCausalLM" -> "ForCausalLM"."""
    task: str | None = library("transformers").index["auto"].get(class_name)
    return task


@lru_cache(maxsize=1)
def _classes() -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for model_type, entry in library("transformers").index["types"].items():
        for task, class_name in entry["tasks"].items():
            known = found.get(class_name)
            # A class serves several tasks; its own name tells the one that it is called by.
            if known is None or (not class_name.endswith(known[1]) and class_name.endswith(task)):
                found[class_name] = (model_type, task)
    return found


def _checkpoint(name: str, index: dict[str, Any]) -> tuple[str, str, int, bool]:
    """Group, stored class, its labels, and whether this is the checkpoint of its publisher rather than a
    copy, or a type.
    """
    if name in index["types"] and name not in index["checkpoints"]:
        return name, index["types"][name]["stored"], 0, False
    full = name.rstrip("/").lower()
    owner, _, bare = full.rpartition("/")
    entry = index["checkpoints"].get(full) or index["checkpoints"].get(bare)
    if entry is None:
        return "", "", 0, False
    group, stored, labels = entry
    return group, stored, labels, not owner or owner in index["accounts"]


def _made(group: Group, key: str, name: str, of: str, classes: int | None) -> Architecture:
    record = group.records[key]
    labelled = tuple(record.get("labelled", ()))
    made = Architecture(
        name=name,
        library=of,
        root=group.node(record["root"]),
        tied=tuple((path, first) for path, first in record.get("tied", ())),
        repeated=tuple((path, first) for path, first in record.get("repeated", ())),
        head=tuple(record["head"]) if "head" in record else labelled,
        labelled=labelled,
        classes=record.get("classes"),
        ran=_ran(record.get("ran")),
    )
    if classes is None or made.classes is None or classes == made.classes:
        return made
    return resized(made, record["scaling"], classes)


def _ran(stored: dict[str, Any] | None) -> Ran | None:
    if stored is None:
        return None
    order: list[int] = []
    for distance in stored.get("steps", ()):
        order.append(order[-1] + distance if order else distance)
    return Ran(tuple(order) or None, frozenset(stored.get("skipped", ())), tuple(stored.get("unused", ())))
