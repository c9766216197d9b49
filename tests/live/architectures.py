"""Published architectures, as small as their constructors allow, each with a step that trains it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import nn
from torchvision import models
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.ops import FrozenBatchNorm2d

CLASSES = 3
_TEXT: dict[str, Any] = {"num_labels": CLASSES, "vocab_size": 64, "pad_token_id": 0}
_BERT: dict[str, Any] = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}


@dataclass(frozen=True)
class Architecture:
    """A model to fine-tune: how to build it, its loss, its head, and the blocks right below the head."""

    name: str
    build: Callable[[], nn.Module]
    loss: Callable[[nn.Module], torch.Tensor]
    head: str
    top: tuple[str, ...]
    has_running_statistics: bool


def new_head(old: nn.Module) -> nn.Module:
    """A head for our classes in the place of a published one."""
    if isinstance(old, nn.Conv2d):
        return nn.Conv2d(old.in_channels, CLASSES, kernel_size=1)
    if isinstance(old, FastRCNNPredictor):
        return FastRCNNPredictor(old.cls_score.in_features, CLASSES)
    assert isinstance(old, nn.Linear)
    return nn.Linear(old.in_features, CLASSES, bias=old.bias is not None)


def _labels() -> torch.Tensor:
    return torch.randint(0, CLASSES, (2,))


def _of_images(model: nn.Module) -> torch.Tensor:
    return nn.functional.cross_entropy(model(torch.randn(2, 3, 32, 32)), _labels())


def _of_pixel_values(model: nn.Module) -> torch.Tensor:
    loss: torch.Tensor = model(pixel_values=torch.randn(2, 3, 32, 32), labels=_labels()).loss
    return loss


def _of_text(model: nn.Module) -> torch.Tensor:
    loss: torch.Tensor = model(input_ids=torch.randint(1, 64, (2, 8)), labels=_labels()).loss
    return loss


def _of_text_with_an_end(model: nn.Module) -> torch.Tensor:
    tokens = torch.randint(2, 64, (2, 8))
    tokens[:, -1] = 1
    loss: torch.Tensor = model(input_ids=tokens, labels=_labels()).loss
    return loss


def _of_sound(model: nn.Module) -> torch.Tensor:
    loss: torch.Tensor = model(input_values=torch.randn(2, 800), labels=_labels()).loss
    return loss


def _of_maps(model: nn.Module) -> torch.Tensor:
    maps = model(torch.randn(2, 3, 32, 32))["out"]
    return nn.functional.cross_entropy(maps, torch.randint(0, CLASSES, (2, 32, 32)))


def _of_boxes(model: nn.Module) -> torch.Tensor:
    target = {"boxes": torch.tensor([[4.0, 4.0, 40.0, 50.0]]), "labels": torch.tensor([1])}
    losses = model([torch.rand(3, 64, 64) for _ in range(2)], [target, target])
    return torch.stack(list(losses.values())).sum()


def _detector(norm_layer: type[nn.Module]) -> nn.Module:
    backbone = resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, norm_layer=norm_layer, trainable_layers=5
    )
    return FasterRCNN(backbone, num_classes=5, min_size=64, max_size=64)


def _vision(
    name: str, head: str, *top: str, has_running_statistics: bool = True, **options: Any
) -> Architecture:
    return Architecture(
        name, lambda: models.get_model(name, **options), _of_images, head, top, has_running_statistics
    )


def _transformer(
    name: str,
    model: type[Any],
    loss: Callable[[nn.Module], torch.Tensor],
    head: str,
    *top: str,
    **settings: Any,
) -> Architecture:
    return Architecture(name, lambda: model(model.config_class(**settings)), loss, head, top, False)


ARCHITECTURES = (
    _vision("resnet18", "fc", "layer4"),
    _vision("resnet50", "fc", "layer4"),
    _vision("vgg16_bn", "classifier.6", "classifier.3"),
    _vision("vgg16", "classifier.6", "classifier.3", has_running_statistics=False),
    _vision("densenet121", "classifier", "features.denseblock4", "features.norm5"),
    _vision("efficientnet_b0", "classifier.1", "features.7", "features.8"),
    _vision("mobilenet_v3_large", "classifier.3", "classifier.0"),
    _vision(
        "vit_b_16",
        "heads.head",
        "encoder.layers.encoder_layer_11",
        "encoder.ln",
        has_running_statistics=False,
        image_size=32,
    ),
    _vision("convnext_tiny", "classifier.2", "features.7", "classifier.0", has_running_statistics=False),
    Architecture(
        "fasterrcnn_resnet50_fpn",
        lambda: _detector(FrozenBatchNorm2d),
        _of_boxes,
        "roi_heads.box_predictor",
        ("roi_heads.box_head",),
        False,
    ),
    Architecture(
        "fasterrcnn_resnet50_fpn with BatchNorm2d",
        lambda: _detector(nn.BatchNorm2d),
        _of_boxes,
        "roi_heads.box_predictor",
        ("roi_heads.box_head",),
        True,
    ),
    Architecture(
        "deeplabv3_resnet50",
        lambda: models.segmentation.deeplabv3_resnet50(weights=None, weights_backbone=None),
        _of_maps,
        "classifier.4",
        ("classifier.1", "classifier.2"),
        True,
    ),
    _transformer(
        "BERT",
        transformers.BertForSequenceClassification,
        _of_text,
        "classifier",
        "bert.encoder.layer.1",
        "bert.pooler",
        num_hidden_layers=2,
        **_TEXT,
        **_BERT,
    ),
    _transformer(
        "RoBERTa",
        transformers.RobertaForSequenceClassification,
        _of_text,
        "classifier.out_proj",
        "classifier.dense",
        num_hidden_layers=2,
        **_TEXT,
        **_BERT,
    ),
    _transformer(
        "DistilBERT",
        transformers.DistilBertForSequenceClassification,
        _of_text,
        "classifier",
        "distilbert.transformer.layer.1",
        "pre_classifier",
        n_layers=2,
        dim=32,
        n_heads=2,
        hidden_dim=64,
        **_TEXT,
    ),
    _transformer(
        "ViT",
        transformers.ViTForImageClassification,
        _of_pixel_values,
        "classifier",
        "vit.layernorm",
        num_hidden_layers=2,
        image_size=32,
        num_labels=CLASSES,
        **_BERT,
    ),
    _transformer(
        "Wav2Vec2",
        transformers.Wav2Vec2ForSequenceClassification,
        _of_sound,
        "classifier",
        "projector",
        num_hidden_layers=2,
        conv_dim=(16, 16),
        conv_stride=(5, 2),
        conv_kernel=(10, 3),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        classifier_proj_size=16,
        num_labels=CLASSES,
        **_BERT,
    ),
    _transformer(
        "GPT-2",
        transformers.GPT2ForSequenceClassification,
        _of_text,
        "score",
        "transformer.h.1",
        "transformer.ln_f",
        n_layer=2,
        n_embd=32,
        n_head=2,
        **_TEXT,
    ),
    _transformer(
        "T5",
        transformers.T5ForSequenceClassification,
        _of_text_with_an_end,
        "classification_head.out_proj",
        "classification_head.dense",
        num_layers=2,
        d_model=32,
        d_kv=16,
        d_ff=64,
        num_heads=2,
        decoder_start_token_id=0,
        eos_token_id=1,
        **_TEXT,
    ),
    _transformer(
        "Llama",
        transformers.LlamaForSequenceClassification,
        _of_text,
        "score",
        "model.layers.1",
        "model.norm",
        num_hidden_layers=2,
        **_TEXT,
        **_BERT,
    ),
)
