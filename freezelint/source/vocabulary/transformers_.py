"""Models of transformers, from the knowledge base: automatic classes, task classes, configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.evidence import Origin
from freezelint.source import architectures, trees
from freezelint.source.functions import instantiate
from freezelint.source.operators import known
from freezelint.source.values import (
    MISSING,
    Call,
    Class,
    Instance,
    Module,
    Unknown,
    Value,
)
from freezelint.source.vocabulary import attribute, builds, function, method

if TYPE_CHECKING:
    from freezelint.source.machine import Machine

_CONFIGURATION = "transformers.PretrainedConfig"
_MODEL = ("Model", "ForSequenceClassification", "PreTrainedModel", "LMHeadModel", "DoubleHeadsModel", "EncoderModel")


def _is_model(name: str) -> bool:
    return (
        name.startswith("AutoModel")
        or name.endswith(_MODEL)
        or ("For" in name and name[:1].isupper() and not name.endswith(("Config", "Tokenizer", "Processor", "Output")))
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
    if last.endswith("Config"):
        return _configuration(machine, last, call)
    if _is_model(last):
        return _from_configuration(machine, last, call)
    return Unknown(f"{last}(…)")


def _loaded(machine: Machine, owner: str, call: Call, how: str) -> Value:
    receiver = call.args[0] if call.args and isinstance(call.args[0], Class) else None
    if receiver is not None:
        return _class_of_the_script(machine, receiver, call)
    source = call.get(0, "pretrained_model_name_or_path" if how == "from_pretrained" else "config", MISSING)
    if owner.endswith("Config"):
        return configuration_of(machine, source, call)
    if not _is_model(owner):
        return Unknown(f"{owner}.{how}(…)")
    if how != "from_pretrained":
        return _from_configuration(machine, owner, call)
    return model(machine, owner, source, call, pretrained=True)


def _from_configuration(machine: Machine, name: str, call: Call) -> Value:
    return model(machine, name, call.get(0, "config", MISSING), call, pretrained=False)


def model(machine: Machine, class_name: str, source: Value, call: Call, *, pretrained: bool) -> Module:
    """A model of this class; `source` is a hub id, a path or a configuration."""
    identity = _identity(source)
    labels = _labels(call, source)
    task = architectures.auto_task(class_name)
    wanted = class_name if task is None else task
    architecture = None
    if identity is not None:
        architecture = architectures.transformers(identity, wanted, labels if isinstance(labels, int) else None)
    if architecture is None:
        origin: Origin = "unknown" if pretrained else "fresh"
        return trees.unknown_model(machine, class_name, "transformers", origin)
    root = trees.grow(machine, architecture, "pretrained" if pretrained else "fresh")
    if pretrained:
        # What the checkpoint lacks starts fresh; of a copy under another name nobody knows.
        lacking: Origin = "unknown" if architecture.pretrained_head is None else "fresh"
        trees.mark_at(root, architecture.head, lacking)
        for path in architecture.head:
            _mark_parameter(root, path, lacking)
        if isinstance(labels, Unknown):
            trees.mark_at(root, architecture.labelled, "unknown" if lacking == "unknown" else _or_fresh(architecture))
        _into_eval(machine, root)
    config = source if isinstance(source, Instance) else _plain_configuration(machine, identity or "", architecture.root)
    root.attributes["config"] = config
    return root


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
    index = machine.recorder.event("to-eval", modules=[root], name="transformers", key="transformers", wholly_frozen=False)
    for _, module in root.walk():
        module.training = False
        module.training_cause = index if index >= 0 else None


def _identity(source: Value) -> str | None:
    """Hub id or model type, as the source or its configuration tells it."""
    if isinstance(source, Instance):
        identity = source.attributes.get("_identity")
        return identity if isinstance(identity, str) else None
    name = known(source)
    return name if isinstance(name, str) else None


def _labels(call: Call, source: Value) -> Value:
    """The number of labels that is asked for; None where it is not mentioned."""
    value = call.kwargs.get("num_labels", MISSING)
    if value is MISSING:
        names = call.kwargs.get("id2label", call.kwargs.get("label2id", MISSING))
        if isinstance(names, dict):
            return len(names)
        value = names if isinstance(names, Unknown) else MISSING
    if value is MISSING:
        config = call.kwargs.get("config", source)
        value = config.attributes.get("num_labels", MISSING) if isinstance(config, Instance) else MISSING
        if isinstance(config, Instance) and "_labels_set" not in config.attributes:
            return None
    if value is MISSING:
        return None
    count = trees.count_asked(value)
    return Unknown("num_labels") if count is None else count


def _configuration(machine: Machine, class_name: str, call: Call) -> Value:
    """`BertConfig(num_labels=3)`: the sizes of the class, unless some are given."""
    sizes = [name for name in call.kwargs if name not in ("num_labels", "id2label", "label2id", "return_dict")]
    known_class = architectures.transformers_class(class_name.removesuffix("Config") + "Model")
    identity = known_class[0] if known_class is not None and not sizes and call.complete else ""
    config = Instance(None, dict(call.kwargs), _CONFIGURATION)
    if identity:
        config.attributes["_identity"] = identity
    if "num_labels" in call.kwargs:
        config.attributes["_labels_set"] = True
    return config


def configuration_of(machine: Machine, source: Value, call: Call) -> Instance:
    """`AutoConfig.from_pretrained(…)`."""
    identity = known(source)
    config = Instance(None, {}, _CONFIGURATION)
    if isinstance(identity, str):
        architecture = architectures.transformers(identity)
        if architecture is not None:
            config.attributes.update(architecture.root.attributes)
            config.attributes["_identity"] = identity
    given = {name: value for name, value in call.kwargs.items() if name not in ("cache_dir", "revision", "token")}
    if "num_labels" in given:
        given["_labels_set"] = True
    config.attributes.update(given)
    return config


def _plain_configuration(machine: Machine, identity: str, root: architectures.Node) -> Instance:
    config = Instance(None, dict(root.attributes), _CONFIGURATION)
    config.attributes["_identity"] = identity
    return config


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
    identity = _identity(config)
    architecture = None if identity is None else architectures.transformers(identity, name)
    if architecture is None:
        module.open = True
        return
    grown = trees.grow(machine, architecture, "fresh")
    machine.recorder.made.remove(grown)
    module.children.update(grown.children)
    module.parameters.update(grown.parameters)
    module.calls = grown.calls


def _class_of_the_script(machine: Machine, cls: Class, call: Call) -> Value:
    """`MyModel.from_pretrained("bert-base-uncased")`: the constructor runs on a configuration, then the part
    that a checkpoint brings is pretrained."""
    source = call.get(1, "pretrained_model_name_or_path", MISSING)
    config = call.kwargs.get("config")
    if not isinstance(config, Instance):
        config = configuration_of(machine, source, Call(call.node, [], {}, complete=call.complete))
        config.attributes.update({k: v for k, v in call.kwargs.items() if k != "config"})
    rest = {name: value for name, value in call.kwargs.items() if name not in ("config", "num_labels", "cache_dir")}
    made = instantiate(machine, cls, Call(call.node, [config, *call.args[2:]], rest, complete=call.complete))
    if isinstance(made, Module):
        identity = _identity(config)
        prefix = next((name for name, child in made.children.items() if child and child.library == "transformers"), "")
        for name, child in made.children.items():
            if child is not None:
                loaded: Origin = "pretrained" if name == prefix else "fresh"
                trees.mark(child, loaded if identity is not None else "unknown")
        _into_eval(machine, made)
    return made


@method(Module, "get_input_embeddings", "get_output_embeddings", "resize_token_embeddings")
def embeddings(machine: Machine, module: Module, call: Call) -> Value:
    """The embedding at the input, or the layer at the output."""
    if call.name == "get_output_embeddings":
        for name in ("lm_head", "cls", "generator_lm_head", "embed_out"):
            child = module.children.get(name)
            if child is not None:
                decoder = trees.at(child, "predictions.decoder")
                return decoder if decoder is not None else child
        return None
    found = next((m for path, m in module.walk() if m.role == "embedding" and "position" not in path), None)
    if call.name == "resize_token_embeddings" and found is not None:
        for parameter in found.parameters.values():
            if parameter is not None:
                parameter.dims = (None, *parameter.dims[1:])
    return found if found is not None else Unknown(call.name)


@attribute(Module, "base_model")
def base_model(machine: Machine, module: Module) -> Value:
    """The part that a checkpoint of the bare model brings."""
    if module.library != "transformers" and "PreTrainedModel" not in module.bases:
        return NotImplemented
    for name, child in module.children.items():
        if child is not None and child.class_name.endswith("Model") and name != "lm_head":
            return child
    return module


@method(Module, "gradient_checkpointing_enable", "gradient_checkpointing_disable", "tie_weights", "init_weights", "post_init",
        "save_pretrained", "push_to_hub", "enable_input_require_grads", "generate", "print_trainable_parameters")  # fmt: skip
def harmless(machine: Machine, module: Module, call: Call) -> Value:
    """What concerns neither flags nor modes."""
    return None if call.name != "generate" else Unknown("generate()")


@method(Module, "freeze_feature_encoder", "freeze_feature_extractor", "freeze_base_model", "freeze_encoder")
def freeze_part(machine: Machine, module: Module, call: Call) -> Value:
    """Methods of speech models that freeze a part."""
    if module.library != "transformers":
        return Unknown(call.name)
    part = "feature_extractor" if "feature" in call.name else ("encoder" if call.name == "freeze_encoder" else "")
    for path, inner in module.walk():
        chosen = path.rpartition(".")[2] == part if part else inner is base_model(machine, module)
        if chosen:
            frozen = [parameter for _, parameter in inner.own_and_below()]
            machine.recorder.flag(frozen, False, inner)
            return None
    return None


@function("transformers.set_seed", "transformers.logging.*", "transformers.utils.*")
def nothing(machine: Machine, call: Call) -> Value:
    """What concerns neither flags nor modes."""
    return Unknown(call.name)
