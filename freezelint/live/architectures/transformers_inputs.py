"""Inputs without numbers for models of transformers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from freezelint.live.architectures.stepping import total

_BATCH, _LENGTH, _CHOICES, _SAMPLES = 2, 16, 2, 16000
_RANDOMLY_SKIPPED = ("layerdrop", "encoder_layerdrop", "decoder_layerdrop")
# Of an output without a loss, what a loss would be computed from; a bare model is used whole.
_PREDICTIONS = ("logits", "pred_boxes", "pred_masks", "predicted_depth", "reconstruction", "embeds")


def loss_of(model: nn.Module, name: str) -> Callable[[nn.Module], torch.Tensor]:
    """A loss for one step of this model: its own where it has one, else of its predictions."""

    def loss(model: nn.Module) -> torch.Tensor:
        inputs = _inputs(model, name)
        for module in model.modules():
            for attribute in _RANDOMLY_SKIPPED:
                if attribute in vars(module):
                    setattr(module, attribute, 0.0)
        model.config.apply_spec_augment = False  # type: ignore[union-attr]
        try:
            output = model(**inputs, **_labels(model, name))
            if isinstance(output.get("loss"), torch.Tensor):
                return output["loss"]  # type: ignore[no-any-return]
        except Exception:  # not every loss can be computed without numbers
            output = model(**inputs)
        predictions = {key: value for key, value in output.items() if key.endswith(_PREDICTIONS)}
        return total(predictions or output)

    return loss


def _names(model: nn.Module) -> set[str]:
    return set(inspect.signature(model.forward).parameters)


def _meta(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def _tokens(*shape: int) -> torch.Tensor:
    return _meta(*shape, dtype=torch.long)


def _inputs(model: nn.Module, name: str) -> dict[str, Any]:
    config: Any = model.config
    wanted = _names(model)
    main = model.main_input_name
    length = 1024 if config.model_type == "big_bird" else _LENGTH
    rows = (_BATCH, _CHOICES) if name.endswith("MultipleChoice") else (_BATCH,)
    found: dict[str, Any] = {}
    if "input_ids" in wanted:
        found["input_ids"] = _tokens(*rows, length)
    if "decoder_input_ids" in wanted and config.is_encoder_decoder:
        found["decoder_input_ids"] = _tokens(*rows, length)
    if "pixel_values" in wanted:
        found["pixel_values"] = _picture(config)
    if "bbox" in wanted:
        found["bbox"] = _tokens(*rows, length, 4)
    if "input_values" in wanted:
        spectrogram = (_BATCH, config.max_length, config.num_mel_bins) if hasattr(config, "frequency_stride") else None
        found["input_values"] = _meta(*(spectrogram or (_BATCH, _SAMPLES)))
    if "input_features" in wanted:
        whisper = config.model_type == "whisper"
        mels = config.num_mel_bins if whisper else config.input_feat_per_channel
        found["input_features"] = _meta(_BATCH, mels, 3000) if whisper else _meta(_BATCH, 400, mels)
    if "input_points" in wanted:
        found["input_points"] = _meta(_BATCH, 1, 1, 2)
    if main not in found and main in wanted:
        raise ValueError(f"{name} wants {main}")
    return found


def _picture(config: Any) -> torch.Tensor:
    part = getattr(config, "vision_config", config)
    side = getattr(part, "image_size", None) or 224
    height, width = side if isinstance(side, (list, tuple)) else (side, side)
    channels = getattr(part, "num_channels", 3)
    if hasattr(part, "num_frames"):
        return _meta(_BATCH, part.num_frames, channels, height, width)
    return _meta(_BATCH, channels, height, width)


def _labels(model: nn.Module, name: str) -> dict[str, Any]:
    wanted = _names(model)
    if "return_loss" in wanted:
        return {"return_loss": True}
    if "start_positions" in wanted:
        return {"start_positions": _tokens(_BATCH), "end_positions": _tokens(_BATCH)}
    if "labels" not in wanted:
        return {}
    if name.endswith(("ForSemanticSegmentation",)):
        return {"labels": _tokens(_BATCH, 64, 64)}
    by_row = ("SequenceClassification", "ImageClassification", "AudioClassification", "VideoClassification")
    if name.endswith((*by_row, "MultipleChoice", "NextSentencePrediction", "XVector")):
        return {"labels": _tokens(_BATCH)}
    if name.endswith("ForPreTraining") and "next_sentence_label" in wanted:
        return {"labels": _tokens(_BATCH, _LENGTH), "next_sentence_label": _tokens(_BATCH)}
    if name.endswith("ForPreTraining") and "sentence_order_label" in wanted:
        return {"labels": _tokens(_BATCH, _LENGTH), "sentence_order_label": _tokens(_BATCH)}
    length = 1024 if model.config.model_type == "big_bird" else _LENGTH  # type: ignore[union-attr]
    return {"labels": _tokens(_BATCH, length)}
