"""Models of transformers, from the knowledge base: automatic classes, task classes, classes of the script."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from freezelint.evidence import Origin
from freezelint.source import architectures
from freezelint.source.interpreter.functions import instantiate
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import MISSING, Call, Class, Instance, Module, Unknown, Value
from freezelint.source.semantics import checkpoints, trees
from freezelint.source.semantics.checkpoints import Saved
from freezelint.source.semantics.reshaped import Reshaped
from freezelint.source.vocabulary import builds, function
from freezelint.source.vocabulary.transformers_settings import (
    for_model,
    given_to,
    identity_of,
    labels_of,
    loaded,
    made,
    update,
    wanted_by,
)

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_MODEL = (
    "Model",
    "ForSequenceClassification",
    "PreTrainedModel",
    "LMHeadModel",
    "DoubleHeadsModel",
    "EncoderModel",
)


def _is_model(name: str) -> bool:
    return (
        name.startswith("AutoModel")
        or name.endswith(_MODEL)
        or (
            "For" in name
            and name[:1].isupper()
            and not name.endswith(("Config", "Tokenizer", "Processor", "Output"))
        )
        or architectures.transformers_class(name) is not None
    )


@function("transformers.*")
def anything(machine: Machine, call: Call) -> Value:
    """Names of transformers: `X.from_pretrained`, `X.from_config`, `XConfig(…)`, models built from a
    configuration."""
    parts = call.name.split(".")
    last, owner = parts[-1], parts[-2] if len(parts) > 2 else ""
    if last in ("from_pretrained", "from_config", "_from_config"):
        return _loaded(machine, owner, call, last)
    if last == "from_encoder_decoder_pretrained":
        return _of_two_parts(machine, owner, call)
    if last == "for_model" and owner == "AutoConfig":
        return for_model(call)
    if last.endswith("Config"):
        return made(machine, last, call)
    if _is_model(last):
        return from_configuration(machine, last, call.get(0, "config", MISSING), call)
    return Unknown(f"{last}(…)")


def _loaded(machine: Machine, owner: str, call: Call, how: str) -> Value:
    receiver = call.args[0] if call.args and isinstance(call.args[0], Class) else None
    if receiver is not None:
        return _class_of_the_script(machine, receiver, call)
    source = call.get(0, "pretrained_model_name_or_path" if how == "from_pretrained" else "config", MISSING)
    if owner.endswith("Config"):
        return loaded(machine, source, call)
    if not _is_model(owner):
        return Unknown(f"{owner}.{how}(…)")
    if how != "from_pretrained":
        return from_configuration(machine, owner, source, call)
    return from_checkpoint(machine, owner, source, call)


def _of_two_parts(machine: Machine, class_name: str, call: Call) -> Module:
    """An encoder and a decoder, each with its weights; the decoder gains layers that nobody knows."""
    whole = trees.unknown_model(machine, class_name, "transformers")
    whole.training = None
    if call.complete:
        source = call.get(0, "encoder_pretrained_model_name_or_path", MISSING)
        encoder = from_checkpoint(machine, "AutoModel", source, Call(call.node, [source], {}))
        machine.recorder.made.remove(encoder)
        whole.children["encoder"] = encoder
    return whole


def _task(class_name: str) -> str:
    task = architectures.auto_task(class_name)
    return class_name if task is None else task


def from_configuration(machine: Machine, class_name: str, config: Value, call: Call) -> Module:
    """A model of this class under a configuration: all of it is fresh."""
    wanted = wanted_by(config, _task(class_name)) if isinstance(config, Instance) and call.complete else None
    if wanted is None:
        root = trees.unknown_model(machine, class_name, "transformers", "fresh")
    else:
        root = trees.grow_reshaped(machine, wanted, "fresh")
        _without_pooler(root, call)
    root.attributes["config"] = config
    return root


def _without_pooler(root: Module, call: Call) -> None:
    """`add_pooling_layer=False`."""
    adds = call.kwargs.get("add_pooling_layer", True)
    if adds is not True and root.children.get("pooler") is not None:
        if adds is False:
            root.children["pooler"] = None
            root.calls = tuple(path for path in root.calls if path.partition(".")[0] != "pooler")
        else:
            root.open = True


def from_checkpoint(machine: Machine, class_name: str, source: Value, call: Call) -> Module:
    """A model of this class with the weights of a hub id, or of what the script has saved in a folder."""
    saved = checkpoints.find(machine, source)
    config = _configuration_for(machine, source, call)
    wanted = wanted_by(config, _task(class_name)) if call.complete else None
    if wanted is None:
        root = trees.unknown_model(machine, class_name, "transformers", "unknown")
    elif saved is not None:
        root = trees.grow_reshaped(machine, wanted, "fresh")
        _load(root, saved)
    else:
        root = trees.grow_reshaped(machine, wanted, "pretrained")
        _without_head(root, wanted, config, source)
    if wanted is not None:
        _without_pooler(root, call)
        root.attributes["config"] = config
    _into_eval(machine, root)
    return root


def _configuration_for(machine: Machine, source: Value, call: Call) -> Instance:
    """The configuration of what is loaded: that which is given, or the checkpoint's, with the call's own."""
    given = call.kwargs.get("config")
    if not isinstance(given, Instance):
        return loaded(machine, source if given is None else Unknown("config"), call)
    update(given, given_to(call))
    return given


def _load(root: Module, saved: Saved, prefix: str = "") -> None:
    prefix = prefix or checkpoints.prefix_of(root)
    for path, parameter in root.own_and_below():
        holds = saved.holds(path, parameter.dims, prefix)
        parameter.origin = "unknown" if holds is None else ("pretrained" if holds else "fresh")


def _without_head(root: Module, wanted: Reshaped, config: Instance, source: Value) -> None:
    """What the checkpoint lacks starts fresh; of a copy under another name nobody knows."""
    architecture, labels = wanted.architecture, labels_of(config)
    lacking: Origin = "unknown" if architecture.pretrained_head is None else "fresh"
    trees.mark_at(root, architecture.head, lacking)
    for path in architecture.head:
        _mark_parameter(root, path, lacking)
    trees.mark_at(root, wanted.added, "fresh")
    if isinstance(labels, Unknown):
        trees.mark_at(
            root, architecture.labelled, "unknown" if lacking == "unknown" else _or_fresh(architecture)
        )
    if wanted.sized or identity_of(config) != known(source):
        trees.mark(root, "unknown")  # a configuration that is not the checkpoint's


def _or_fresh(architecture: architectures.Architecture) -> Origin:
    return "fresh" if set(architecture.labelled) <= set(architecture.head) else "unknown"


def _mark_parameter(root: Module, path: str, origin: Origin) -> None:
    owner, _, name = path.rpartition(".")
    module = trees.at(root, owner)
    parameter = module.parameters.get(name) if module is not None else None
    if parameter is not None:
        parameter.origin = origin


def _into_eval(machine: Machine, root: Module) -> None:
    """`from_pretrained` returns a model in eval mode."""
    index = machine.recorder.event(
        "to-eval", modules=[root], name="transformers", key="transformers", wholly_frozen=False
    )
    for _, module in root.walk():
        module.training = False
        module.training_cause = index if index >= 0 else None


def _is_model_class(name: str) -> bool:
    return _is_model(name.rpartition(".")[2])


@builds("transformers.*", where=_is_model_class)
def base(machine: Machine, module: Module, call: Call) -> None:
    """`super().__init__(config)` of a class of the script that derives from one of transformers."""
    name = call.name.rpartition(".")[2]
    config = call.get(0, "config", None)
    module.attributes["config"] = config
    if name.endswith("PreTrainedModel"):
        return
    wanted = wanted_by(config, name) if isinstance(config, Instance) and call.complete else None
    if wanted is None:
        module.open = True
        return
    grown = trees.grow_reshaped(machine, wanted, "fresh")
    machine.recorder.made.remove(grown)
    _without_pooler(grown, call)
    module.children.update(grown.children)
    module.parameters.update(grown.parameters)
    module.calls = grown.calls


def _class_of_the_script(machine: Machine, cls: Class, call: Call) -> Value:
    """`MyModel.from_pretrained("bert-base-uncased")`: the constructor runs on a configuration, then the part
    that a checkpoint brings is pretrained."""
    source = call.get(1, "pretrained_model_name_or_path", MISSING)
    config = _configuration_for(machine, source, call)
    own = cls.find("__init__")
    asked = _named_in(own[0]) if own is not None else frozenset()
    rest = {name: value for name, value in call.kwargs.items() if name in asked and name != "config"}
    root = instantiate(machine, cls, Call(call.node, [config, *call.args[2:]], rest, complete=call.complete))
    if not isinstance(root, Module):
        return root
    saved = checkpoints.find(machine, source)
    if saved is not None:
        _load(root, saved)
    else:
        _load_from_hub(root, config)
    _into_eval(machine, root)
    return root


def _named_in(function: Value) -> frozenset[str]:
    node = getattr(function, "node", None)
    if not isinstance(node, ast.FunctionDef):
        return frozenset()
    return frozenset(argument.arg for argument in (*node.args.args, *node.args.kwonlyargs))


def _load_from_hub(root: Module, config: Instance) -> None:
    """The bare model, under the name that its type has for it, has the checkpoint's weights."""
    wanted = wanted_by(config, "")
    prefix = checkpoints.prefix_of(root)
    for name, child in root.children.items():
        if child is None:
            continue
        if wanted is None or (name != prefix and child.library == "transformers"):
            trees.mark(child, "unknown")
        elif name == prefix:
            trees.mark(child, "unknown" if wanted.sized else "pretrained")
            lacking: Origin = "unknown" if wanted.architecture.pretrained_head is None else "fresh"
            trees.mark_at(child, (*wanted.architecture.head, *wanted.added), lacking)
        else:
            trees.mark(child, "fresh")


@function("transformers.set_seed", "transformers.logging.*", "transformers.utils.*")
def nothing(machine: Machine, call: Call) -> Value:
    """What concerns neither flags nor modes."""
    return Unknown(call.name)
