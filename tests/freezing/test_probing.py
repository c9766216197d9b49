"""Linear probing, then fine-tuning, in one optimizer."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

import freezelint
from freezelint import freezing
from freezelint.freezing import linear_probe_then_finetune
from tests.freezing.models import Net, as_pretrained, flags, loss_of, small_bert, small_resnet, text_loss_of


def sgd(parameters: Any, **options: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.01, **options)


def train(model: nn.Module, optimizer: Any, schedule: Any, seed: int) -> None:
    torch.manual_seed(seed)
    for _ in range(2):
        loss_of(model).backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()


def test_the_head_alone_and_then_everything() -> None:
    model = Net()
    optimizer = sgd(model.head.parameters())
    stages = linear_probe_then_finetune(model, optimizer, probe_epochs=3)
    assert stages.stages == ("body",)
    assert [name for name, flag in flags(model).items() if flag] == ["head.weight", "head.bias"]
    assert not any(stage.bn.training for stage in model.train().stage)
    assert [stages.begin_epoch(epoch) for epoch in range(5)] == [(), (), (), ("body",), ()]
    assert all(flags(model).values())
    assert all(stage.bn.training for stage in model.train().stage)
    assert [(group.get("name"), group["lr"]) for group in optimizer.param_groups[1:]] == [
        ("body", pytest.approx(0.01))
    ]


def test_norm_layers_of_the_body_may_stay_frozen() -> None:
    model = small_resnet()
    stages = linear_probe_then_finetune(model, sgd(model.fc.parameters()), probe_epochs=1, norms="frozen")
    stages.begin_epoch(1)
    model.train()
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert not any(norm.training or norm.weight.requires_grad for norm in norms)
    assert model.layer4[0].conv1.weight.requires_grad


@pytest.mark.parametrize("norms", ["follow", "frozen"])
def test_as_a_plain_loop_does_it(norms: Any) -> None:
    model = small_resnet()
    plain = copy.deepcopy(model)
    optimizer = sgd(model.fc.parameters())
    schedule = freezing.warmup_linear(optimizer, total_steps=8, warmup_steps=2)
    stages = linear_probe_then_finetune(
        model, optimizer, probe_epochs=2, ratio=0.2, norms=norms, schedule=schedule
    )
    for epoch in range(4):
        stages.begin_epoch(epoch)
        model.train()
        train(model, optimizer, schedule, epoch)

    body = [module for name, module in plain.named_children() if name != "fc"]
    batch_norms = [module for module in plain.modules() if isinstance(module, nn.BatchNorm2d)]
    for part in body:
        part.requires_grad_(False)
    by_hand = sgd(plain.fc.parameters())
    step = 0
    for epoch in range(4):
        if epoch == 2:
            for part in body:
                part.requires_grad_(True)
            if norms == "frozen":
                for norm in batch_norms:
                    norm.requires_grad_(False)
            trained = [p for part in body for p in part.parameters() if p.requires_grad]
            by_hand.add_param_group({"params": trained, "lr": 0.02})
        plain.train()
        for norm in batch_norms if epoch < 2 or norms == "frozen" else []:
            norm.eval()
        torch.manual_seed(epoch)
        for _ in range(2):
            since = step if step < 4 else step - 4
            factor = min(1.0, (since + 1) / 2) * (1 - max(step - 2, 0) / 6)
            for group, peak in zip(by_hand.param_groups, (0.1, 0.02), strict=False):
                group["lr"] = peak * factor
            loss_of(plain).backward()
            by_hand.step()
            by_hand.zero_grad()
            step += 1
    for (name, one), other in zip(model.state_dict().items(), plain.state_dict().values(), strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-7), name


def test_a_resumed_training_is_the_same_training() -> None:
    def build() -> tuple[Any, ...]:
        torch.manual_seed(0)
        model = Net()
        optimizer = sgd(model.head.parameters())
        schedule = freezing.warmup_cosine(optimizer, 12, 2)
        return (
            model,
            optimizer,
            schedule,
            linear_probe_then_finetune(model, optimizer, probe_epochs=1, schedule=schedule),
        )

    first = build()
    for epoch in range(2):
        first[3].begin_epoch(epoch)
        first[0].train()
        train(*first[:3], seed=epoch)
    saved = copy.deepcopy([each.state_dict() for each in first])
    resumed = build()
    for position in (0, 3, 1, 2):  # the model, then stages, optimizer, schedule
        resumed[position].load_state_dict(saved[position])
    for each in (first, resumed):
        assert each[3].begin_epoch(2) == ()
        each[0].train()
        train(*each[:3], seed=2)
    assert all(
        torch.equal(one, other)
        for one, other in zip(first[0].state_dict().values(), resumed[0].state_dict().values(), strict=True)
    )


def test_a_head_of_several_blocks_or_of_a_part_of_one() -> None:
    model = small_bert()
    held = [*model.bert.pooler.parameters(), *model.classifier.parameters()]
    stages = linear_probe_then_finetune(model, sgd(held), probe_epochs=1)
    assert stages.stages == ("body",)
    assert {name.split(".")[-2] for name, flag in flags(model).items() if flag} == {"dense", "classifier"}

    model = small_bert()
    stages = linear_probe_then_finetune(model, optimizer := sgd([model.classifier.weight]), probe_epochs=1)
    stages.advance()
    assert any(p is model.classifier.bias for p in optimizer.param_groups[1]["params"])


@pytest.mark.parametrize(
    ("part", "options", "message"),
    [
        ("head", {"probe_epochs": 0}, "probe_epochs is a number of epochs, at least 1, and is 0"),
        (
            "head",
            {"probe_epochs": 1, "ratio": 10},
            r"the body's rate over the head's, in \(0, 1\], and is 10",
        ),
        ("", {"probe_epochs": 1}, "the optimizer already holds every parameter"),
        ("stage", {"probe_epochs": 1}, "the optimizer holds nothing of `head`, the last block"),
    ],
)
def test_bad_input_raises_before_anything_changes(part: str, options: dict[str, Any], message: str) -> None:
    model = Net()
    with pytest.raises(ValueError, match=message):
        linear_probe_then_finetune(model, sgd(model.get_submodule(part).parameters()), **options)
    assert all(flags(model).values())


def test_the_audit_finds_nothing() -> None:
    model = as_pretrained(small_bert(), "classifier")
    optimizer = torch.optim.AdamW(model.classifier.parameters(), lr=1e-3)
    schedule = freezing.warmup_linear(optimizer, 8, 1)
    stages = linear_probe_then_finetune(model, optimizer, probe_epochs=2, schedule=schedule)
    with freezelint.watch(model, optimizer) as report:
        for epoch in range(4):
            stages.begin_epoch(epoch)
            model.train()
            text_loss_of(model).backward()
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    report.raise_for_findings()
    assert stages.done
