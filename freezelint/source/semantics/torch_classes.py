"""Which classes of torch descend from which, as far as scripts ask by `isinstance`."""

from __future__ import annotations

import re
from functools import cache

_BASES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"), ("_BatchNorm", "_NormBase")
    ),
    **dict.fromkeys(("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"), ("_InstanceNorm", "_NormBase")),
    "_BatchNorm": ("_NormBase",),
    "_InstanceNorm": ("_NormBase",),
    **dict.fromkeys(("Dropout", "AlphaDropout", "FeatureAlphaDropout"), ("_DropoutNd",)),
    **dict.fromkeys(("Dropout1d", "Dropout2d", "Dropout3d"), ("_DropoutNd",)),
    **dict.fromkeys(
        ("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"), ("_ConvTransposeNd", "_ConvNd")
    ),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), ("RNNBase",)),
    **dict.fromkeys(("LSTMCell", "GRUCell", "RNNCell"), ("RNNCellBase",)),
    **dict.fromkeys(("ZeroPad1d", "ZeroPad2d", "ZeroPad3d"), ("_ConstantPadNd",)),
    **dict.fromkeys(("UpsamplingBilinear2d", "UpsamplingNearest2d"), ("Upsample",)),
    **dict.fromkeys(
        ("BCELoss", "CrossEntropyLoss", "MultiLabelSoftMarginLoss", "MultiMarginLoss", "NLLLoss"),
        ("_WeightedLoss", "_Loss"),
    ),
    "NLLLoss2d": ("NLLLoss", "_WeightedLoss", "_Loss"),
    "ReLU6": ("Hardtanh",),
    "NonDynamicallyQuantizableLinear": ("Linear",),
    # torchvision
    **dict.fromkeys(
        ("Conv2dNormActivation", "Conv3dNormActivation", "ConvBNActivation"),
        ("ConvNormActivation", "Sequential"),
    ),
    **dict.fromkeys(("ConvNormActivation", "MLP"), ("Sequential",)),
    "DropBlock3d": ("DropBlock2d",),
}
# A lazy layer is of the eager class once it has run.
_LAZY = re.compile(r"Lazy(\w+)")
_OF_DIMENSIONS = re.compile(r"([A-Z]\w*?)[123]d")


@cache
def bases_of(name: str) -> frozenset[str]:
    """The names of the class and of its ancestors among modules."""
    lazy = _LAZY.fullmatch(name)
    if lazy:
        return bases_of(lazy[1]) | {name, "LazyModuleMixin"}
    found = {name, "Module", *_BASES.get(name, ())}
    dimensions = _OF_DIMENSIONS.fullmatch(name)
    if dimensions and name not in _BASES:
        found.add(f"_{dimensions[1]}Nd")
    if name.endswith("Loss"):
        found.add("_Loss")
    return frozenset(found)
