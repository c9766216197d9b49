"""Layers of torchvision.ops."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import Call, Library, Module, Value
from freezelint.source.semantics.building import (
    REQUIRED,
    arguments,
    buffer,
    is_set,
    layer,
    made_by,
    parameter,
    quotient,
    size,
    sizes,
)
from freezelint.source.vocabulary import builds

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

ALIASES = {
    **{
        f"torchvision.ops.{name}.": "torchvision.ops."
        for name in (
            "misc",
            "stochastic_depth",
            "deform_conv",
            "drop_block",
            "feature_pyramid_network",
            "poolers",
        )
    },
    "torchvision.ops.roi_align.RoIAlign": "torchvision.ops.RoIAlign",
    "torchvision.ops.roi_pool.RoIPool": "torchvision.ops.RoIPool",
}
_CLASS = re.compile(r"torchvision\.ops\.[A-Z]\w*")


def _is_class(name: str) -> bool:
    return _CLASS.fullmatch(name) is not None


@builds("torchvision.ops.*", where=_is_class)
def other_layer(machine: Machine, module: Module, call: Call) -> None:
    """Poolers and the like have no parameters; of other classes nobody knows."""
    module.open = call.name.rpartition(".")[2] not in (
        "RoIAlign",
        "RoIPool",
        "PSRoIAlign",
        "PSRoIPool",
        "MultiScaleRoIAlign",
        "Permute",
        "LastLevelMaxPool",
    )


@builds("torchvision.ops.FrozenBatchNorm2d")
def frozen_batch_norm(machine: Machine, module: Module, call: Call) -> None:
    """Buffers only."""
    module.attributes["num_features"] = call.get(0, "num_features")
    buffer(module, "weight", "bias", "running_mean", "running_var")


@builds("torchvision.ops.StochasticDepth", "torchvision.ops.DropBlock2d", "torchvision.ops.DropBlock3d")
def stochastic_depth(machine: Machine, module: Module, call: Call) -> None:
    """A probability, where it is known."""
    rate = module.attributes["p"] = call.get(0, "p", 0.0)
    number = known(rate)
    if call.name.endswith("StochasticDepth"):
        module.dropout = float(number) if isinstance(number, (int, float)) else None


@builds("torchvision.ops.Conv2dNormActivation", "torchvision.ops.Conv3dNormActivation")
def convolution_norm_activation(machine: Machine, module: Module, call: Call) -> None:
    """A convolution, a norm layer and an activation in a row."""
    dimensions = call.name.rpartition("Conv")[2][:2]
    given = arguments(
        call,
        in_channels=REQUIRED,
        out_channels=REQUIRED,
        kernel_size=3,
        stride=1,
        padding=None,
        groups=1,
        norm_layer=Library(f"torch.nn.BatchNorm{dimensions}"),
        activation_layer=Library("torch.nn.ReLU"),
        dilation=1,
        inplace=True,
        bias=None,
    )
    bias = given["norm_layer"] is None if given["bias"] is None else given["bias"]
    convolution = layer(
        machine,
        f"torch.nn.Conv{dimensions}",
        given["in_channels"],
        given["out_channels"],
        given["kernel_size"],
        groups=given["groups"],
        bias=bias,
    )
    module.attributes["out_channels"] = given["out_channels"]
    _in_a_row(
        module,
        convolution,
        made_by(machine, given["norm_layer"], given["out_channels"]),
        made_by(machine, given["activation_layer"]),
    )


def _in_a_row(module: Module, *layers: Module | None) -> None:
    present = [one for one in layers if one is not None]
    module.children.update({str(position): one for position, one in enumerate(present)})


@builds("torchvision.ops.MLP")
def perceptron(machine: Machine, module: Module, call: Call) -> None:
    """Linear layers with norms, activations and dropouts between them."""
    given = arguments(
        call,
        in_channels=REQUIRED,
        hidden_channels=REQUIRED,
        norm_layer=None,
        activation_layer=Library("torch.nn.ReLU"),
        inplace=None,
        bias=True,
        dropout=0.0,
    )
    widths: Value = known(given["hidden_channels"])
    if not isinstance(widths, (list, tuple)) or not widths:
        module.open = True
        return
    layers: list[Module | None] = []
    before = given["in_channels"]
    for width in list(widths)[:-1]:
        layers.append(layer(machine, "torch.nn.Linear", before, width, given["bias"]))
        layers.append(made_by(machine, given["norm_layer"], width))
        layers.append(made_by(machine, given["activation_layer"]))
        layers.append(layer(machine, "torch.nn.Dropout", given["dropout"]))
        before = width
    layers.append(layer(machine, "torch.nn.Linear", before, list(widths)[-1], given["bias"]))
    layers.append(layer(machine, "torch.nn.Dropout", given["dropout"]))
    _in_a_row(module, *layers)


@builds("torchvision.ops.SqueezeExcitation")
def squeeze_excitation(machine: Machine, module: Module, call: Call) -> None:
    """Two convolutions of size one."""
    given = arguments(call, input_channels=REQUIRED, squeeze_channels=REQUIRED)
    module.children["avgpool"] = layer(machine, "torch.nn.AdaptiveAvgPool2d", 1)
    ends = (given["input_channels"], given["squeeze_channels"])
    module.children["fc1"] = layer(machine, "torch.nn.Conv2d", *ends, 1)
    module.children["fc2"] = layer(machine, "torch.nn.Conv2d", *reversed(ends), 1)
    for name, kind in (("activation", "ReLU"), ("scale_activation", "Sigmoid")):
        module.children[name] = layer(machine, f"torch.nn.{kind}")


@builds("torchvision.ops.DeformConv2d")
def deformable_convolution(machine: Machine, module: Module, call: Call) -> None:
    """Kernels like those of a convolution."""
    given = arguments(
        call,
        in_channels=REQUIRED,
        out_channels=REQUIRED,
        kernel_size=REQUIRED,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        bias=True,
    )
    outputs = size(given["out_channels"])
    inputs = quotient(size(given["in_channels"]), size(given["groups"]))
    parameter(machine, module, "weight", outputs, inputs, *sizes(given["kernel_size"], 2))
    if is_set(machine, given["bias"], True):
        parameter(machine, module, "bias", outputs)
    else:
        module.parameters["bias"] = None
