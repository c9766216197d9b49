"""Every strategy does what a loop in plain torch does: the parameters after training are the same."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import nn

from freezelint import freezing
from tests.freezing.models import LOSSES, small_bert, small_resnet, text_loss_of

# What the last two blocks of each model are called.
TOP = {
    "Net": ("stage.2", "head"),
    "small_resnet": ("layer4", "fc"),
    "small_vgg": ("classifier.0", "classifier.3"),
    "small_vit": ("encoder.layers.encoder_layer_1", "encoder.ln", "heads"),
    "small_bert": ("bert.pooler", "classifier"),
    "small_gpt2": ("transformer.h.1", "transformer.ln_f", "score"),
}


def train(
    model: nn.Module,
    loss: Callable[[Any], torch.Tensor],
    groups: Iterable[Any],
    in_eval: tuple[nn.Module, ...] = (),
) -> dict[str, torch.Tensor]:
    """Three steps; the state after them."""
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9, weight_decay=0.01)
    for seed in range(3):
        torch.manual_seed(seed)
        model.train()
        for module in in_eval:
            module.eval()
        loss(model).backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.state_dict()


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


@pytest.mark.parametrize(("build", "loss"), LOSSES.items(), ids=[build.__name__ for build in LOSSES])
def test_the_last_blocks(build: Callable[[], nn.Module], loss: Callable[[Any], torch.Tensor]) -> None:
    ours = build()
    plain = copy.deepcopy(ours)
    freezing.freeze_except_last(ours, 2)
    trained = train(ours, loss, [p for p in ours.parameters() if p.requires_grad])

    top = tuple(f"{name}." for name in TOP[build.__name__])
    for name, p in plain.named_parameters():
        p.requires_grad = name.startswith(top)
    norms = [m for n, m in plain.named_modules() if isinstance(m, nn.BatchNorm2d) and not n.startswith(top)]
    by_hand = train(plain, loss, [p for n, p in plain.named_parameters() if n.startswith(top)], tuple(norms))
    assert_same(trained, by_hand)


def test_layerwise_rates_of_bert() -> None:
    ours = small_bert()
    plain = copy.deepcopy(ours)
    trained = train(ours, text_loss_of, freezing.layerwise_groups(ours, 0.1, 0.5))
    parts = [plain.bert.embeddings, *plain.bert.encoder.layer, plain.bert.pooler, plain.classifier]
    groups = [{"params": part.parameters(), "lr": 0.1 * 0.5 ** (4 - k)} for k, part in enumerate(parts)]
    assert_same(trained, train(plain, text_loss_of, groups))


def test_frozen_norm_layers_of_a_resnet() -> None:
    def loss(model: nn.Module) -> torch.Tensor:
        return nn.functional.cross_entropy(model(torch.randn(4, 3, 32, 32)), torch.randint(0, 2, (4,)))

    ours = small_resnet()
    plain = copy.deepcopy(ours)
    freezing.norms.freeze(ours)
    trained = train(ours, loss, [p for p in ours.parameters() if p.requires_grad])
    norms = tuple(m for m in plain.modules() if isinstance(m, nn.BatchNorm2d))
    frozen = {id(p) for norm in norms for p in norm.parameters()}
    by_hand = train(plain, loss, [p for p in plain.parameters() if id(p) not in frozen], norms)
    assert_same(trained, by_hand)
