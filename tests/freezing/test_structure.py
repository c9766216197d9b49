"""The blocks of published and users' models, from input to output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.detection import fasterrcnn_resnet50_fpn

from freezelint import freezing
from freezelint.freezing.structure import layers
from tests.freezing.models import Net, images, modes, small_bert, small_gpt2, small_resnet, tokens
from tests.live.architectures import ARCHITECTURES


def names(model: nn.Module, sample: Any = None) -> list[str]:
    return [block.name for block in freezing.blocks(model, sample)]


def on_meta(build: Callable[..., nn.Module], *arguments: Any, **options: Any) -> nn.Module:
    with torch.device("meta"):
        return build(*arguments, **options)


def numbered(prefix: str, *numbers: int) -> list[str]:
    return [f"{prefix}.{number}" for number in numbers]


def test_of_a_resnet_are_stem_stages_and_head() -> None:
    blocks = freezing.blocks(on_meta(models.resnet18))
    assert [block.name for block in blocks] == ["conv1", "layer1", "layer2", "layer3", "layer4", "fc"]
    assert blocks[0].modules == ("conv1", "bn1")
    assert list(blocks[0].parameters) == ["conv1.weight", "bn1.weight", "bn1.bias"]


PUBLISHED = {
    "resnet50": ["conv1", "layer1", "layer2", "layer3", "layer4", "fc"],
    "vgg16": [
        *numbered("features", 0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
        *numbered("classifier", 0, 3, 6),
    ],
    "densenet121": [
        *(
            "features." + name
            for name in ("conv0", "denseblock1", "transition1", "denseblock2", "transition2")
        ),
        *("features." + name for name in ("denseblock3", "transition3", "denseblock4")),
        "classifier",
    ],
    "efficientnet_b0": [*numbered("features", *range(9)), "classifier"],
    "mobilenet_v3_small": [*numbered("features", *range(13)), "classifier.0", "classifier.3"],
    "convnext_tiny": [*numbered("features", *range(8)), "classifier"],
    "swin_t": [*numbered("features", *range(8)), "head"],
    "vit_b_16": ["conv_proj", *(f"encoder.layers.encoder_layer_{k}" for k in range(12)), "heads"],
    "shufflenet_v2_x1_0": ["conv1", "stage2", "stage3", "stage4", "conv5", "fc"],
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_of_torchvision_models(name: str) -> None:
    assert names(on_meta(models.get_model, name)) == PUBLISHED[name]


def test_of_a_detector() -> None:
    model = on_meta(fasterrcnn_resnet50_fpn, weights=None, weights_backbone=None)
    assert names(model) == [
        "backbone.body.conv1",
        *(f"backbone.body.layer{k}" for k in range(1, 5)),
        "backbone.fpn",
        "rpn",
        "roi_heads",
    ]


TIMM = {
    "resnet18": ["conv1", "layer1", "layer2", "layer3", "layer4", "fc"],
    "vit_tiny_patch16_224": ["patch_embed", *numbered("blocks", *range(12)), "head"],
    "convnext_atto": ["stem", *numbered("stages", *range(4)), "head"],
    "efficientnet_b0": ["conv_stem", *numbered("blocks", *range(7)), "conv_head", "classifier"],
}


@pytest.mark.parametrize("name", TIMM)
def test_of_timm_models(name: str) -> None:
    assert names(timm.create_model(name)) == TIMM[name]


TRANSFORMERS = {
    "BERT": ["bert.embeddings", *numbered("bert.encoder.layer", 0, 1), "bert.pooler", "classifier"],
    "DistilBERT": [
        "distilbert.embeddings",
        *numbered("distilbert.transformer.layer", 0, 1),
        "pre_classifier",
        "classifier",
    ],
    "ViT": ["vit.embeddings", *numbered("vit.layers", 0, 1), "classifier"],
    "GPT-2": ["transformer.wte", *numbered("transformer.h", 0, 1), "score"],
    "Llama": ["model.embed_tokens", *numbered("model.layers", 0, 1), "score"],
    "T5": [
        "transformer.shared",
        *numbered("transformer.encoder.block", 0, 1),
        *numbered("transformer.decoder.block", 0, 1),
        "classification_head",
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_of_transformers_models(name: str) -> None:
    (architecture,) = [each for each in ARCHITECTURES if each.name == name]
    model = architecture.build()
    found = freezing.blocks(model)
    known = [block.name.replace("vit.encoder.layer", "vit.layers") for block in found]
    assert known == TRANSFORMERS[name]
    held = [id(p) for block in found for p in block.parameters.values()]
    assert sorted(held) == sorted(map(id, model.parameters())), "every parameter once"


def test_a_single_layer_of_a_stack_is_a_block() -> None:
    assert names(Net(1)) == ["stage.0", "head"]


def test_a_body_in_a_sequence_is_taken_apart() -> None:
    model = nn.Sequential(small_resnet(), nn.ReLU(), nn.Linear(2, 2))
    stages = ["0.conv1", "0.layer1", "0.layer2", "0.layer3", "0.layer4", "0.fc"]
    assert names(model) == [*stages, "2"]


def test_what_a_wrapper_holds_itself_is_at_the_input_and_numbers_at_the_output() -> None:
    model = Net()
    model.token = nn.Parameter(torch.zeros(1, 4))
    model.temperature = nn.Parameter(torch.ones(1))
    blocks = freezing.blocks(model)
    assert "token" in blocks[0].parameters
    assert "temperature" in blocks[-1].parameters


def test_a_norm_layer_without_parameters_goes_with_what_it_normalises() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, affine=False), nn.Linear(2, 2))
    assert [block.modules for block in freezing.blocks(model)] == [("0", "1"), ("2",)]


class Backwards(nn.Module):
    """Defines its parts from the output to the input."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 2)
        self.unused = nn.Linear(3, 3)
        self.top = nn.Linear(4, 4)
        self.norm = nn.BatchNorm1d(4)
        self.bottom = nn.Linear(3, 4)

    def forward(self, values: Tensor) -> Tensor:
        result: Tensor = self.head(self.norm(self.top(self.bottom(values))))
        return result


