"""Every strategy on published models at full size, on tensors without values: the audit finds nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn
from torchvision import models

import freezelint
from freezelint import freezing
from freezelint.live.devices import placed
from tests.freezing.models import as_pretrained


@dataclass(frozen=True)
class Published:
    """A model, its head, how deep it is in blocks, and whether it keeps running statistics."""

    build: Callable[[], Any]
    head: str
    blocks: int
    norms: bool = False
    text: bool = False

    def loss(self, model: Any) -> Tensor:
        labels = torch.zeros(2, dtype=torch.long)
        if self.text:
            loss: Tensor = model(**self.sample(), labels=labels).loss
            return loss
        return nn.functional.cross_entropy(model(self.sample()), labels)

    def sample(self) -> Any:
        return {"input_ids": torch.ones(2, 8, dtype=torch.long)} if self.text else torch.zeros(2, 3, 224, 224)


def bert() -> Any:
    return transformers.BertForSequenceClassification(transformers.BertConfig())


def gpt2() -> Any:
    return transformers.GPT2ForSequenceClassification(transformers.GPT2Config(pad_token_id=0))


MODELS = {
    "ResNet-18": Published(models.resnet18, "fc", 6, norms=True),
    "ResNet-50": Published(models.resnet50, "fc", 6, norms=True),
    "VGG16": Published(models.vgg16, "classifier.6", 16),
    "ViT-B/16": Published(models.vit_b_16, "heads", 14),
    "BERT-base": Published(bert, "classifier", 15, text=True),
    "GPT-2": Published(gpt2, "score", 14, text=True),
}


def adamw(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=1e-4)


def head_alone(model: Any, of: Published) -> Iterator[torch.optim.Optimizer]:
    freezing.freeze_all_but(model, of.head)
    freezing.keep_frozen_in_eval(model)
    yield adamw(model.get_submodule(of.head).parameters())


def last_blocks_by_block(model: Any, of: Published) -> Iterator[torch.optim.Optimizer]:
    freezing.freeze_except_last(model, 3)
    assert len(freezing.blocks(model)) == of.blocks
    groups = freezing.layerwise_groups(model, 1e-4, 0.9, decay_norms_and_biases=False)
    assert {row.block for row in freezing.summary(model).rows if row.trainable} == {
        group["name"].removesuffix(" (no decay)") for group in groups
    }
    yield adamw(groups)


def everything_by_depth(model: Any, of: Published) -> Iterator[torch.optim.Optimizer]:
    if of.norms:
        freezing.norms.freeze(model)
    yield adamw(freezing.layerwise_groups(model, 1e-4, 0.9, "depth", sample=of.sample()))


def everything_by_layer(model: Any, of: Published) -> Iterator[torch.optim.Optimizer]:
    if of.norms:
        freezing.norms.freeze_until(model, "layer4")
    yield adamw(freezing.layerwise_groups(model, 1e-4, 0.9, "layer"))


def gradually(model: Any, of: Published) -> Iterator[torch.optim.Optimizer]:
    optimizer = adamw(model.get_submodule(of.head).parameters())
    schedule = freezing.slanted_triangular(optimizer, 20)
    unfreezing = freezing.GradualUnfreezing(model, optimizer, norms="frozen", schedule=schedule)
    assert len(unfreezing.stages) == of.blocks - 1
    for epoch in (0, 1, of.blocks - 1):
        unfreezing.begin_epoch(epoch)
        yield optimizer
        schedule.step()
    assert unfreezing.done


STRATEGIES = [head_alone, last_blocks_by_block, everything_by_depth, everything_by_layer, gradually]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.__name__)
@pytest.mark.parametrize("of", MODELS.values(), ids=list(MODELS))
def test_the_audit_finds_nothing(
    of: Published, strategy: Callable[[Any, Published], Iterator[torch.optim.Optimizer]]
) -> None:
    with placed("fake", lambda *_: None):
        model: Any = as_pretrained(of.build(), of.head)
        steps = strategy(model, of)
        optimizer = next(steps)
        taken = 0
        with freezelint.watch(model, optimizer) as report:
            while optimizer is not None:
                model.train()
                of.loss(model).backward()
                optimizer.step()
                optimizer.zero_grad()
                taken += 1
                optimizer = next(steps, None)  # type: ignore[arg-type]
    report.raise_for_findings()
    assert report.trace.steps_done == taken


def test_the_silence_is_earned() -> None:
    """Flags alone leave the norm layers in train mode, at any size."""
    of = MODELS["ResNet-50"]
    with placed("fake", lambda *_: None):
        model = as_pretrained(of.build(), of.head)
        for name, p in model.named_parameters():
            p.requires_grad = name.startswith(of.head)
        optimizer = adamw(p for p in model.parameters() if p.requires_grad)
        with freezelint.watch(model, optimizer) as report:
            of.loss(model.train()).backward()
            optimizer.step()
    assert [finding.code for finding in report.findings] == ["FRZ101"]
