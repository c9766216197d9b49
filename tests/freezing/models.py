"""Small models that the tests of `freezelint.freezing` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.models.vgg import VGG, make_layers
from torchvision.models.vision_transformer import VisionTransformer


class Stage(nn.Module):
    """A convolution with its norm layer, dropout behind it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.bn = nn.BatchNorm2d(outputs)
        self.drop = nn.Dropout(0.5)

    def forward(self, images: Tensor) -> Tensor:
        result: Tensor = self.drop(self.bn(self.conv(images)).relu())
        return result


class Net(nn.Module):
    """A user's model: stages with norm layers, and a head. With twelve of them, names share prefixes."""

    def __init__(self, stages: int = 3) -> None:
        super().__init__()
        self.stage = nn.ModuleList(Stage(3 if i == 0 else 4, 4) for i in range(stages))
        self.head = nn.Linear(4, 2)

    def forward(self, images: Tensor) -> Tensor:
        for stage in self.stage:
            images = stage(images)
        result: Tensor = self.head(images.mean((2, 3)))
        return result


def images(count: int = 4) -> Tensor:
    """A batch of small images."""
    return torch.randn(count, 3, 8, 8)


def loss_of(model: nn.Module) -> Tensor:
    """The loss of one batch of images."""
    return nn.functional.cross_entropy(model(images()), torch.randint(0, 2, (4,)))


def small_resnet() -> ResNet:
    """torchvision's ResNet with one block a stage."""
    return ResNet(BasicBlock, [1, 1, 1, 1], num_classes=2)


def small_vgg() -> VGG:
    """torchvision's VGG with two convolutions."""
    with torch.device("meta"):  # its own classifier has a hundred million weights
        model = VGG(nn.Identity(), num_classes=2, init_weights=False)
    model.features = make_layers([4, "M", 4, "M"])
    model.classifier = nn.Sequential(nn.Linear(4 * 49, 8), nn.ReLU(True), nn.Dropout(), nn.Linear(8, 2))
    return model


def small_vit() -> VisionTransformer:
    """torchvision's vision transformer with two layers."""
    return VisionTransformer(8, 4, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=16, num_classes=2)


def small_bert() -> Any:
    """BERT with two layers, and a head."""
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 32}
    return transformers.BertForSequenceClassification(
        transformers.BertConfig(num_hidden_layers=2, num_labels=2, pad_token_id=0, **sizes)
    )


def small_gpt2() -> Any:
    """GPT-2 with two layers, and a head."""
    return transformers.GPT2ForSequenceClassification(
        transformers.GPT2Config(
            n_layer=2, n_embd=16, n_head=2, vocab_size=32, num_labels=2, pad_token_id=0, bos_token_id=1,
            eos_token_id=1,
        )
    )  # fmt: skip


def tokens() -> dict[str, Tensor]:
    """A batch of text."""
    return {"input_ids": torch.randint(2, 32, (2, 6)), "labels": torch.randint(0, 2, (2,))}


def text_loss_of(model: Any) -> Tensor:
    """The loss of one batch of text."""
    loss: Tensor = model(**tokens()).loss
    return loss


LOSSES: dict[Callable[[], nn.Module], Callable[[nn.Module], Tensor]] = {
    Net: loss_of,
    small_resnet: loss_of,
    small_vgg: loss_of,
    small_vit: loss_of,
    small_bert: text_loss_of,
    small_gpt2: text_loss_of,
}


def as_pretrained(model: nn.Module, head: str) -> nn.Module:
    """The model with weights that were loaded, but for the head."""
    state = {name: value for name, value in model.state_dict().items() if not name.startswith(head)}
    model.load_state_dict(state, strict=False)
    return model


def flags(model: nn.Module) -> dict[str, bool]:
    """Which parameters train."""
    return {name: p.requires_grad for name, p in model.named_parameters()}


def modes(model: nn.Module) -> dict[str, bool]:
    """Which modules are in train mode."""
    return {name: module.training for name, module in model.named_modules()}
