"""The model checkpoints that a hermetic run knows: sizes, head, tokenizer and preprocessing of each.

The catalogue itself is data (`checkpoints.json`): families by `model_type`; within one, what all its
checkpoints share, and each checkpoint with what differs from the defaults of the family's configuration
class.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Checkpoint:
    """One stored model. `architecture` is the class whose parameters are stored; `config` what its
    config.json says.

    `tokenizer` names a layout of `freezelint.live.hermetic.tokenizer_files`, `preprocessor` is the content of
    its preprocessor_config.json; either is empty where there is none.
    """

    name: str
    architecture: str
    config: Mapping[str, Any]
    tokenizer: str
    preprocessor: Mapping[str, Any]


# Words in a name that say that the sizes are not those of the configuration class.
_OTHER_SIZES = re.compile(
    r"(?<![a-z0-9])(x*small|tiny|mini|nano|medium|x*large|x*l|huge|giant|[0-9.]+[bm])(?![a-z0-9])"
)


def checkpoint_named(name: str) -> Checkpoint | None:
    """The checkpoint with this hub id. Copies under another owner are the same; None for an unknown one."""
    return _catalogue().get(_bare(name))


def checkpoint_for_class(name: str, model_type: str) -> Checkpoint | None:
    """A checkpoint of unknown name with the sizes of its class; None where the class is unknown or the name
    speaks of other sizes.
    """
    family = _families().get(model_type)
    if family is None or _OTHER_SIZES.search(_bare(name)):
        return None
    return _checkpoint(name, model_type, family, {})


def _bare(name: str) -> str:
    return name.rstrip("/").rsplit("/", 1)[-1].lower()


@lru_cache(maxsize=1)
def _families() -> dict[str, dict[str, Any]]:
    text = Path(__file__).with_name("checkpoints.json").read_text(encoding="utf-8")
    families: dict[str, dict[str, Any]] = json.loads(text)
    return families


@lru_cache(maxsize=1)
def _catalogue() -> dict[str, Checkpoint]:
    return {
        _bare(name): _checkpoint(name, model_type, family, sizes)
        for model_type, family in _families().items()
        for names, sizes in family["checkpoints"].items()
        for name in names.split()
    }


def _checkpoint(name: str, model_type: str, family: dict[str, Any], sizes: dict[str, Any]) -> Checkpoint:
    own = dict(sizes)
    architecture = own.pop("architecture", family["architecture"])
    tokenizer = own.pop("tokenizer", family.get("tokenizer", ""))
    preprocessor = {**family.get("preprocessor", {}), **own.pop("preprocessor", {})}
    config = {"model_type": model_type, "architectures": [architecture], **family.get("config", {}), **own}
    labels = config.pop("labels", 0)
    if labels:
        config["id2label"] = {str(number): f"LABEL_{number}" for number in range(labels)}
        config["label2id"] = {f"LABEL_{number}": number for number in range(labels)}
    return Checkpoint(name, architecture, config, tokenizer, preprocessor)