def test_a_sample_gives_the_order_of_execution() -> None:
    model = Backwards()
    assert names(model) == ["head", "unused", "top", "bottom"]
    blocks = freezing.blocks(model, torch.zeros(2, 3))
    assert [block.name for block in blocks] == ["bottom", "top", "head", "unused"]
    assert blocks[1].modules == ("top", "norm")
    assert names(model, torch.zeros(2, 3, device="meta")) == ["bottom", "top", "head", "unused"]


@pytest.mark.parametrize(
    ("build", "sample"), [(small_bert, tokens), (small_gpt2, tokens), (small_resnet, images), (Net, images)]
)
def test_execution_agrees_with_structure_where_models_are_written_in_order(
    build: Callable[[], nn.Module], sample: Callable[[], Any]
) -> None:
    model = build()
    assert names(model, sample()) == names(model)


class ByValue(Backwards):
    """Cannot run on tensors without values, and draws random numbers."""

    def forward(self, values: Tensor) -> Tensor:
        torch.rand(1)
        return super().forward(values if values.sum().item() > -1 else -values)


def test_a_look_leaves_no_trace() -> None:
    model = ByValue()
    model.norm.eval()
    state, flags, random = dict(model.state_dict()), modes(model), torch.get_rng_state()
    assert names(model, (torch.zeros(2, 3),))[0] == "bottom"
    assert names(model, {"values": torch.zeros(2, 3)})[0] == "bottom"
    assert modes(model) == flags
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert all(p.grad is None for p in model.parameters())


def test_bad_input_raises() -> None:
    with pytest.raises(ValueError, match=r"Backwards does not run on the sample: .* \(give one batch"):
        freezing.blocks(Backwards(), torch.zeros(2, 7))
    with pytest.raises(ValueError, match="ReLU has no parameters"):
        freezing.blocks(nn.ReLU())


def test_a_parametrised_layer_is_one_layer() -> None:
    normed = nn.utils.parametrizations.weight_norm
    model = nn.ModuleDict({"body": normed(nn.Linear(2, 2)), "head": nn.Linear(2, 2)})
    assert names(model) == [layer.name for layer in layers(model)] == ["body", "head"]
    assert len(freezing.blocks(model)[0].parameters) == len(layers(model)[0].parameters) == 3


def test_layers_are_single_and_have_their_norm_layers() -> None:
    assert [layer.modules for layer in layers(Net(2))] == [
        ("stage.0.conv", "stage.0.bn"), ("stage.1.conv", "stage.1.bn"), ("head",),
    ]  # fmt: skip


def test_a_sample_leaves_no_trace_in_the_model() -> None:
    class Remembers(nn.Module):
        """Counts its calls, and keeps a mask and positions for the next one."""

        def __init__(self, needs_values: bool) -> None:
            super().__init__()
            self.needs_values = needs_values
            self.inner = nn.Linear(4, 4)
            self.head = nn.Linear(4, 2)
            self.mask: Tensor | None = None
            self.positions: dict[int, Tensor] = {}
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, values: Tensor) -> Tensor:
            self.calls += 1
            if self.needs_values:
                float(values.sum())
            if self.mask is None:
                self.mask = torch.ones(4, device=values.device)
            self.positions.setdefault(len(values), torch.zeros(4, device=values.device))
            result: Tensor = self.head(self.inner(values) * self.mask + self.positions[len(values)])
            return result

    for needs_values in (False, True):
        model = Remembers(needs_values)
        assert names(model, torch.randn(2, 4)) == ["inner", "head"]
        assert model.mask is None
        assert model.positions == {}
        assert float(model.calls) == 0
        model(torch.randn(2, 4))
