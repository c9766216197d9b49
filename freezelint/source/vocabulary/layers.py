"""Layers of torch.nn with parameters of their own, dropouts, losses, and all that has neither."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import (
    Call,
    Class,
    Library,
    Module,
    NormSettings,
    Parameter,
    Tensor,
    Value,
)
from freezelint.source.semantics import building, staying
from freezelint.source.semantics.building import (
    REQUIRED,
    arguments,
    buffer,
    is_set,
    parameter,
    quotient,
    size,
    sizes,
)
from freezelint.source.vocabulary import builds, function, method

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_FILES = [
    "module",
    "linear",
    "conv",
    "batchnorm",
    "instancenorm",
    "normalization",
    "dropout",
    "sparse",
    "rnn",
    "activation",
    "container",
    "loss",
    "pooling",
    "padding",
    "flatten",
    "upsampling",
    "transformer",
    "pixelshuffle",
    "fold",
    "distance",
    "channelshuffle",
    "adaptive",
    "lazy",
    "utils",
    "_functions",
]
ALIASES = {
    **{f"torch.nn.modules.{name}.": "torch.nn." for name in _FILES},
    "torch.nn.modules.": "torch.nn.",
    "torch.nn.parameter.": "torch.nn.",
    "torch.nn.Dropout1D": "torch.nn.Dropout1d",
}
_CLASS = re.compile(r"torch\.nn\.[A-Z_][A-Za-z]\w*")
# Classes of torch.nn without parameters; others that have no entry here are not known.
_WITHOUT_PARAMETERS = re.compile(
    r"Module|Identity|Flatten|Unflatten|Fold|Unfold|Threshold|Upsample|UpsamplingNearest2d|UpsamplingBilinear2d|Container|"
    r"CrossMapLRN2d|LocalResponseNorm|ChannelShuffle|PixelShuffle|PixelUnshuffle|CosineSimilarity|PairwiseDistance|"
    r"(Log)?(Sigmoid|Softmax2?d?|Softmin)|Soft(plus|shrink|sign)|Tanh(shrink)?|Hard\w+|(Leaky|R)?ReLU6?|CELU|ELU|GELU|GLU|SELU|"
    r"SiLU|Mish|\w+Pad[123]d|\w*Pool[123]d|MaxUnpool[123]d|\w*Loss(2d)?|LazyModuleMixin"
)


def _is_class(name: str) -> bool:
    return _CLASS.fullmatch(name) is not None


@builds("torch.nn.*", where=_is_class)
def other_layer(machine: Machine, module: Module, call: Call) -> None:
    """Any other class of torch.nn."""
    if not _WITHOUT_PARAMETERS.fullmatch(call.name.rpartition(".")[2]):
        module.open = True


# -- linear ----------------------------------------------------------------------------------------


@builds("torch.nn.Linear", "torch.nn.NonDynamicallyQuantizableLinear")
def linear(machine: Machine, module: Module, call: Call) -> None:
    """A matrix and, unless told otherwise, a bias."""
    given = arguments(call, in_features=REQUIRED, out_features=REQUIRED, bias=True)
    _linear(machine, module, given["in_features"], given["out_features"], given["bias"])


@builds("torch.nn.LazyLinear")
def lazy_linear(machine: Machine, module: Module, call: Call) -> None:
    """The size of its input shows when it runs."""
    given = arguments(call, out_features=REQUIRED, bias=True)
    _linear(machine, module, 0, given["out_features"], given["bias"])
    module.class_name = module.class_name if module.cls is not None else "Linear"
    for made in module.parameters.values():
        if made is not None:
            made.dims = (made.dims[0], None) if len(made.dims) == 2 else made.dims


def _linear(machine: Machine, module: Module, inputs: Value, outputs: Value, bias: Value) -> None:
    module.attributes.update(in_features=inputs, out_features=outputs)
    parameter(machine, module, "weight", size(outputs), size(inputs))
    _bias(machine, module, bias, size(outputs))


def _bias(machine: Machine, module: Module, wanted: Value, *dims: int | None) -> None:
    if is_set(machine, wanted, True):
        parameter(machine, module, "bias", *dims)
    else:
        module.parameters["bias"] = None


@builds("torch.nn.Bilinear")
def bilinear(machine: Machine, module: Module, call: Call) -> None:
    """Two inputs, one output."""
    given = arguments(call, in1_features=REQUIRED, in2_features=REQUIRED, out_features=REQUIRED, bias=True)
    module.attributes.update({name: given[name] for name in list(given)[:3]})
    outputs = size(given["out_features"])
    parameter(machine, module, "weight", outputs, size(given["in1_features"]), size(given["in2_features"]))
    _bias(machine, module, given["bias"], outputs)


# -- convolutions ----------------------------------------------------------------------------------

_DIMENSIONS = ("1d", "2d", "3d")


@builds(
    *(f"torch.nn.Conv{d}" for d in _DIMENSIONS),
    *(f"torch.nn.ConvTranspose{d}" for d in _DIMENSIONS),
    *(f"torch.nn.LazyConv{d}" for d in _DIMENSIONS),
    *(f"torch.nn.LazyConvTranspose{d}" for d in _DIMENSIONS),
)
def convolution(machine: Machine, module: Module, call: Call) -> None:
    """Kernels; transposed ones have inputs and outputs the other way round."""
    name = call.name.rpartition(".")[2]
    transposed, lazy = "Transpose" in name, name.startswith("Lazy")
    first = {} if lazy else {"in_channels": REQUIRED}
    signature: dict[str, Value] = {
        **first,
        "out_channels": REQUIRED,
        "kernel_size": REQUIRED,
        "stride": 1,
        "padding": 0,
    }
    signature |= (
        {"output_padding": 0, "groups": 1, "bias": True}
        if transposed
        else {"dilation": 1, "groups": 1, "bias": True}
    )
    given = arguments(call, **signature)
    module.attributes.update({key: value for key, value in given.items() if key != "bias"})
    inputs = None if lazy else size(given["in_channels"])
    outputs, groups = size(given["out_channels"]), size(given["groups"])
    kernel = sizes(given["kernel_size"], int(name[-2]))
    ends = (inputs, quotient(outputs, groups)) if transposed else (outputs, quotient(inputs, groups))
    parameter(machine, module, "weight", *ends, *kernel)
    _bias(machine, module, given["bias"], outputs)
    if lazy and module.cls is None:
        module.class_name = name.removeprefix("Lazy")


# -- normalisation ---------------------------------------------------------------------------------


@builds(
    *(
        f"torch.nn.{lazy}{kind}{d}"
        for lazy in ("", "Lazy")
        for kind in ("BatchNorm", "InstanceNorm")
        for d in _DIMENSIONS
    ),
    "torch.nn.SyncBatchNorm",
    "torch.nn._BatchNorm",
    "torch.nn._InstanceNorm",
)
def norm_with_statistics(machine: Machine, module: Module, call: Call) -> None:
    """Layers that normalise by statistics of the batch or of the instance, and that may keep running ones."""
    name = call.name.rpartition(".")[2]
    by_instance, lazy = "Instance" in name, "Lazy" in name
    first = {} if lazy else {"num_features": REQUIRED}
    rest = {"eps": 1e-5, "momentum": 0.1, "affine": not by_instance, "track_running_stats": not by_instance}
    given = arguments(call, **{**first, **rest})
    module.attributes.update(given)
    features = None if lazy else size(given["num_features"])
    _statistics(machine, module, given)
    if is_set(machine, given["affine"], not by_instance):
        parameter(machine, module, "weight", features)
        _bias(machine, module, call.kwargs.get("bias", True), features)
    else:
        module.parameters.update(weight=None, bias=None)
    if lazy and module.cls is None:
        module.class_name = name.removeprefix("Lazy")


def _statistics(machine: Machine, module: Module, given: dict[str, Value]) -> None:
    tracks = machine.truth(given["track_running_stats"])
    keeps = is_set(machine, given["track_running_stats"], True)
    momentum = known(given["momentum"])
    number = isinstance(momentum, (int, float)) and not isinstance(momentum, bool)
    module.norm = NormSettings(
        has_statistics=keeps,
        tracks=tracks,
        momentum=float(momentum) if number else None if momentum is None else 0.1,
        momentum_known=number or momentum is None,
        affine=machine.truth(given["affine"]),
    )
    if keeps:
        buffer(module, "running_mean", "running_var", "num_batches_tracked")
    else:
        module.buffers.update(running_mean=None, running_var=None, num_batches_tracked=None)


@builds("torch.nn.LayerNorm", "torch.nn.RMSNorm")
def layer_norm(machine: Machine, module: Module, call: Call) -> None:
    """Scale and shift over the last dimensions; no running statistics."""
    given = arguments(call, normalized_shape=REQUIRED, eps=1e-5, elementwise_affine=True, bias=True)
    module.attributes.update(normalized_shape=given["normalized_shape"], eps=given["eps"])
    shape = sizes(given["normalized_shape"])
    affine = is_set(machine, given["elementwise_affine"], True)
    if affine:
        parameter(machine, module, "weight", *shape)
    else:
        module.parameters["weight"] = None
    if call.name.endswith("LayerNorm"):
        _bias(machine, module, given["bias"] if affine else False, *shape)
    module.norm = NormSettings(False, False, None, affine=affine)


@builds("torch.nn.GroupNorm")
def group_norm(machine: Machine, module: Module, call: Call) -> None:
    """Scale and shift of channels; no running statistics."""
    given = arguments(call, num_groups=REQUIRED, num_channels=REQUIRED, eps=1e-5, affine=True)
    module.attributes.update(given)
    affine = is_set(machine, given["affine"], True)
    if affine:
        parameter(machine, module, "weight", size(given["num_channels"]))
        _bias(machine, module, call.kwargs.get("bias", True), size(given["num_channels"]))
    else:
        module.parameters.update(weight=None, bias=None)
    module.norm = NormSettings(False, False, None, affine=affine)


@method(Module, "reset_running_stats")
def reset_running_stats(machine: Machine, module: Module, call: Call) -> Value:
    """The running statistics start anew."""
    if module.norm is not None and "_NormBase" in module.bases:
        index = machine.recorder.event("statistics-reset", modules=[module])
        module.norm.reset = index if index >= 0 else None
        module.norm.batches_since_reset = 0
    return None


@function("torch.nn.SyncBatchNorm.convert_sync_batchnorm")
def convert_sync_batchnorm(machine: Machine, call: Call) -> Value:
    """Every batch norm becomes a SyncBatchNorm that holds the same parameters."""
    module = call.args[-1] if call.args else call.kwargs.get("module")
    if not isinstance(module, Module):
        return module
    converted = {id(inner): _converted(inner) for _, inner in module.walk() if "_BatchNorm" in inner.bases}
    for _, inner in list(module.walk()):
        for name, child in inner.children.items():
            inner.children[name] = converted.get(id(child), child)
    return converted.get(id(module), module)


def _converted(norm: Module) -> Module:
    made = Module(
        "SyncBatchNorm", "torch", role="norm", norm=norm.norm, training=norm.training, built=norm.built
    )
    made.bases = frozenset({"SyncBatchNorm", "_BatchNorm", "_NormBase", "Module"})
    made.training_cause, made.name = norm.training_cause, norm.name
    made.parameters, made.buffers = norm.parameters, norm.buffers
    made.attributes = staying.without(norm.attributes)
    return made


# -- embeddings, activations with parameters, dropout ----------------------------------------------


@builds("torch.nn.Embedding", "torch.nn.EmbeddingBag")
def embedding(machine: Machine, module: Module, call: Call) -> None:
    """A table of vectors."""
    given = arguments(call, num_embeddings=REQUIRED, embedding_dim=REQUIRED)
    module.attributes.update(given)
    parameter(machine, module, "weight", size(given["num_embeddings"]), size(given["embedding_dim"]))


@function("torch.nn.Embedding.from_pretrained", "torch.nn.EmbeddingBag.from_pretrained")
def embedding_from_pretrained(machine: Machine, call: Call) -> Value:
    """A table with stored vectors, frozen unless told otherwise."""
    if call.args and isinstance(call.args[0], (Class, Library, Module)):
        call.args.pop(0)
    vectors = call.get(0, "embeddings", None)
    shape = (
        vectors.dims
        if isinstance(vectors, Parameter)
        else vectors.shape
        if isinstance(vectors, Tensor)
        else None
    )
    rows, columns = shape if shape is not None and len(shape) == 2 else (None, None)
    made = building.layer(machine, call.name.rpartition(".")[0])
    freeze = machine.truth(call.get(1, "freeze", True))
    weight = made.parameters["weight"]
    if weight is not None:
        weight.dims, weight.origin = (rows, columns), "pretrained"
        weight.requires_grad = None if freeze is None else not freeze
        machine.recorder.event("loaded", parameters=[weight])
    for name in ("num_embeddings", "embedding_dim"):
        made.attributes.pop(name, None)
    return made


@builds("torch.nn.PReLU")
def prelu(machine: Machine, module: Module, call: Call) -> None:
    """A learnt slope."""
    parameter(machine, module, "weight", size(call.get(0, "num_parameters", 1)))


_DROPOUTS = ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout")


@builds(*(f"torch.nn.{name}" for name in _DROPOUTS))
def dropout(machine: Machine, module: Module, call: Call) -> None:
    """A probability, where it is known."""
    rate = module.attributes["p"] = call.get(0, "p", 0.5)
    number = known(rate)
    module.dropout = float(number) if isinstance(number, (int, float)) else None


@builds("torch.nn.AdaptiveLogSoftmaxWithLoss", "torch.nn.LinearCrossEntropyLoss")
def softmax_with_weights(machine: Machine, module: Module, call: Call) -> None:
    """Losses that hold weights."""
    module.open = True


# -- parameters ------------------------------------------------------------------------------------


@function("torch.nn.Parameter", "torch.nn.UninitializedParameter")
def new_parameter(machine: Machine, call: Call) -> Value:
    """A parameter of the script's own making: where its values come from, nobody knows."""
    uninitialised = call.name.endswith("UninitializedParameter")
    data = None if uninitialised else call.get(0, "data", None)
    flag = machine.truth(call.get(0 if uninitialised else 1, "requires_grad", True))
    dims: tuple[int | None, ...] = ()
    if isinstance(data, Parameter):
        dims = data.dims
    elif isinstance(data, Tensor) and data.shape is not None:
        dims = data.shape
    return Parameter(requires_grad=flag, dims=dims, built=machine.location())


@method(Module, "reset_parameters", "_reset_parameters")
def reset_parameters(machine: Machine, module: Module, call: Call) -> Value:
    """The layer initialises its own weights again."""
    for own in module.parameters.values():
        if own is not None:
            own.origin = "fresh"
    return None
