"""Models of timm, from the knowledge base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source import architectures
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import Call, Module, Parameter, Unknown, Value
from freezelint.source.semantics import escapes, trees
from freezelint.source.vocabulary import function, method

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

# How a model remembers the paths of the modules that follow the number of classes, among its attributes.
_HEADS = "*heads"

ALIASES = {
    "timm.models.create_model": "timm.create_model",
    "timm.models.factory.create_model": "timm.create_model",
}


@function("timm.create_model")
def create_model(machine: Machine, call: Call) -> Value:
    """`timm.create_model("resnet50", pretrained=True, num_classes=10)`."""
    name = known(call.get(0, "model_name"))
    origin = trees.origin_asked(machine, call.get(1, "pretrained", False))
    checkpoint = call.kwargs.get("checkpoint_path", "")
    if checkpoint not in ("", None):
        origin = "pretrained" if isinstance(checkpoint, str) else "unknown"
    asked = call.get(None, "num_classes", None)
    classes = trees.count_asked(asked)
    architecture = architectures.timm(name, classes) if isinstance(name, str) else None
    if architecture is None or call.kwargs.get("features_only") not in (None, False):
        return trees.unknown_model(machine, name if isinstance(name, str) else "model", "timm", origin)
    root = trees.grow(machine, architecture, origin)
    if asked is not None and origin != "fresh":
        published = architectures.timm(name)
        same = published is not None and classes is not None and published.classes == classes
        if not same:
            trees.mark_at(root, architecture.head, "fresh" if classes is not None else "unknown")
    _drop(root, call)
    root.attributes[_HEADS] = architecture.labelled or architecture.head
    return root


def _drop(root: Module, call: Call) -> None:
    """Rates of dropout and stochastic depth that the call sets are those of nobody knows which layers."""
    if any(
        call.kwargs.get(name) not in (None, 0, 0.0)
        for name in ("drop_rate", "drop_path_rate", "proj_drop_rate")
    ):
        for _, module in root.walk():
            if module.dropout is not None:
                module.dropout = None


@method(Module, "get_classifier")
def get_classifier(machine: Machine, module: Module, call: Call) -> Value:
    """The classifier: what follows the number of classes, else by the names that timm gives it."""
    heads = module.attributes.get(_HEADS, ())
    if len(heads) == 1 and (head := trees.at(module, heads[0])) is not None:
        return head
    for name in ("fc", "classifier", "head", "last_linear"):
        child = module.children.get(name)
        if child is not None:
            inner = child.children.get("fc")
            return inner if inner is not None else child
    escapes.escaped(
        machine, [module], call.name
    )  # whatever is done to the classifier is done to some part of it
    return Unknown("get_classifier()")


@method(Module, "reset_classifier")
def reset_classifier(machine: Machine, module: Module, call: Call) -> Value:
    """A new classifier in place of the old one."""
    head = get_classifier(machine, module, call)
    if isinstance(head, Module):
        for name, parameter in list(head.parameters.items()):
            if parameter is not None:
                size = known(call.get(0, "num_classes"))
                dims = (size if isinstance(size, int) else None, *parameter.dims[1:])
                head.parameters[name] = Parameter(
                    dims=dims, origin="fresh", built=machine.location(), text=name
                )
    return None


@function("timm.data.*", "timm.utils.*", "timm.list_models", "timm.loss.*")
def no_model(machine: Machine, call: Call) -> Value:
    """What is no model; losses compute tensors from their inputs."""
    given = [value for value in call.args if not isinstance(value, (Module, str, int, float))]
    return machine.derived(*given) if given and call.name.startswith("timm.loss") else Unknown(call.name)
