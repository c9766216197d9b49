"""The usual models of timm, by the name of the architecture; tags that change the tree are variants."""

from __future__ import annotations

import fnmatch
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import timm
import torch

from freezelint.live.architectures.building import Observations, Scaling, described, on_meta, run
from freezelint.live.architectures.describing import Table
from freezelint.live.architectures.stepping import total
from freezelint.live.architectures.storing import Library

# Patterns of names, as many of which are kept as the installed version has.
_WANTED = Path(__file__).with_name("timm_names.txt")
_BATCH = 2
_WITH_HEAD = 1000  # classes of the variant with a head, for names whose own weights come without one


def build() -> tuple[Library, dict[str, Any]]:
    """The usual architectures of timm; the directory tells which tags lead to another variant."""
    library = Library("timm")
    tags: dict[str, dict[str, str]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in _chosen():
            table = Table(library.classes)
            records, leading = _Name(name, table).records()
            library.add(name, table.texts, records)
            if leading:
                tags[name] = leading
    return library, {"tags": tags}


def _chosen() -> list[str]:
    known = timm.list_models()
    patterns = _WANTED.read_text(encoding="utf-8").split()
    return sorted({name for pattern in patterns for name in fnmatch.filter(known, pattern)})


class _Name:
    """One of timm's names."""

    def __init__(self, name: str, table: Table) -> None:
        self._name = name
        self._table = table
        self._observations = Observations()

    def records(self) -> tuple[dict[str, Any], dict[str, str]]:
        """By the number of classes: as published (""), none ("0"), some ("n") where it was published with
        none. Tags of another size or number of classes have variants of their own.
        """
        name = self._name
        model: Any = on_meta(lambda: timm.create_model(name))
        found = {"": self._record(name, model)}
        if model.num_classes:
            found["0"] = self._record(name, on_meta(lambda: timm.create_model(name, num_classes=0)))
        else:
            with_head = on_meta(lambda: timm.create_model(name, num_classes=_WITH_HEAD))
            found["n"] = self._record(name, with_head)
        leading: dict[str, str] = {}
        published = _shown(model.pretrained_cfg)
        for tag in _tags(name):
            shown = _shown(timm.get_pretrained_cfg(f"{name}.{tag}").to_dict())
            if shown != published:
                key = leading[tag] = "x".join(map(str, shown))
                if key not in found:
                    full = f"{name}.{tag}"
                    found[key] = self._record(full, on_meta(partial(timm.create_model, full)))
        return found, leading

    def _record(self, name: str, model: Any) -> dict[str, Any]:
        classes: int = model.num_classes
        scales: Scaling = []
        if classes:
            scales = self._observations.scales(
                model, classes, lambda count: timm.create_model(name, num_classes=count)
            )
        size = model.pretrained_cfg.get("input_size", (3, 224, 224))
        ran = self._observations.ran(
            model, lambda: run(model, lambda m: total(m(torch.empty(_BATCH, *size, device="meta"))))
        )
        return described(self._table, model, ran, classes or None, scales)


def _shown(cfg: dict[str, Any]) -> tuple[int, ...]:
    """What of a configuration decides about the tree."""
    side = cfg["input_size"][-1] if cfg.get("fixed_input_size") else 0
    return (cfg.get("num_classes", 1000), side)


def _tags(name: str) -> Iterator[str]:
    for full in timm.list_pretrained(f"{name}.*"):
        architecture, _, tag = full.partition(".")
        if architecture == name and tag:
            yield tag
