"""Gradual unfreezing in one optimizer."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import freezelint
from freezelint import freezing
from freezelint.freezing import GradualUnfreezing
from tests.freezing.models import (
    LOSSES,
    Net,
    as_pretrained,
    flags,
    images,
    loss_of,
    small_gpt2,
    small_resnet,
)  # fmt: skip

HEADS = {
    "Net": "head",
    "small_resnet": "fc",
    "small_vgg": "classifier.3",
    "small_vit": "heads",
    "small_bert": "classifier",
    "small_gpt2": "score",
}


def adamw(model: nn.Module, head: str, lr: float = 1e-3, **options: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.get_submodule(head).parameters(), lr=lr, **options)


def trained(model: nn.Module) -> list[str]:
    """The stages of a `Net` that train."""
    return sorted({".".join(n.split(".")[:2]) for n, flag in flags(model).items() if flag and "stage" in n})


def test_opens_from_the_output_to_the_input_in_the_same_optimizer() -> None:
    model = Net()
    optimizer = adamw(model, "head", 1.0)
    unfreezing = GradualUnfreezing(model, optimizer, decay=0.5)
    assert unfreezing.stages == ("stage.2", "stage.1", "stage.0")
    assert trained(model) == []
    assert unfreezing.advance() == "stage.2"
    assert trained(model) == ["stage.2"]
    assert unfreezing.advance() == "stage.1"
    assert not unfreezing.done
    assert unfreezing.advance() == "stage.0"
    assert (unfreezing.done, unfreezing.stage, unfreezing.advance()) == (True, 3, None)
    assert all(flags(model).values())
    assert [(g.get("name"), g["lr"]) for g in optimizer.param_groups[1:]] == [
        ("stage.2", 0.5), ("stage.1", 0.25), ("stage.0", 0.125),
    ]  # fmt: skip
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(map(id, model.parameters()))


def test_epochs_open_what_is_due() -> None:
    model = Net()
    unfreezing = GradualUnfreezing(model, adamw(model, "head"), every=2)
    opened = [unfreezing.begin_epoch(epoch) for epoch in range(8)]
    assert opened == [(), (), ("stage.2",), (), ("stage.1",), (), ("stage.0",), ()]
    assert unfreezing.begin_epoch(7) == ()
    late = GradualUnfreezing(other := Net(), adamw(other, "head"))
    assert late.begin_epoch(2) == ("stage.2", "stage.1")


def test_state_of_what_already_trains_is_kept() -> None:
    model = Net()
    optimizer = adamw(model, "head")
    unfreezing = GradualUnfreezing(model, optimizer)
    loss_of(model).backward()
    optimizer.step()
    before = copy.deepcopy(optimizer.state[model.head.weight])
    unfreezing.advance()
    after = optimizer.state[model.head.weight]
    assert all(torch.equal(after[key], before[key]) for key in before)


def test_new_groups_take_over_the_options_of_the_head() -> None:
    model = Net()
    optimizer = torch.optim.SGD(
        model.head.parameters(), lr=0.1, momentum=0.9, weight_decay=0.3, nesterov=True
    )
    GradualUnfreezing(model, optimizer).advance()
    head, new = optimizer.param_groups
    assert {k: v for k, v in new.items() if k not in ("params", "lr", "name")} == {
        k: v for k, v in head.items() if k not in ("params", "lr", "name")
    }
    named = torch.optim.SGD(model.head.named_parameters(prefix="head"), lr=0.1)
    GradualUnfreezing(model, named).advance()
    assert named.param_groups[1]["param_names"][0] == "stage.2.conv.weight"


def test_norm_layers_follow_their_block_or_stay_frozen() -> None:
    follows, stays = Net(), Net()
    GradualUnfreezing(follows, adamw(follows, "head")).advance()
    unfreezing = GradualUnfreezing(stays, optimizer := adamw(stays, "head"), norms="frozen")
    unfreezing.advance()
    for model, expected in ((follows, True), (stays, False)):
        model.eval()
        model.train()
        assert [stage.bn.training for stage in model.stage] == [False, False, expected]
        assert model.stage[2].bn.weight.requires_grad is expected
    assert len(optimizer.param_groups[1]["params"]) == 2


def test_each_stage_warms_up_again() -> None:
    model = Net()
    optimizer = adamw(model, "head", 1.0)
    schedule = freezing.warmup_linear(optimizer, total_steps=1000, warmup_steps=4)
    unfreezing = GradualUnfreezing(model, optimizer, decay=0.5, schedule=schedule)
    for _ in range(10):
        optimizer.step()
        schedule.step()
    unfreezing.advance()
    rates = []
    for _ in range(4):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    assert [row[0] for row in rates] == pytest.approx([0.25, 0.5, 0.75, 1.0], rel=0.02)
    assert all(row[1] == pytest.approx(row[0] / 2) for row in rates), "half of what the head was set to"


def test_a_head_of_several_groups_and_a_start_with_several_blocks() -> None:
    model = Net()
    weights = [{"params": [model.head.weight]}, {"params": [model.head.bias], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW([*weights, {"params": model.stage[2].parameters(), "lr": 1e-4}], lr=1e-2)
    unfreezing = GradualUnfreezing(model, optimizer, decay=0.5)
    assert unfreezing.stages == ("stage.1", "stage.0")
    assert trained(model) == ["stage.2"]
    assert model.train().stage[2].bn.training
    unfreezing.advance()
    weights, biases = optimizer.param_groups[-2:]
    assert (weights["name"], weights["lr"], weights["weight_decay"]) == ("stage.1", 1e-2 * 0.25, 1e-2)
    assert (biases["name"], biases["lr"], biases["weight_decay"]) == ("stage.1 (no decay)", 1e-2 * 0.25, 0.0)
    assert weights["params"] == [model.stage[1].conv.weight]
    assert [p.ndim for p in biases["params"]] == [1, 1, 1]


def steps(model: nn.Module, optimizer: Any, schedule: Any, count: int, seed: int) -> None:
    torch.manual_seed(seed)
    for _ in range(count):
        model.train()
        loss_of(model).backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()


def test_a_resumed_training_is_the_same_training() -> None:
    def build() -> tuple[Any, ...]:
        torch.manual_seed(0)
        model = Net()
        optimizer = adamw(model, "head")
        schedule = freezing.warmup_cosine(optimizer, 20, 2)
        return model, optimizer, schedule, GradualUnfreezing(model, optimizer, schedule=schedule)

    first = build()
    for epoch in range(3):
        first[3].begin_epoch(epoch)
        steps(*first[:3], 2, epoch)
    saved = copy.deepcopy([each.state_dict() for each in first])

    resumed = build()
    for position in (0, 3, 1, 2):  # the model, then stages, optimizer, schedule
        resumed[position].load_state_dict(saved[position])
    for each in (first, resumed):
        assert each[3].begin_epoch(3) == ("stage.0",)
        steps(*each[:3], 2, 3)
    for one, other in zip(first[0].state_dict().values(), resumed[0].state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert first[1].param_groups[2]["lr"] == resumed[1].param_groups[2]["lr"]


def test_a_state_of_another_model_is_refused() -> None:
    model, other = Net(), small_resnet()
    state = {"stage": 1, "opened": ["layer4"]}
    with pytest.raises(ValueError, match=r"the state opened \['layer4'\] and this model opens \['stage.2'"):
        GradualUnfreezing(model, adamw(model, "head")).load_state_dict(state)
    unfreezing = GradualUnfreezing(other, adamw(other, "fc"))
    unfreezing.load_state_dict(state)
    assert unfreezing.stage == 1


def test_the_same_as_a_loop_written_by_hand() -> None:
    """Parameters after training, against plain torch."""
    torch.manual_seed(0)
    model = as_pretrained(small_resnet(), "fc")
    by_hand = copy.deepcopy(model)

    optimizer = torch.optim.SGD(model.fc.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    unfreezing = GradualUnfreezing(model, optimizer, decay=0.5)
    for epoch in range(3):
        unfreezing.begin_epoch(epoch)
        torch.manual_seed(epoch)
        model.train()
        loss_of(model).backward()
        optimizer.step()
        optimizer.zero_grad()

    for p in by_hand.parameters():
        p.requires_grad = False
    for p in by_hand.fc.parameters():
        p.requires_grad = True
    plain = torch.optim.SGD(by_hand.fc.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    closed = [by_hand.layer4, by_hand.layer3]
    for epoch in range(3):
        if epoch:
            block = closed.pop(0)
            for p in block.parameters():
                p.requires_grad = True
            plain.add_param_group({"params": list(block.parameters()), "lr": 0.1 * 0.5**epoch})
        torch.manual_seed(epoch)
        by_hand.train()
        for part in (by_hand.bn1, by_hand.layer1, by_hand.layer2, *closed):
            part.eval()
        loss_of(by_hand).backward()
        plain.step()
        plain.zero_grad()

    for (name, one), other in zip(model.state_dict().items(), by_hand.state_dict().values(), strict=True):
        assert torch.equal(one, other), name


@pytest.mark.parametrize(
    ("rest", "options", "message"),
    [
        ("all", {}, "the optimizer already holds every parameter: build it from the head's alone"),
        ("body", {}, "the optimizer holds nothing of `head`, the last block"),
        ("head", {"decay": 2.6}, r"decay is the factor .* in \(0, 1\], and is 2.6"),
        ("head", {"every": 0}, "every is a number of epochs, at least 1, and is 0"),
        ("head", {"norms": "eval"}, "norms must be 'follow' or 'frozen', and is 'eval'"),
    ],
)
def test_bad_input_raises_before_anything_changes(rest: str, options: dict[str, Any], message: str) -> None:
    model = Net()
    parts = {"all": model, "body": model.stage, "head": model.head}
    with pytest.raises(ValueError, match=message):
        GradualUnfreezing(model, torch.optim.SGD(parts[rest].parameters(), lr=0.1), **options)
    assert all(flags(model).values())


def test_blocks_follow_a_sample_or_a_list() -> None:
    model = Net()
    assert GradualUnfreezing(model, adamw(model, "head"), sample=images()).stages[0] == "stage.2"
    two = [freezing.blocks(model)[0], freezing.blocks(model)[-1]]
    assert GradualUnfreezing(model, adamw(model, "head"), blocks=two).stages == ("stage.0",)


def test_a_head_that_is_tied_to_the_embedding_trains_with_the_input() -> None:
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 4), nn.Linear(4, 5, bias=False))
    model[2].weight = model[0].weight
    assert GradualUnfreezing(model, torch.optim.SGD(model[1].parameters(), lr=0.1)).stages == ("0",)


@pytest.mark.parametrize(("build", "loss"), LOSSES.items(), ids=[build.__name__ for build in LOSSES])
@pytest.mark.parametrize("norms", ["follow", "frozen"])
def test_the_audit_finds_nothing(
    build: Callable[[], nn.Module], loss: Callable[[nn.Module], torch.Tensor], norms: Any
) -> None:
    head = HEADS[build.__name__]
    model = as_pretrained(build(), head)
    optimizer = adamw(model, head, 1e-4)
    schedule = freezing.slanted_triangular(optimizer, 20)
    unfreezing = GradualUnfreezing(model, optimizer, norms=norms, schedule=schedule)

    def train() -> None:
        model.train()
        loss(model).backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()

    with freezelint.watch(model, optimizer) as report:
        for epoch in range(len(unfreezing.stages) + 1):
            unfreezing.begin_epoch(epoch)
            train()
            train()
    report.raise_for_findings()
    assert unfreezing.done
    assert report.trace.steps_done == 2 * (len(unfreezing.stages) + 1)
    freezelint.audit(model, optimizer, lambda: loss(model.train()).backward()).raise_for_findings()


def test_gpt2_opens_its_embeddings_last() -> None:
    model = small_gpt2()
    assert GradualUnfreezing(model, adamw(model, "score")).stages == (
        "transformer.h.1", "transformer.h.0", "transformer.wte",
    )  # fmt: skip


SCHEDULES: list[Callable[[torch.optim.Optimizer], Any]] = [
    lambda optimizer: freezing.warmup_cosine(optimizer, 6, 2),
    lambda optimizer: freezing.warmup_linear(optimizer, 6, 0),
    lambda optimizer: freezing.warmup_linear(optimizer, 6, 1),
    lambda optimizer: freezing.slanted_triangular(optimizer, 6, rising=0.5),
    lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (step + 1)),
    lambda optimizer: torch.optim.lr_scheduler.SequentialLR(
        optimizer,
        [
            torch.optim.lr_scheduler.LinearLR(optimizer, total_iters=2),
            torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 4),
        ],
        [2],
    ),
]


@pytest.mark.parametrize("make", SCHEDULES)
@pytest.mark.parametrize("saved_at", range(6))
def test_a_state_in_memory_resumes_at_every_step(
    make: Callable[[torch.optim.Optimizer], Any], saved_at: int
) -> None:
    def begun() -> tuple[nn.Module, torch.optim.Optimizer, Any, GradualUnfreezing]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.Linear(4, 2))
        optimizer = torch.optim.AdamW(model[3].parameters(), lr=0.1)
        schedule = make(optimizer)
        return model, optimizer, schedule, GradualUnfreezing(model, optimizer, schedule=schedule)

    def go_on(run: Any, steps: range) -> None:
        model, optimizer, schedule, unfreezing = run
        for step in steps:
            unfreezing.begin_epoch(step // 2)
            model.train()
            model(batches[step]).square().sum().backward()
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()

    torch.manual_seed(1)
    batches = [torch.randn(8, 4) for _ in range(6)]
    whole = begun()
    go_on(whole, range(saved_at))
    model, optimizer, schedule, unfreezing = whole
    weights, moments = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    stage, position = unfreezing.state_dict(), schedule.state_dict()
    go_on(whole, range(saved_at, 6))

    resumed = begun()
    resumed[0].load_state_dict(weights)
    resumed[3].load_state_dict(stage)
    resumed[1].load_state_dict(moments)
    resumed[2].load_state_dict(position)
    go_on(resumed, range(saved_at, 6))
    assert [g["lr"] for g in resumed[1].param_groups] == [g["lr"] for g in optimizer.param_groups]
    for name, value in model.state_dict().items():
        assert torch.equal(resumed[0].state_dict()[name], value), name


def test_an_optimizer_that_would_not_train_what_is_added_is_refused() -> None:
    model = Net()
    with pytest.raises(ValueError, match="LBFGS keeps one state for all its parameters"):
        GradualUnfreezing(model, torch.optim.LBFGS(model.head.parameters()))
    assert all(p.requires_grad for p in model.parameters())


def test_a_warm_up_is_restarted_through_the_wrapper_of_accelerate() -> None:
    from accelerate.scheduler import AcceleratedScheduler

    model = Net()
    optimizer = torch.optim.SGD(model.head.parameters(), lr=1.0)
    schedule = AcceleratedScheduler(freezing.warmup_linear(optimizer, 100, 10), [], step_with_optimizer=False)
    unfreezing = GradualUnfreezing(model, optimizer, schedule=schedule)
    for _ in range(20):
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["lr"] > 0.8
    unfreezing.advance()
    assert optimizer.param_groups[0]["lr"] < 0.1
