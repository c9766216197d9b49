"""Methods and attributes of models of transformers: parts by name, freezing helpers, saving."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter.values import Call, Module, Tensor, Unknown, Value
from freezelint.source.semantics import checkpoints, trees
from freezelint.source.vocabulary import attribute, method

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


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


def _is_of_transformers(module: Module) -> bool:
    return module.library == "transformers" or any(name.endswith("PreTrainedModel") for name in module.bases)


@attribute(Module, "base_model")
def base_model(machine: Machine, module: Module) -> Value:
    """The part that a checkpoint of the bare model brings."""
    if not _is_of_transformers(module):
        return NotImplemented
    return module.children.get(checkpoints.prefix_of(module)) or module


@attribute(Module, "base_model_prefix")
def base_model_prefix(machine: Machine, module: Module) -> Value:
    """The name of that part."""
    if not _is_of_transformers(module):
        return NotImplemented
    return checkpoints.prefix_of(module) or Unknown("base_model_prefix")


@attribute(Module, "text_model", "vision_model")
def nested_tower(machine: Machine, module: Module) -> Value:
    """What transformers 4 wraps once more in CLIP's towers: `CLIPTextModel.text_model.encoder`."""
    kind = {"TextModel", "TextModelWithProjection", "VisionModel", "VisionModelWithProjection"}
    name = next((name for name in ("CLIP", "Siglip") if module.class_name.startswith(name)), "")
    if not name or not _is_of_transformers(module) or module.class_name[len(name) :] not in kind:
        return NotImplemented
    return module


@method(
    Module,
    *("gradient_checkpointing_enable", "gradient_checkpointing_disable", "tie_weights", "init_weights"),
    *("post_init", "push_to_hub", "enable_input_require_grads", "generate", "print_trainable_parameters"),
)
def harmless(machine: Machine, module: Module, call: Call) -> Value:
    """What concerns neither flags nor modes."""
    return None if call.name != "generate" else Tensor(requires_grad=False, text="generate()")


@method(Module, "freeze_feature_encoder", "freeze_feature_extractor", "freeze_base_model", "freeze_encoder")
def freeze_part(machine: Machine, module: Module, call: Call) -> Value:
    """Methods of speech models that freeze a part."""
    if module.library != "transformers":
        return Unknown(call.name)
    part = (
        "feature_extractor"
        if "feature" in call.name
        else ("encoder" if call.name == "freeze_encoder" else "")
    )
    for path, inner in module.walk():
        chosen = path.rpartition(".")[2] == part if part else inner is base_model(machine, module)
        if chosen:
            frozen = [parameter for _, parameter in inner.own_and_below()]
            machine.recorder.flag(frozen, False, inner)
            return None
    return None


@method(Module, "save_pretrained")
def save_pretrained(machine: Machine, module: Module, call: Call) -> Value:
    """What is saved may be loaded again."""
    checkpoints.save(machine, module, call.get(0, "save_directory", None))
    return None
