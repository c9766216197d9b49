"""Configurations of transformers: `BertConfig(…)`, `AutoConfig.from_pretrained(…)`, and what they ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from freezelint.source import architectures
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import MISSING, Call, Instance, Unknown, Value
from freezelint.source.semantics import checkpoints, trees
from freezelint.source.semantics.reshaped import Reshaped, reshaped
from freezelint.source.vocabulary import function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

KIND = "transformers.PretrainedConfig"
# Settings of the same thing: where one is given, others that were equal follow.
_SAME = (
    ("num_hidden_layers", "n_layers", "n_layer", "num_layers", "encoder_layers"),
    ("num_layers", "num_decoder_layers"),
    ("num_attention_heads", "n_heads", "n_head", "num_heads", "encoder_attention_heads"),
    ("hidden_size", "dim", "n_embd", "d_model", "embed_dim"),
    ("intermediate_size", "hidden_dim", "d_ff"),
    ("max_position_embeddings", "n_positions"),
)
_FOLLOWING = "num_decoder_layers"  # follows, but does not lead
# What `from_pretrained` takes for itself.
_OF_LOADING = frozenset(
    {
        *("config", "cache_dir", "revision", "token", "use_auth_token", "force_download", "local_files_only"),
        *("trust_remote_code", "low_cpu_mem_usage", "device_map", "ignore_mismatched_sizes", "state_dict"),
        *("output_loading_info", "from_tf", "from_flax", "subfolder", "variant", "use_safetensors", "dtype"),
        *("torch_dtype", "attn_implementation", "quantization_config", "load_in_8bit", "load_in_4bit"),
        *("max_memory", "offload_folder", "proxies", "resume_download", "mirror"),
        *("pretrained_model_name_or_path", "name"),
        *("key_mapping", "use_flash_attention_2", "return_unused_kwargs", "_fast_init"),
        *("add_pooling_layer", "code_revision", "commit_hash", "adapter_kwargs"),
    }
)


def given_to(call: Call) -> dict[str, Value]:
    """Settings among the keyword arguments of `from_pretrained`."""
    return {name: value for name, value in call.kwargs.items() if name not in _OF_LOADING}


def made(machine: Machine, class_name: str, call: Call) -> Instance:
    """`BertConfig(num_labels=3)`."""
    of_class = architectures.transformers_class(class_name.removesuffix("Config") + "Model")
    config = _usual(of_class[0] if of_class is not None and call.complete and not call.args else None)
    update(config, call.kwargs)
    return config


def for_model(call: Call) -> Instance:
    """`AutoConfig.for_model("bert", …)`."""
    identity = known(call.get(0, "model_type"))
    config = _usual(identity if isinstance(identity, str) and call.complete else None)
    update(config, {name: value for name, value in call.kwargs.items() if name != "model_type"})
    return config


def loaded(machine: Machine, source: Value, call: Call) -> Instance:
    """`AutoConfig.from_pretrained(…)`: that of a known model, or of one that the script has saved."""
    saved = checkpoints.find(machine, source)
    if saved is not None and saved.config is not None:
        config = Instance(saved.config.cls, dict(saved.config.attributes), saved.config.kind)
    else:
        identity = known(source)
        config = _usual(identity if isinstance(identity, str) and call.complete else None)
    update(config, given_to(call))
    return config


def _usual(identity: str | None) -> Instance:
    """The configuration of a type or of a hub id."""
    config = Instance(None, {}, KIND)
    architecture = None if identity is None else architectures.transformers(identity)
    if architecture is not None:
        config.attributes.update(architecture.root.attributes)
        config.attributes["_identity"] = identity
        of_class = architectures.transformers_class(architecture.root.class_name)
        if of_class is not None:
            config.attributes["model_type"] = of_class[0]
    return config


def update(config: Instance, given: dict[str, Value]) -> None:
    """Settings are given together; those that mean the same follow."""
    before = dict(config.attributes)
    config.attributes.update(given)
    for group in _SAME:
        leading = [name for name in group if name in given and name != _FOLLOWING]
        for name in group if leading else ():
            if name not in given and name in before and before[name] == before.get(leading[0]):
                config.attributes[name] = given[leading[0]]
    names = given.get("id2label", given.get("label2id"))
    if "num_labels" not in given and names is not None:
        config.attributes["num_labels"] = len(names) if isinstance(names, dict) else Unknown("num_labels")
    if "num_labels" in given or names is not None:
        config.attributes["_labels_set"] = True


@function(f"{KIND}.update")
def update_by_call(machine: Machine, call: Call) -> Value:
    """`config.update({…})`."""
    settings = call.args[1] if len(call.args) > 1 else None
    if isinstance(call.owner, Instance) and isinstance(settings, dict):
        update(call.owner, {name: value for name, value in settings.items() if isinstance(name, str)})
    elif isinstance(call.owner, Instance):
        call.owner.attributes.pop("_identity", None)
    return None


@function(f"{KIND}.save_pretrained", f"{KIND}.to_dict", f"{KIND}.to_json_file", f"{KIND}.to_json_string")
def harmless(machine: Machine, call: Call) -> Value:
    """What changes nothing."""
    return Unknown(call.name)


# -- what they ask for -----------------------------------------------------------------------------


def identity_of(config: Value) -> str | None:
    """Hub id or model type of a configuration."""
    identity = config.attributes.get("_identity") if isinstance(config, Instance) else None
    return identity if isinstance(identity, str) else None


def labels_of(config: Value) -> Value:
    """The number of labels that is asked for; None where it is not mentioned."""
    if not isinstance(config, Instance):
        return None
    value = config.attributes.get("num_labels", MISSING)
    usual = architectures.transformers(identity_of(config) or "")
    told = "_labels_set" in config.attributes or usual is None or usual.root.attribute("num_labels") != value
    if value is MISSING or not told:
        return None
    count = trees.count_asked(value)
    return Unknown("num_labels") if count is None else count


def wanted_by(config: Instance, task: str) -> Reshaped | None:
    """The architecture for a task, or of a class, under a configuration."""
    identity, labels = identity_of(config), labels_of(config)
    if identity is None:
        return None
    architecture = architectures.transformers(identity, task, labels if isinstance(labels, int) else None)
    if architecture is None:
        return None
    bare = architectures.transformers(identity) or architecture
    usual = {**dict(architecture.root.attributes), **dict(bare.root.attributes)}
    found = reshaped(architecture, config.attributes, usual)
    return None if found is None else replace(found, classes=not isinstance(labels, Unknown))
