"""Module trees of known architectures: torchvision's models, timm's, and transformers' by hub id.

    torchvision("resnet50"), timm("vit_base_patch16_224.augreg_in21k"),
    transformers("bert-base-uncased", "ForSequenceClassification")

give an `Architecture`, or None for a name that is not known. Nothing is guessed from the look of a name. The
data are made by `python -m freezelint.live.architectures` from the installed libraries; reading them needs
neither these nor torch. One architecture is read at a time, and its nodes are shared, not expanded:
`module_paths` walks the modules as `named_modules()` would.
"""

from freezelint.source.architectures.names import (
    auto_task,
    names,
    timm,
    torchvision,
    transformers,
    transformers_class,
)
from freezelint.source.architectures.tree import (
    Architecture,
    Node,
    NormSettings,
    module_paths,
    parameter_paths,
)

__all__ = [
    "Architecture",
    "Node",
    "NormSettings",
    "auto_task",
    "module_paths",
    "names",
    "parameter_paths",
    "timm",
    "torchvision",
    "transformers",
    "transformers_class",
]
