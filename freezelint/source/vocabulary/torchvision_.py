"""Models of torchvision, from the knowledge base."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from freezelint.evidence import Origin
from freezelint.source import architectures
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import (
    MISSING,
    Call,
    Class,
    Library,
    Module,
    NormSettings,
    Unknown,
    Value,
)
from freezelint.source.semantics import trees
from freezelint.source.vocabulary import builds, function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_KINDS = ("detection", "segmentation", "video", "optical_flow", "quantization")
# The layers of a ResNet from the output to the input, as detection models count trainable ones.
_RESNET_LAYERS = ("layer4", "layer3", "layer2", "layer1", "conv1")
_RESNETS = {
    ("BasicBlock", (2, 2, 2, 2)): "resnet18",
    ("BasicBlock", (3, 4, 6, 3)): "resnet34",
    ("Bottleneck", (3, 4, 6, 3)): "resnet50",
    ("Bottleneck", (3, 4, 23, 3)): "resnet101",
    ("Bottleneck", (3, 8, 36, 3)): "resnet152",
}


@function("torchvision.models.*")
def model(machine: Machine, call: Call) -> Value:
    """A model builder such as `resnet18(weights=…)`."""
    name = call.name.rpartition(".")[2]
    return built(machine, name, call)


@function("torchvision.models.get_model")
def get_model(machine: Machine, call: Call) -> Value:
    """`get_model("resnet18", weights="DEFAULT")`."""
    name = known(call.get(0, "name"))
    if not isinstance(name, str):
        return trees.unknown_model(machine, "model", "torchvision")
    return built(
        machine, name.rpartition("/")[2], Call(call.node, call.args[1:], call.kwargs, complete=call.complete)
    )


def built(machine: Machine, name: str, call: Call) -> Value:
    """The model of this name with the weights that the call asks for."""
    asked = call.kwargs.get("weights", call.kwargs.get("pretrained", call.args[0] if call.args else MISSING))
    if asked is MISSING and not call.complete:
        asked = Unknown("weights")
    origin = trees.origin_asked(machine, asked)
    backbone = _backbone_origin(machine, call, origin)
    classes = trees.count_asked(call.kwargs.get("num_classes"))
    parts: Literal["", "backbone", "all"] = (
        "all" if origin == "pretrained" else "backbone" if backbone == "pretrained" else ""
    )
    architecture = architectures.torchvision(name, classes, parts)
    if architecture is None:
        if not name.islower():
            return Unknown(f"torchvision.models.{name}")
        return trees.unknown_model(machine, name, "torchvision")
    root = trees.grow(machine, architecture, origin)
    if root.children.get("backbone") is not None and origin != "pretrained":
        trees.mark(root, backbone)
        trees.mark_at(root, architecture.head, "fresh" if backbone == "pretrained" else backbone)
    if call.kwargs.get("aux_logits", True) is False:
        for auxiliary in ("aux1", "aux2", "AuxLogits"):
            if auxiliary in root.children:
                root.children[auxiliary] = None
    if "norm_layer" in call.kwargs:
        _other_norm(root, call.kwargs["norm_layer"])
    _trainable_layers(machine, root, call, origin if origin == "pretrained" else backbone)
    return root


def _backbone_origin(machine: Machine, call: Call, origin: Origin) -> Origin:
    """Detection and segmentation models load their backbone unless told otherwise."""
    if "weights_backbone" in call.kwargs:
        return trees.origin_asked(machine, call.kwargs["weights_backbone"])
    return trees.origin_asked(machine, call.kwargs.get("pretrained_backbone", True))


def _other_norm(root: Module, norm: Value) -> None:
    name = norm.name.rpartition(".")[2] if isinstance(norm, (Library, Class)) else ""
    for _, module in root.walk():
        if module.class_name == "BatchNorm2d":
            if name == "FrozenBatchNorm2d":
                _freeze_norm(module)
            elif name not in ("BatchNorm2d", "SyncBatchNorm"):
                module.norm = NormSettings(False, None, None, momentum_known=False)
                module.class_name, module.bases = name or "Module", frozenset({"Module"})


def _freeze_norm(module: Module) -> None:
    module.class_name, module.library = "FrozenBatchNorm2d", "torchvision"
    module.bases, module.role = frozenset({"Module"}), "plain"
    module.norm = None
    module.parameters.clear()


def _trainable_layers(machine: Machine, root: Module, call: Call, backbone: Origin) -> None:
    """Detectors freeze the first layers of a pretrained backbone: all but three, unless told otherwise."""
    asked = known(call.kwargs.get("trainable_backbone_layers", 3))
    body = trees.at(root, "backbone.body")
    if asked == 3 or body is None or "layer1" not in body.children:
        return
    for path, parameter in body.own_and_below():
        if not isinstance(asked, int) or backbone != "pretrained":
            parameter.requires_grad = None if backbone != "fresh" else True
        else:
            parameter.requires_grad = asked >= 5 or path.startswith(_RESNET_LAYERS[:asked])


@builds("torchvision.models.resnet.ResNet", "torchvision.models.ResNet")
def resnet(machine: Machine, module: Module, call: Call) -> None:
    """`ResNet(Bottleneck, [3, 4, 6, 3])`, often as the base of a class of the script."""
    block, layers = call.get(0, "block", None), call.get(1, "layers", None)
    kind = block.name.rpartition(".")[2] if isinstance(block, Library) else ""
    sizes = tuple(layers) if isinstance(layers, list) and all(isinstance(n, int) for n in layers) else ()
    name = _RESNETS.get((kind, sizes))
    classes = trees.count_asked(call.get(2, "num_classes", None))
    architecture = None if name is None else architectures.torchvision(name, classes)
    if architecture is None:
        module.open = True
        return
    grown = trees.grow(machine, architecture, "fresh")
    machine.recorder.made.remove(grown)
    module.children.update(grown.children)
    module.calls = grown.calls


@function("torchvision.models.feature_extraction.create_feature_extractor")
def feature_extractor(machine: Machine, call: Call) -> Value:
    """The same modules under other outputs."""
    return call.get(0, "model", Unknown("model"))


@function("torch.hub.load")
def hub(machine: Machine, call: Call) -> Value:
    """Models of torch.hub: those of pytorch/vision are known."""
    repository, name = known(call.get(0, "repo_or_dir")), known(call.get(1, "model"))
    inner = Call(call.node, call.args[2:], call.kwargs, complete=call.complete)
    inner.kwargs = {key: value for key, value in call.kwargs.items() if key not in ("source", "force_reload")}
    if isinstance(repository, str) and isinstance(name, str) and repository.startswith("pytorch/vision"):
        return built(machine, name, inner)
    return trees.unknown_model(machine, name if isinstance(name, str) else "model", "torch.hub")


@function("torchvision.transforms.*", "torchvision.datasets.*", "torchvision.utils.*", "torchvision.io.*")
def no_model(machine: Machine, call: Call) -> Value:
    """What is no model."""
    return Unknown(f"{call.name.rpartition('.')[2]}(…)")


ALIASES = {f"torchvision.models.{kind}.": "torchvision.models." for kind in _KINDS}
