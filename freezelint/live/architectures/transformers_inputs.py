"""Inputs for one step of a model of transformers, with or without numbers: they are on its device."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from freezelint.live.architectures.stepping import total

_BATCH, _LENGTH, _CHOICES, _SAMPLES = 2, 16, 2, 16000
_LABELLED_BY_ROW = (
    *("SequenceClassification", "ImageClassification", "AudioClassification", "VideoClassification"),
    *("MultipleChoice", "NextSentencePrediction", "XVector"),
)
_RANDOMLY_SKIPPED = ("layerdrop", "encoder_layerdrop", "decoder_layerdrop")


def loss_of(name: str) -> Callable[[nn.Module], torch.Tensor]:
    """A loss for one step of a model of this class. Whatever it gives out counts as used."""

    def loss(model: nn.Module) -> torch.Tensor:
        made = _Inputs(model, name)
        inputs = made.inputs()
        _keep_every_layer(model)
        try:
            return total(model(**inputs, **made.labels()))
        except Exception:  # not every loss can be computed without numbers
            return total(model(**inputs))

    return loss


def _keep_every_layer(model: nn.Module) -> None:
    for module in model.modules():
        for holder in (module, getattr(module, "config", None)):
            for name in _RANDOMLY_SKIPPED:
                if name in getattr(holder, "__dict__", {}):
                    setattr(holder, name, 0.0)
            if hasattr(holder, "apply_spec_augment"):
                holder.apply_spec_augment = False  # type: ignore[union-attr]


class _Inputs:
    def __init__(self, model: Any, name: str) -> None:
        self._model = model
        self._config = model.config
        self._name = name
        self._wanted = set(inspect.signature(model.forward).parameters)
        # Without a padding token, classifiers of texts take one at a time.
        unpadded = getattr(self._config, "pad_token_id", None) is None
        alone = unpadded and name.endswith("SequenceClassification")
        self._batch = 1 if alone else _BATCH
        # Too short for its blocks, this one changes its own modules.
        self._length = 1024 if self._config.model_type == "big_bird" else _LENGTH

    def inputs(self) -> dict[str, Any]:
        config, wanted = self._config, self._wanted
        rows = (self._batch, _CHOICES) if self._name.endswith("MultipleChoice") else (self._batch,)
        found: dict[str, Any] = {}
        if "input_ids" in wanted:
            found["input_ids"] = self._text(*rows, self._length)
        if "decoder_input_ids" in wanted and config.is_encoder_decoder:
            found["decoder_input_ids"] = self._text(*rows, self._length)
        if "pixel_values" in wanted:
            found["pixel_values"] = self._picture()
        if "bbox" in wanted:
            found["bbox"] = self._ones(*rows, self._length, 4)
        if "input_values" in wanted:
            found["input_values"] = self._sound()
        if "input_features" in wanted:
            found["input_features"] = self._spectrogram()
        if "input_points" in wanted:
            found["input_points"] = self._rand(self._batch, 1, 1, 2)
        return found

    def labels(self) -> dict[str, Any]:
        wanted, name = self._wanted, self._name
        row, text = self._ones(self._batch), self._ones(self._batch, self._length)
        if "return_loss" in wanted:
            return {"return_loss": True}
        if "start_positions" in wanted:
            return {"start_positions": row, "end_positions": row}
        if "labels" not in wanted:
            return {}
        if name.endswith("ForSemanticSegmentation"):
            return {"labels": self._ones(self._batch, 64, 64)}
        if name.endswith(_LABELLED_BY_ROW):
            return {"labels": row}
        second = wanted & {"next_sentence_label", "sentence_order_label"}
        if name.endswith("ForPreTraining") and second:
            return {"labels": text, **dict.fromkeys(sorted(second), row)}
        return {"labels": text}

    def _ones(self, *shape: int) -> torch.Tensor:
        return torch.ones(shape, dtype=torch.long, device=self._model.device)

    def _rand(self, *shape: int) -> torch.Tensor:
        return torch.rand(shape, device=self._model.device)

    def _text(self, *shape: int) -> torch.Tensor:
        # Some read their prediction where the text ends.
        end = getattr(self._config, "eos_token_id", None)
        tokens = self._ones(*shape) * 3
        tokens[..., -1] = end if isinstance(end, int) else 3
        return tokens

    def _picture(self) -> torch.Tensor:
        part = getattr(self._config, "vision_config", self._config)
        side = getattr(part, "image_size", None) or getattr(part, "input_size", None) or 224
        height, width = side if isinstance(side, (list, tuple)) else (side, side)
        frames = (part.num_frames,) if hasattr(part, "num_frames") else ()
        return self._rand(self._batch, *frames, getattr(part, "num_channels", 3), height, width)

    def _sound(self) -> torch.Tensor:
        config = self._config
        if hasattr(config, "frequency_stride"):
            return self._rand(self._batch, config.max_length, config.num_mel_bins)
        return self._rand(self._batch, _SAMPLES)

    def _spectrogram(self) -> torch.Tensor:
        if self._config.model_type == "whisper":
            return self._rand(self._batch, self._config.num_mel_bins, 3000)
        return self._rand(self._batch, 400, self._config.input_feat_per_channel)
