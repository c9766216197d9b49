"""Norm layers and dropout that are to stand still are put in eval, and stay there."""

from __future__ import annotations

import copy

import torch
from torch import nn

import freezelint
from tests.live.applying.small import Net, assert_twins, audit, codes, loss_of, net, train


def frozen_body() -> tuple[Net, torch.optim.Optimizer]:
    model = net()
    model.stem.requires_grad_(False)
    model.body.requires_grad_(False)
    return model, torch.optim.SGD(model.head.parameters(), lr=0.1, momentum=0.9)


def test_frozen_norm_layers_stay_in_eval_through_every_train() -> None:
    model, optimizer = frozen_body()
    (correction,) = audit(model, optimizer, apply=True).applied
    assert correction.code == "FRZ101"
    assert "`stem.1` and `body.1` (2 norm layers)" in str(correction)
    model.eval()
    model.train()
    model.body.train()
    assert model.training
    assert model.stem.training
    assert not model.stem[1].training
    assert not model.body[1].training
    assert codes(audit(model, optimizer)) == []


def test_training_goes_on_as_with_eval_called_after_every_train() -> None:
    model, optimizer = frozen_body()
    twin, by_hand = frozen_body()
    audit(model, optimizer, apply=True)
    train(model, optimizer)

    torch.manual_seed(1)
    for _ in range(3):
        twin.train()
        twin.stem[1].eval()
        twin.body[1].eval()
        by_hand.zero_grad()
        loss_of(twin).backward()
        by_hand.step()
    assert_twins(model, twin)


def test_a_corrected_model_is_copied_and_saved_as_any_other() -> None:
    model, optimizer = frozen_body()
    plain = list(model.state_dict())
    audit(model, optimizer, apply=True)
    copied = copy.deepcopy(model).train()
    assert not copied.body[1].training
    assert list(model.state_dict()) == plain


def test_an_eval_that_a_later_train_undoes_lasts() -> None:
    model, optimizer = frozen_body()
    with freezelint.watch(model, optimizer) as report:
        model.stem.eval()
        model.body.eval()
        train(model, optimizer)
    assert codes(report) == ["FRZ102"]
    assert codes(report.apply()) == ["FRZ102"]
    assert codes(audit(model, optimizer)) == []


def test_what_a_momentum_of_zero_held_still_uses_its_statistics() -> None:
    model, optimizer = frozen_body()
    for norm in (model.stem[1], model.body[1]):
        norm.momentum = 0.0
    report = audit(model, optimizer, apply=True)
    assert codes(report.applied) == ["FRZ103"]
    assert model.stem[1].momentum == 0.0
    assert not model.train().stem[1].training
    assert codes(audit(model, optimizer)) == []


def test_track_running_stats_switched_off_on_a_layer_that_has_statistics() -> None:
    model, optimizer = frozen_body()
    for norm in (model.stem[1], model.body[1]):
        norm.track_running_stats = False
    assert codes(audit(model, optimizer, apply=True).applied) == ["FRZ103"]
    images = torch.randn(4, 3, 8, 8)
    alone, among_others = model.train().stem[:2](images[:1]), model.stem[:2](images)[:1]
    assert torch.allclose(alone, among_others, atol=1e-6)
    assert codes(audit(model, optimizer)) == []


def test_dropout_in_a_frozen_block_where_its_rule_is_selected() -> None:
    model = net()
    model.stem.append(nn.Dropout(0.5))
    model.stem.requires_grad_(False)
    model.stem[1] = nn.GroupNorm(2, 8).requires_grad_(False)
    optimizer = torch.optim.SGD([*model.body.parameters(), *model.head.parameters()], lr=0.1)
    report = audit(model, optimizer, select=["FRZ104"], apply=True)
    assert codes(report.applied) == ["FRZ104"]
    assert "(1 layer) in eval, where it stays" in str(report.applied[0])
    assert codes(audit(model, optimizer, select=["FRZ104"])) == []


def test_a_teacher_that_runs_without_gradients() -> None:
    student, teacher = net(), net()
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    teacher.head = nn.Linear(8, 3)

    def step() -> None:
        images = torch.randn(4, 3, 8, 8)
        with torch.no_grad():
            target = teacher(images).sum(1)
        (student(images).sum(1) - target).square().mean().backward()

    report = freezelint.audit(student, optimizer, step, apply=True)
    assert codes(report.applied) == ["FRZ107"]
    assert not teacher.train().stem[1].training
    assert student.stem[1].training
    assert codes(freezelint.audit(student, optimizer, step)) == []


def test_a_step_that_sets_the_flag_itself_is_told() -> None:
    model, optimizer = frozen_body()

    def step() -> None:
        model.train()
        model.stem[1].training = model.body[1].training = True
        optimizer.zero_grad()
        loss_of(model).backward()
        optimizer.step()

    corrected, back = freezelint.audit(model, optimizer, step, apply=True).applied
    assert corrected.done
    assert "something in the step undoes the correction" in back.refused[0]
