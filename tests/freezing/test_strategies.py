"""Every strategy on every small model: parameters after training are those of a loop in plain torch."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import pytest
import torch
from torch import Tensor, nn

from freezelint import freezing
from tests.freezing.models import LOSSES, Net, as_pretrained, small_resnet, small_vgg

# What the blocks of each model are, written down by hand: the beginnings of the names in them.
BLOCKS: dict[str, list[tuple[str, ...]]] = {
    "Net": [("stage.0",), ("stage.1",), ("stage.2",), ("head",)],
    "small_resnet": [("conv1", "bn1"), ("layer1",), ("layer2",), ("layer3",), ("layer4",), ("fc",)],
    "small_vgg": [("features.0",), ("features.3",), ("classifier.0",), ("classifier.3",)],
    "small_vit": [
        ("class_token", "conv_proj", "encoder.pos_embedding"),
        ("encoder.layers.encoder_layer_0",),
        ("encoder.layers.encoder_layer_1", "encoder.ln"),
        ("heads",),
    ],
    "small_bert": [
        ("bert.embeddings",),
        ("bert.encoder.layer.0",),
        ("bert.encoder.layer.1",),
        ("bert.pooler",),
        ("classifier",),
    ],
    "small_gpt2": [
        ("transformer.wte", "transformer.wpe"),
        ("transformer.h.0",),
        ("transformer.h.1", "transformer.ln_f"),
        ("score",),
    ],
}
# What there is beside the head, dropout included.
BODIES: dict[str, tuple[str, ...]] = {
    "Net": ("stage",),
    "small_resnet": ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4"),
    "small_vgg": ("features", "classifier.0"),
    "small_vit": ("conv_proj", "encoder"),
    "small_bert": ("bert",),
    "small_gpt2": ("transformer",),
}
Build: TypeAlias = "Callable[[], nn.Module]"
Loss: TypeAlias = "Callable[[Any], Tensor]"
State: TypeAlias = "dict[str, Tensor]"

RATE, STEPS = 0.05, 3

of_every_model = pytest.mark.parametrize(
    ("build", "loss"), LOSSES.items(), ids=[build.__name__ for build in LOSSES]
)


def within(model: nn.Module, prefixes: Iterable[str]) -> list[nn.Parameter]:
    wanted = tuple(prefixes)
    return [p for n, p in model.named_parameters() if any(n == w or n.startswith(f"{w}.") for w in wanted)]


def everything(groups: list[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(name for group in groups for name in group)


def eval_norms(model: nn.Module, prefixes: Iterable[str]) -> None:
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d) and name.startswith(tuple(prefixes)):
            module.eval()


def eval_body(model: nn.Module, build: Build) -> None:
    for name in BODIES[build.__name__]:
        model.get_submodule(name).eval()


def freeze_by_hand(model: nn.Module, prefixes: Iterable[str]) -> None:
    for p in within(model, prefixes):
        p.requires_grad = False


def sgd(groups: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr=RATE, momentum=0.9, weight_decay=0.01)


def train(
    model: nn.Module,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    in_modes: Callable[[], object] = lambda: None,
    after: Callable[[int], object] = lambda step: step,
    steps: int = STEPS,
    first: int = 0,
) -> State:
    """Plain steps; `in_modes` is called behind `train()`, `after` behind each step. The state after them."""
    for step in range(first, first + steps):
        torch.manual_seed(step)
        model.train()
        in_modes()
        loss(model).backward()
        optimizer.step()
        optimizer.zero_grad()
        after(step)
    return model.state_dict()


def twins(build: Build) -> tuple[nn.Module, nn.Module, list[tuple[str, ...]]]:
    torch.manual_seed(7)
    ours = build()
    return ours, copy.deepcopy(ours), BLOCKS[build.__name__]


def trainable(model: nn.Module) -> list[nn.Parameter]:
    return [p for p in model.parameters() if p.requires_grad]


def assert_same(one: State, other: State) -> None:
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


@pytest.mark.parametrize("build", LOSSES, ids=lambda build: build.__name__)
def test_the_blocks_are_those_written_down(build: Build) -> None:
    model = build()
    for block, prefixes in zip(freezing.blocks(model), BLOCKS[build.__name__], strict=True):
        assert {id(p) for p in block.parameters.values()} == set(map(id, within(model, prefixes)))


@of_every_model
def test_freeze_the_first_two_blocks(build: Build, loss: Loss) -> None:
    ours, plain, blocks = twins(build)
    frozen = everything(blocks[:2])
    freezing.freeze(ours, *frozen)
    freeze_by_hand(plain, frozen)
    by_hand = train(plain, loss, sgd(trainable(plain)), lambda: eval_norms(plain, frozen))
    assert_same(train(ours, loss, sgd(trainable(ours))), by_hand)


@of_every_model
def test_freeze_all_but_the_head_with_dropout_off(build: Build, loss: Loss) -> None:
    ours, plain, blocks = twins(build)
    freezing.freeze_all_but(ours, *blocks[-1])
    freezing.keep_frozen_in_eval(ours)
    frozen = everything(blocks[:-1])
    freeze_by_hand(plain, frozen)
    by_hand = train(plain, loss, sgd(trainable(plain)), lambda: eval_body(plain, build))
    assert_same(train(ours, loss, sgd(trainable(ours))), by_hand)


@of_every_model
def test_freeze_except_the_last_three_and_then_all(build: Build, loss: Loss) -> None:
    """Unfreezing under the optimizer that is there, which goes on."""
    ours, plain, blocks = twins(build)
    frozen = everything(blocks[:-3])
    freezing.freeze_except_last(ours, 3)
    freeze_by_hand(plain, frozen)
    optimizers = sgd(ours.parameters()), sgd(plain.parameters())
    train(ours, loss, optimizers[0], steps=2)
    train(plain, loss, optimizers[1], lambda: eval_norms(plain, frozen), steps=2)
    freezing.unfreeze(ours)
    plain.requires_grad_(True)
    by_hand = train(plain, loss, optimizers[1], first=2, steps=2)
    assert_same(train(ours, loss, optimizers[0], first=2, steps=2), by_hand)


@of_every_model
def test_rates_by_block_with_a_schedule(build: Build, loss: Loss) -> None:
    ours, plain, blocks = twins(build)
    optimizer = sgd(freezing.layerwise_groups(ours, RATE, 0.5))
    schedule = freezing.warmup_cosine(optimizer, 6, 2)
    ours_trained = train(ours, loss, optimizer, after=lambda _: schedule.step(), steps=6)

    rates = [RATE * 0.5 ** (len(blocks) - 1 - k) for k in range(len(blocks))]
    by_hand = sgd([{"params": within(plain, prefixes)} for prefixes in blocks])
    factors = [0.5, 1.0, *((1 + math.cos(math.pi * k / 4)) / 2 for k in range(4))]
    torch_trained: State = {}
    for step, factor in enumerate(factors):
        for group, rate in zip(by_hand.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        torch_trained = train(plain, loss, by_hand, first=step, steps=1)
    for name, value in ours_trained.items():
        torch.testing.assert_close(value, torch_trained[name], rtol=1e-5, atol=1e-6)


# How many layers with weights lie behind each layer, written down by hand; norm layers go with their layer.
DISTANCES: dict[Build, dict[str, int]] = {
    Net: {"stage.0": 3, "stage.1": 2, "stage.2": 1, "head": 0},
    small_vgg: {"features.0": 3, "features.3": 2, "classifier.0": 1, "classifier.3": 0},
}


@pytest.mark.parametrize("by", ["layer", "depth"])
@pytest.mark.parametrize("build", DISTANCES, ids=lambda build: build.__name__)
def test_rates_by_layer_and_by_depth(build: Build, by: Any) -> None:
    ours, plain, _ = twins(build)
    groups = freezing.layerwise_groups(ours, RATE, 0.5, by, sample=torch.zeros(1, 3, 8, 8))
    by_hand = [
        {"params": within(plain, [name]), "lr": RATE * 0.5**distance}
        for name, distance in DISTANCES[build].items()
    ]
    loss = LOSSES[build]
    assert_same(train(ours, loss, sgd(groups)), train(plain, loss, sgd(by_hand)))


@of_every_model
@pytest.mark.parametrize("norms", ["follow", "frozen"])
def test_gradual_unfreezing(build: Build, loss: Loss, norms: Any) -> None:
    ours, plain, blocks = twins(build)
    head = within(ours, blocks[-1])
    optimizer = sgd(head)
    unfreezing = freezing.GradualUnfreezing(ours, optimizer, decay=0.5, norms=norms)
    for epoch in range(len(blocks)):
        unfreezing.begin_epoch(epoch)
        train(ours, loss, optimizer, first=epoch, steps=1)

    freeze_by_hand(plain, everything(blocks[:-1]))
    by_hand = sgd(within(plain, blocks[-1]))
    for epoch in range(len(blocks)):
        closed = everything(blocks[: len(blocks) - 1 - epoch])
        held = closed if norms == "follow" else everything(blocks[:-1])
        if epoch:
            opened = blocks[-1 - epoch]
            parts = [m for m in plain.modules() if isinstance(m, nn.BatchNorm2d)]
            kept = {id(p) for m in parts for p in m.parameters()} if norms == "frozen" else set()
            new = [p for p in within(plain, opened) if id(p) not in kept]
            for p in new:
                p.requires_grad = True
            by_hand.add_param_group({"params": new, "lr": RATE * 0.5**epoch})
        train(plain, loss, by_hand, lambda held=held: eval_norms(plain, held), first=epoch, steps=1)
    assert unfreezing.done
    assert_same(ours.state_dict(), plain.state_dict())


@pytest.mark.parametrize("build", [Net, small_resnet], ids=lambda build: build.__name__)
def test_norm_layers_that_are_frozen_until_a_block_or_adapt(build: Build) -> None:
    loss = LOSSES[build]
    ours, plain, blocks = twins(build)
    freezing.norms.freeze_until(ours, blocks[2][0])
    freezing.norms.adapt(ours, blocks[2][0], momentum=0.3)
    early = everything(blocks[:2])
    norms = {n: m for n, m in plain.named_modules() if isinstance(m, nn.BatchNorm2d)}
    for name, norm in norms.items():
        if name.startswith(early):
            norm.requires_grad_(False)
        if name.startswith(blocks[2]):
            norm.momentum = 0.3
    by_hand = train(plain, loss, sgd(trainable(plain)), lambda: eval_norms(plain, early))
    assert_same(train(ours, loss, sgd(trainable(ours))), by_hand)


@of_every_model
def test_train_mode_for_a_while(build: Build, loss: Loss) -> None:
    ours, plain, blocks = twins(build)
    frozen = everything(blocks[:-1])
    for model in (ours, plain):
        as_pretrained(model, blocks[-1][0])
        freeze_by_hand(model, frozen)
        model.eval()
    optimizers = sgd(trainable(ours)), sgd(trainable(plain))
    with freezing.train_mode(ours):
        torch.manual_seed(0)
        loss(ours).backward()
        optimizers[0].step()
    train(plain, loss, optimizers[1], lambda: eval_body(plain, build), steps=1)
    assert not any(module.training for module in ours.modules())
    assert_same(ours.state_dict(), plain.state_dict())


@of_every_model
def test_a_summary_counts_what_the_loop_trains(build: Build, loss: Loss) -> None:
    ours, _, blocks = twins(build)
    freezing.freeze_except_last(ours, 2)
    optimizer = sgd(freezing.layerwise_groups(ours, RATE, 0.5))
    rows = freezing.summary(ours, optimizer).rows
    for row, prefixes, last in zip(rows, blocks, reversed(range(len(blocks))), strict=True):
        values = sum(p.numel() for p in within(ours, prefixes))
        assert (row.parameters, row.trainable) == (values, values if last < 2 else 0)
        assert row.rates == ((RATE * 0.5**last,) if last < 2 else ())
    before = copy.deepcopy(ours.state_dict())
    after = train(ours, loss, optimizer)
    moved = sum(p.numel() for n, p in ours.named_parameters() if not torch.equal(after[n], before[n]))
    assert moved <= sum(row.trainable for row in rows)
