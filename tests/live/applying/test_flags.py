"""Flags that were meant are set, with all that belongs to them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

import freezelint
from tests.live.applying.small import Net, assert_twins, audit, codes, held, loss_of, net, train


def pretrained() -> Net:
    model = net()
    model.load_state_dict({name: value.clone() for name, value in model.state_dict().items()})
    return model


def test_an_unoptimised_backbone_is_frozen_with_its_norm_layers() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
    train(model, optimizer, 1)
    report = audit(model, optimizer, apply=True)
    assert codes(report) == ["FRZ301"]
    assert "froze `stem` and `body` (8 parameters), with 2 norm layers that stay in eval" in str(
        report.applied[0]
    )
    assert [p.grad for p in (*model.stem.parameters(), *model.body.parameters())] == [None] * 8
    assert model.head.weight.grad is not None
    assert codes(audit(model, optimizer)) == []

    twin = net()
    by_hand = torch.optim.SGD(twin.head.parameters(), lr=0.1)
    train(twin, by_hand, 1)
    for block in (twin.stem, twin.body):
        block.requires_grad_(False)
    train(model, optimizer)
    torch.manual_seed(1)
    for _ in range(3):
        twin.train()
        twin.stem.eval()
        twin.body.eval()
        by_hand.zero_grad()
        loss_of(twin).backward()
        by_hand.step()
    assert_twins(model, twin)


def test_a_frozen_head_is_unfrozen_and_optimised() -> None:
    model = net()
    with freezelint.watch(model) as report:
        model.load_state_dict({name: value.clone() for name, value in model.state_dict().items()})
        model.head = nn.Linear(8, 2)
        model.requires_grad_(False)
        model.body.requires_grad_(True)
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        model.stem.eval()
        for _ in range(2):
            optimizer.zero_grad()
            loss_of(model).backward()
            optimizer.step()
    assert codes(report) == ["FRZ402"]
    (correction,) = report.apply()
    assert "unfroze `head` (2 parameters)" in str(correction)
    assert "to SGD (lr 0.1)" in str(correction)
    assert held(optimizer)[-2:] == [model.head.weight, model.head.bias]
    start = model.head.weight.detach().clone()
    loss_of(model).backward()
    optimizer.step()
    assert not torch.equal(model.head.weight, start)


def test_a_head_that_the_optimizer_holds_already_is_only_unfrozen() -> None:
    """That the optimizer holds the frozen stem as well is a consequence, which the next audit tells."""
    model = net()
    with freezelint.watch(model) as report:
        model.load_state_dict({name: value.clone() for name, value in model.state_dict().items()})
        model.head = nn.Linear(8, 2)
        model.requires_grad_(False)
        model.body.requires_grad_(True)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model.stem.eval()
        for _ in range(2):
            optimizer.zero_grad()
            loss_of(model).backward()
            optimizer.step()
    assert codes(report) == ["FRZ402"]
    (unfrozen,) = report.apply()
    assert unfrozen.done == ("unfroze `head` (2 parameters)",)
    model.stem.eval()
    (removed,) = freezelint.audit(model, optimizer, lambda: loss_of(model).backward(), apply=True).applied
    assert removed.done == ("took `stem` (4 parameters) out of SGD",)
    assert {id(p) for p in held(optimizer)} == {
        id(p) for p in (*model.body.parameters(), *model.head.parameters())
    }


def test_a_flag_assigned_to_a_module() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with freezelint.watch(model, optimizer) as report:
        model.stem.requires_grad = False
        train(model, optimizer)
    assert codes(report) == ["FRZ501"]
    (correction,) = report.apply()
    assert correction.done == (
        "froze `stem` (4 parameters), with 1 norm layer that stays in eval",
        "took `stem` (4 parameters) out of SGD",
    )
    assert not any(p.requires_grad for p in model.stem.parameters())
    assert model.stem.requires_grad is False
    assert len(held(optimizer)) == 6
    assert codes(audit(model, optimizer)) == []


def test_a_method_that_was_overwritten_is_one_again() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with freezelint.watch(model, optimizer) as report:
        model.stem.requires_grad_ = False
        train(model, optimizer)
    assert codes(report) == ["FRZ501"]
    assert "`stem.requires_grad_` is a method again" in str(report.apply()[0])
    model.stem.requires_grad_(True)
    assert all(p.requires_grad for p in model.stem.parameters())


def test_a_misspelt_flag_either_way() -> None:
    model = net()
    model.body.requires_grad_(False)
    model.body.eval()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    with freezelint.watch(model, optimizer) as report:
        for parameter in model.stem.parameters():
            parameter.require_grad = False
        for parameter in model.body.parameters():
            parameter.requires_grads = True
        for _ in range(2):
            optimizer.zero_grad()
            loss_of(model).backward()
            optimizer.step()
    assert set(codes(report)) == {"FRZ502"}
    report.apply()
    assert not any(p.requires_grad for p in model.stem.parameters())
    assert all(p.requires_grad for p in model.body.parameters())
    assert {id(p) for p in held(optimizer)} == {
        id(p) for p in (*model.body.parameters(), *model.head.parameters())
    }
    assert codes(audit(model, optimizer)) == []


def test_what_is_unfrozen_later_keeps_its_place_in_the_optimizer() -> None:
    """The unfreeze at the end of this function is ahead when the watch ends."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with freezelint.watch(model, optimizer) as report:
        model.stem.requires_grad = False
        train(model, optimizer)
    report.apply()
    assert report.trace.pending_unfreezes
    assert len(held(optimizer)) == 10
    for parameter in model.stem.parameters():
        parameter.requires_grad = True


def test_a_wrapped_model_keeps_its_flags(tmp_path: Path) -> None:
    model = net()
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        wrapped = nn.parallel.DistributedDataParallel(model)
        optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
        report = audit(wrapped, optimizer, apply=True)
        assert codes(report) == ["FRZ301"]
        assert "DistributedDataParallel fixed which parameters of `model` get gradients" in str(
            report.applied[0]
        )
        assert all(p.requires_grad for p in model.parameters())
    finally:
        torch.distributed.destroy_process_group()


def test_what_may_have_replaced_what_the_optimizer_holds_is_not_frozen() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.head = nn.Linear(8, 2)  # before the audit, which cannot know what was there
    report = audit(model, optimizer, apply=True)
    assert codes(report) == ["FRZ301"]
    assert "an optimizer holds 2 parameters of no model that was seen" in report.applied[0].refused[0]
    assert model.head.weight.requires_grad
