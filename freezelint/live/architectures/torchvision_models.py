"""Every model of torchvision but the quantised ones, as built with and without pretrained weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torchvision import models
from torchvision.models._api import WeightsEnum

from freezelint.live.architectures.building import Observations, Scaling, described, on_meta, run, scaling
from freezelint.live.architectures.describing import Table, outermost
from freezelint.live.architectures.stepping import Ran, step, total
from freezelint.live.architectures.storing import Library

_BATCH = 2
_VIDEOS = set(models.list_models(module=models.video))
_DETECTORS = set(models.list_models(module=models.detection))
_SEGMENTERS = set(models.list_models(module=models.segmentation))
_FLOWS = set(models.list_models(module=models.optical_flow))


class _Loads:
    """Stands in for the loading of weights: remembers which modules would have received some."""

    def __init__(self) -> None:
        self.loaded: list[nn.Module] = []

    @contextmanager
    def instead(self) -> Iterator[None]:
        kept = WeightsEnum.get_state_dict, nn.Module.load_state_dict
        loaded = self.loaded

        def load_state_dict(module: nn.Module, *_args: Any, **_kwargs: Any) -> None:
            loaded.append(module)

        WeightsEnum.get_state_dict = lambda *_args, **_kwargs: {}
        nn.Module.load_state_dict = load_state_dict  # type: ignore[assignment, method-assign]
        try:
            yield
        finally:
            WeightsEnum.get_state_dict, nn.Module.load_state_dict = kept  # type: ignore[method-assign]


def build() -> tuple[Library, dict[str, Any]]:
    """All of torchvision's models."""
    library = Library("torchvision")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in models.list_models():
            if not name.startswith("quantized_"):
                table = Table(library.classes)
                library.add(name, table.texts, _Model(name, table).records())
    return library, {}


class _Model:
    """One of torchvision's names."""

    def __init__(self, name: str, table: Table) -> None:
        self._name = name
        self._table = table
        self._options = models.get_model_builder(name).__annotations__
        self._classes, self._scales = self._scaling()
        self._observations = Observations()

    def records(self) -> dict[str, Any]:
        """By what is pretrained: nothing (""), the backbone, or all. Variants without a difference are left
        out.
        """
        found = {"": self._variant({})}
        if "weights_backbone" in self._options:
            found["backbone"] = self._variant({"weights_backbone": "DEFAULT"})
        found["all"] = self._variant({"weights": "DEFAULT"})
        return {key: record for key, record in found.items() if not key or record != found[""]}

    def _variant(self, weights: dict[str, str]) -> dict[str, Any]:
        loads = _Loads()

        def construct() -> nn.Module:
            with loads.instead():
                return self._construct(**weights)

        model = on_meta(construct)
        fresh = _fresh(model, loads.loaded) if "weights_backbone" in weights else None
        names = {name for name, _ in model.named_parameters()}
        scales = [scale for scale in self._scales if scale[0] in names]
        ran = self._observations.ran(model, lambda: self._step(model, construct))
        return described(self._table, model, ran, self._classes, scales, fresh)

    def _construct(self, **options: Any) -> nn.Module:
        without = {"weights": None}
        if "weights_backbone" in self._options:
            without["weights_backbone"] = None
        model: nn.Module = models.get_model(self._name, **{**without, **options})
        return model

    def _scaling(self) -> tuple[int | None, Scaling]:
        """The default number of classes, and what follows it."""
        if self._name in _FLOWS:
            return None, []
        classes = 400 if self._name in _VIDEOS else 1000
        if self._name in _DETECTORS:
            classes = 2 if self._name.startswith("keypoint") else 91
        options: dict[str, Any] = {}
        if self._name in _SEGMENTERS:
            classes = 21
            options = {"aux_loss": True} if "aux_loss" in self._options else {}
        here, there = (
            on_meta(partial(self._construct, num_classes=count, **options))
            for count in (classes, classes + 6)
        )
        return classes, scaling(here, classes, there, classes + 6)

    def _step(self, model: nn.Module, construct: Callable[[], nn.Module]) -> Ran | None:
        if self._name in _DETECTORS:
            # Detectors choose boxes by their scores: only numbers can do that.
            torch.manual_seed(0)
            return step(construct(), _detection(self._name))
        if self._name in _FLOWS:
            pair = torch.empty(_BATCH, 3, 128, 128, device="meta")
            return run(model, lambda m: total(m(pair, pair)))
        side = 299 if self._name == "inception_v3" else 224
        shape = (_BATCH, 3, 16, side, side) if self._name in _VIDEOS else (_BATCH, 3, side, side)
        return run(model, lambda m: total(m(torch.empty(shape, device="meta"))))


def _fresh(model: nn.Module, loaded: list[nn.Module]) -> list[str]:
    stored = {id(parameter) for module in loaded for parameter in module.parameters()}
    return outermost(model, {name for name, p in model.named_parameters() if id(p) not in stored})


def _detection(name: str) -> Callable[[nn.Module], torch.Tensor]:
    def loss(model: nn.Module) -> torch.Tensor:
        side = 128
        target: dict[str, torch.Tensor] = {
            "boxes": torch.tensor([[8.0, 8.0, 90.0, 110.0]]),
            "labels": torch.tensor([1]),
        }
        if name.startswith("mask"):
            target["masks"] = torch.ones(1, side, side, dtype=torch.uint8)
        if name.startswith("keypoint"):
            target["keypoints"] = torch.tensor([[[50.0, 50.0, 1.0]] * 17])
        images = [torch.rand(3, side, side) for _ in range(_BATCH)]
        transform = model.transform
        if not name.startswith("ssd"):
            transform.min_size, transform.max_size = (side,), side  # type: ignore[union-attr]
        return total(model(images, [target] * _BATCH))

    return loss
