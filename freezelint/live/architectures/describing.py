"""A module tree as a table of unique nodes: layers that are alike are one entry."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from torch import nn

from freezelint.live import inventory

# Numbers of a layer that scripts read in order to build its replacement.
_READ = (
    *("in_features", "out_features", "in_channels", "out_channels", "num_features", "num_embeddings"),
    *("embedding_dim", "embed_dim", "num_classes", "num_labels", "hidden_size", "hidden_dim", "nf", "nx"),
    *("head_hidden_size", "num_anchors", "feature_dim"),
)
# Numbers of a configuration of transformers that scripts read.
_READ_OF_CONFIGURATIONS = (
    *("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size"),
    *("num_labels", "vocab_size", "max_position_embeddings", "type_vocab_size", "d_model", "d_ff", "d_kv"),
    *("dim", "n_embd", "n_layer", "n_layers", "n_head", "n_heads", "num_layers", "num_decoder_layers"),
    *("num_heads", "encoder_layers", "decoder_layers", "encoder_attention_heads", "decoder_attention_heads"),
    *("encoder_ffn_dim", "decoder_ffn_dim", "embedding_size", "embed_dim", "hidden_dim", "n_positions"),
    *("image_size", "patch_size", "num_channels", "projection_dim", "classifier_proj_size", "ffn_dim"),
    *("word_embed_proj_dim", "head_dim", "decoder_hidden_size", "num_queries", "num_mel_bins"),
)


class Classes:
    """The classes of a library's modules, numbered; shared by all of its architectures."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, record: list[Any]) -> int:
        return self._numbers.setdefault(_text(record), len(self._numbers))

    def records(self) -> list[Any]:
        return [json.loads(text) for text in self._numbers]


class Table:
    """The unique nodes of one group of architectures, children before parents."""

    def __init__(self, classes: Classes) -> None:
        self._classes = classes
        self._numbers: dict[str, int] = {}
        self.texts: list[str] = []

    def add(self, module: nn.Module, extra: dict[str, int] | None = None) -> int:
        """Number of the node of this module. `extra` are further attributes of it."""
        children = {name: self.add(child) for name, child in module._modules.items() if child is not None}
        attributes = {**_attributes(module), **(extra or {})}
        record: dict[str, Any] = {"c": self._classes.number(_class_record(module, list(attributes)))}
        own = {name: p for name, p in module._parameters.items() if p is not None}
        if own:
            record["p"] = {name: list(p.shape) for name, p in own.items()}
        frozen = [name for name, p in own.items() if not p.requires_grad]
        if frozen:
            record["f"] = frozen
        if attributes:
            record["a"] = list(attributes.values())
        norm = inventory.norm_of(module, None, None)
        if norm is not None:
            record["n"] = [int(norm.has_statistics), int(norm.tracks), norm.momentum, int(norm.affine)]
        rate = inventory.dropout_of(module)
        if rate is not None:
            record["d"] = round(rate, 6)
        role = inventory.role_of(module)
        if role in ("plain", "container") and role != ("container" if children and not own else "plain"):
            record["r"] = role
        return self._enter(record, children)

    def _enter(self, record: dict[str, Any], children: dict[str, int]) -> int:
        key = _text([record, children])
        if key not in self._numbers:
            number = len(self.texts)
            self._numbers[key] = number
            if children:
                # Distances, not numbers: blocks that are alike then read alike wherever they stand.
                record["k"] = {name: number - child for name, child in children.items()}
            self.texts.append(_text(record))
        return self._numbers[key]


def configuration_numbers(model: nn.Module) -> dict[str, int]:
    """The numbers that scripts read from `model.config`."""
    config = getattr(model, "config", None)
    found = {name: getattr(config, name, None) for name in _READ_OF_CONFIGURATIONS}
    return {name: value for name, value in found.items() if type(value) is int}


def repeated_modules(model: nn.Module) -> list[list[str]]:
    """Modules that stand at a second place: (path, first path), outermost only."""
    first: dict[int, str] = {}
    pairs: list[list[str]] = []
    for path, module in model.named_modules(remove_duplicate=False):
        if id(module) not in first:
            first[id(module)] = path
        elif not any(path.startswith(f"{outer}.") for outer, _ in pairs):
            pairs.append([path, first[id(module)]])
    return pairs


def tied_parameters(model: nn.Module) -> list[list[str]]:
    """Parameters of different modules that are one tensor: (path, first path)."""
    first: dict[int, str] = {}
    pairs: list[list[str]] = []
    for module_path, module in model.named_modules():
        for name, parameter in module._parameters.items():
            path = f"{module_path}.{name}" if module_path else name
            if parameter is not None and first.setdefault(id(parameter), path) != path:
                pairs.append([path, first[id(parameter)]])
    return pairs


def outermost(model: nn.Module, chosen: Iterable[str]) -> list[str]:
    """Modules that wholly consist of these parameters, as far out as they join several modules."""
    wanted = set(chosen)
    found: list[str] = []
    _collect(model, "", wanted, found)
    return found


def _collect(module: nn.Module, path: str, wanted: set[str], found: list[str]) -> bool:
    """Enter the chosen modules at and below this one; tells whether it consists of nothing else."""
    prefix = f"{path}." if path else ""
    own = [prefix + name for name, parameter in module._parameters.items() if parameter is not None]
    complete = all(name in wanted for name in own)
    joined = 0
    for name, child in module._modules.items():
        if child is not None and next(child.parameters(), None) is not None:
            joined += 1
            complete = _collect(child, prefix + name, wanted, found) and complete
    if complete and path and (own or joined > 1):
        found[:] = [entry for entry in found if not entry.startswith(prefix)]
        found.append(path)
    return complete and bool(own or joined)


def _class_record(module: nn.Module, attributes: list[str]) -> list[Any]:
    role = inventory.role_of(module)
    cls = type(module)
    bases = [
        base.__name__
        for base in cls.__mro__
        if issubclass(base, nn.Module)
        and base.__module__.partition(".")[0] == "torch"
        and base is not nn.Module
    ]
    kind = role if role in ("norm", "dropout", "embedding") else ""
    overriding = int(inventory.overrides_train(module))
    return [cls.__name__, inventory.library_of(module), kind, overriding, bases, attributes]


def _attributes(module: nn.Module) -> dict[str, int]:
    found = {name: vars(module).get(name) for name in _READ}
    return {name: value for name, value in found.items() if type(value) is int}


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
