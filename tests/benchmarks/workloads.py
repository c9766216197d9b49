"""What is trained while the cost of observation is measured: two models, in full and with a frozen body."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

FULL, FROZEN = "full", "frozen"
NAMES = ("resnet50", "bert-base")


@dataclass
class Workload:
    """A model with its optimizer, and a function that takes whole training steps."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    loss: Callable[[], torch.Tensor]

    def train(self, steps: int) -> None:
        for _ in range(steps):
            self.optimizer.zero_grad()
            self.loss().backward()
            self.optimizer.step()


def workload(name: str, kind: str, device: torch.device) -> Workload:
    """ResNet-50 on 8 images of 224 pixels, or BERT-base on 8 texts of 128 tokens."""
    torch.manual_seed(0)
    return _resnet(kind, device) if name == "resnet50" else _bert(kind, device)


def _resnet(kind: str, device: torch.device) -> Workload:
    from torchvision.models import resnet50

    model = resnet50()
    model.fc = nn.Linear(2048, 10)
    model.to(device).train()
    if kind == FROZEN:
        model.requires_grad_(False)
        model.fc.requires_grad_(True)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    images, labels = torch.randn(8, 3, 224, 224, device=device), torch.randint(0, 10, (8,), device=device)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=1e-3, momentum=0.9)
    return Workload(model, optimizer, lambda: nn.functional.cross_entropy(model(images), labels))


def _bert(kind: str, device: torch.device) -> Workload:
    from transformers import BertConfig, BertForSequenceClassification

    model = BertForSequenceClassification(BertConfig(num_labels=2)).to(device).train()
    if kind == FROZEN:
        model.bert.requires_grad_(False)
    tokens, labels = (
        torch.randint(1, 30000, (8, 128), device=device),
        torch.randint(0, 2, (8,), device=device),
    )
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5)
    return Workload(model, optimizer, lambda: model(input_ids=tokens, labels=labels).loss)
