"""Stand-in for the stored weights of transformers' models."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import torch

from freezelint.evidence import Origin
from freezelint.live.hermetic import checkpoints, random_weights, snapshot
from freezelint.live.hermetic.session import Session
from freezelint.live.hermetic.standins.transformers_hub import is_local

MODULES = ("transformers.modeling_utils",)

# What `from_pretrained` reads itself and a configuration must not swallow.
_FOR_THE_LOADER = (
    *("dtype", "torch_dtype", "ignore_mismatched_sizes", "output_loading_info", "attn_implementation"),
    *("generation_config", "key_mapping", "low_cpu_mem_usage", "_fast_init"),
)
# What only concerns a download, or a form of the weights that random ones do not have.
_WITHOUT_MEANING = (
    *(
        "cache_dir",
        "force_download",
        "local_files_only",
        "token",
        "use_auth_token",
        "revision",
        "use_safetensors",
    ),
    *(
        "proxies",
        "resume_download",
        "subfolder",
        "variant",
        "weights_only",
        "from_tf",
        "from_flax",
        "gguf_file",
    ),
    *("_commit_hash", "_from_auto", "_from_pipeline", "adapter_kwargs", "trust_remote_code", "code_revision"),
    *("max_memory", "offload_folder", "offload_state_dict", "offload_buffers", "mirror"),
)
_QUANTISATION = ("quantization_config", "load_in_8bit", "load_in_4bit")


def install(module: ModuleType, session: Session) -> None:
    """The library's own loading code runs, fed with a state dict of noise in the checkpoint's names and
    shapes.

    Missing, unexpected and mismatched parameters, and with them the question which head is new, are thus
    settled by the real code.
    """

    def from_pretrained(real: Callable[..., Any], cls: Any, name: Any, *args: Any, **kwargs: Any) -> Any:
        given = kwargs.get("state_dict") is not None or kwargs.get("gguf_file") is not None
        if name is None or given or is_local(str(name)):
            return real(cls, name, *args, **kwargs)
        head: Origin = "fresh" if _head_is_new(str(name), kwargs) else "unknown"
        config, kwargs, device = _prepared(cls, str(name), kwargs, session)
        session.note("transformers weights", "random weights, counted as pretrained, instead of a download")
        report = kwargs.pop("output_loading_info", False)
        shapes = _stored(cls, str(name), config, session)
        if _under_fake_tensors():
            model = cls._from_config(config, **_for_building(kwargs)).eval()
            info = _compared(model, shapes)
        else:
            noise = random_weights.filled(shapes, _stored_dtype(config))
            model, info = real(
                cls, None, *args, config=config, state_dict=noise, output_loading_info=True, **kwargs
            )
        model.name_or_path = model.config.name_or_path = str(name)
        _mark(model, info, head, session)
        if device is not None:
            model.to(device)
        return (model, info) if report else model

    session.replace(module.PreTrainedModel, "from_pretrained", from_pretrained)


def _prepared(
    cls: Any, name: str, kwargs: dict[str, Any], session: Session
) -> tuple[Any, dict[str, Any], Any]:
    """The configuration that the call asks for, the arguments left for loading, and the device to put the
    model on.
    """
    from transformers import PretrainedConfig

    if any(kwargs.get(argument) for argument in _QUANTISATION):
        session.note("quantised transformers weights", "left in floating point")
    device = _device(kwargs.pop("device_map", None))
    kwargs = {key: value for key, value in kwargs.items() if key not in (*_WITHOUT_MEANING, *_QUANTISATION)}
    config = kwargs.pop("config", None)
    if isinstance(config, PretrainedConfig):
        return config, kwargs, device
    if session.snapshots.checkpoint(name) is None and cls.config_class is not None:
        session.snapshots.adopt(name, cls.config_class.model_type)
    loading = {key: kwargs.pop(key) for key in _FOR_THE_LOADER if key in kwargs}
    config, unused = cls.config_class.from_pretrained(config or name, return_unused_kwargs=True, **kwargs)
    unused = {key: value for key, value in unused.items() if key not in _WITHOUT_MEANING}
    return config, {**unused, **loading}, device


def _device(device_map: Any) -> Any:
    """Where a device map puts most of the model; one machine with one model on it needs no more."""
    if device_map is None:
        return None
    if isinstance(device_map, dict):
        device_map = next(iter(device_map.values()), None)
    if device_map in ("auto", "balanced", "balanced_low_0", "sequential"):
        return "cuda" if torch.cuda.is_available() else None
    return None if device_map in ("disk", "meta") else device_map


def _stored(cls: Any, name: str, config: Any, session: Session) -> dict[str, torch.Tensor]:
    """Names and shapes in the checkpoint: of the known one, or of the model's body where the script brought
    the configuration.
    """
    checkpoint = session.snapshots.checkpoint(name)
    transformers = importlib.import_module("transformers")
    if checkpoint is not None:
        architecture = getattr(transformers, checkpoint.architecture)
        config = architecture.config_class.from_pretrained(name)
    else:
        architecture = _body(transformers, cls, config)
        if architecture is None:
            raise snapshot.unknown(name)
    return _shapes(architecture, config)


def _shapes(architecture: Any, config: Any) -> dict[str, torch.Tensor]:
    """The state dict of a class of models under a configuration; tied parameters are the same object."""
    try:
        with torch.device("meta"):
            model = architecture(config)
    except (NotImplementedError, RuntimeError):
        # Older classes compute with numbers while they are built, which only real tensors have.
        model = architecture(config)
    state_dict: dict[str, torch.Tensor] = model.state_dict(keep_vars=True)
    return state_dict


def _body(transformers: Any, cls: Any, config: Any) -> Any:
    mapping = transformers.MODEL_MAPPING
    if type(config) in mapping:
        architecture = mapping[type(config)]
        return architecture[0] if isinstance(architecture, tuple) else architecture
    return cls if cls.config_class is type(config) else None


def _stored_dtype(config: Any) -> torch.dtype:
    dtype = getattr(config, "dtype", None) or getattr(config, "torch_dtype", None)
    if isinstance(dtype, str):
        dtype = getattr(torch, dtype, None)
    return dtype if isinstance(dtype, torch.dtype) else torch.float32


def _under_fake_tensors() -> bool:
    from torch._guards import detect_fake_mode

    return detect_fake_mode() is not None


def _for_building(kwargs: dict[str, Any]) -> dict[str, Any]:
    ours = ("dtype", "torch_dtype", "attn_implementation")
    return {
        key: value
        for key, value in kwargs.items()
        if key not in _FOR_THE_LOADER or (key in ours and value not in (None, "auto"))
    }


def _compared(model: Any, stored: dict[str, torch.Tensor]) -> dict[str, Any]:
    """The loading report for a model that was built without loading, by name and shape, with or without the
    body's prefix.
    """
    prefix = f"{model.base_model_prefix}."
    bare = {name.removeprefix(prefix): tensor.shape for name, tensor in stored.items()}
    own = model.state_dict()
    missing = {name for name, tensor in own.items() if bare.get(name.removeprefix(prefix)) != tensor.shape}
    names = {name.removeprefix(prefix) for name in own}
    return {
        "missing_keys": missing,
        "unexpected_keys": {name for name in stored if name.removeprefix(prefix) not in names},
        "mismatched_keys": set(),
        "error_msgs": [],
    }


def _head_is_new(name: str, kwargs: dict[str, Any]) -> bool:
    """Whether parameters that the stand-in does not store are new: a checkpoint that is only taken for one of
    its class may bring a head along, unless the script asks for one of another size.
    """
    sizes = ("config", "num_labels", "id2label", "label2id")
    return checkpoints.checkpoint_named(name) is not None or any(size in kwargs for size in sizes)


def _mark(model: Any, info: Any, head: Origin, session: Session) -> None:
    missing = {*info["missing_keys"], *(_name_of(entry) for entry in info["mismatched_keys"])}

    def of(kind: bool) -> Iterable[torch.Tensor]:
        return [parameter for name, parameter in model.named_parameters() if (name in missing) is kind]

    session.mark(of(False), "pretrained")
    session.mark(of(True), head)


def _name_of(entry: Any) -> str:
    return str(entry if isinstance(entry, str) else entry[0])
