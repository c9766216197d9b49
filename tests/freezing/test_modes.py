"""Train modes that know what is frozen."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn

import freezelint
from freezelint import freezing
from tests.freezing.models import Net, as_pretrained, loss_of, modes


def in_eval(model: nn.Module) -> list[str]:
    return [name for name, training in modes(model).items() if not training]


STAGE_0 = ["stage.0", "stage.0.conv", "stage.0.bn", "stage.0.drop"]


def test_train_mode_leaves_out_what_is_wholly_frozen() -> None:
    model = Net()
    model.stage[0].requires_grad_(False)
    model.stage[1].conv.requires_grad_(False)
    model.eval()
    model.stage[2].drop.train()
    before = modes(model)
    with freezing.train_mode(model) as entered:
        assert entered is model
        assert in_eval(model) == [*STAGE_0, "stage.1.conv"]
    assert modes(model) == before


def test_train_mode_gives_the_flags_back_when_something_raises() -> None:
    model = Net().eval()
    with pytest.raises(KeyError), freezing.train_mode(model):
        raise KeyError
    assert not any(modes(model).values())


def test_train_mode_leaves_layers_that_stay_in_eval() -> None:
    model = Net()
    freezing.norms.freeze(model)
    with freezing.train_mode(model):
        assert in_eval(model) == [f"stage.{k}.bn" for k in range(3)]


def test_the_persistent_form_lasts_through_train_and_follows_flags() -> None:
    model = Net()
    model.stage[0].requires_grad_(False)
    kept = freezing.keep_frozen_in_eval(model)
    assert in_eval(model) == STAGE_0
    model.eval()
    assert not any(modes(model).values())
    assert model.train() is model
    assert in_eval(model) == STAGE_0
    model.stage[0].requires_grad_(True)
    model.train()
    assert all(modes(model).values())
    kept.undo()
    model.stage[0].requires_grad_(False)
    assert all(modes(model.train()).values())


def test_the_persistent_form_is_undone_at_the_end_of_a_block() -> None:
    model = Net().eval()
    model.stage[0].requires_grad_(False)
    with freezing.keep_frozen_in_eval(model):
        model.train()
        assert in_eval(model) == STAGE_0
    assert not any(modes(model).values())
    assert all(modes(model.train()).values())


def test_the_persistent_form_survives_copies_and_keeps_a_train_of_the_model_s_own() -> None:
    class Own(Net):
        def train(self, mode: bool = True) -> Own:
            super().train(mode)
            self.head.eval()
            return self

    model = Own()
    model.stage[0].requires_grad_(False)
    freezing.keep_frozen_in_eval(model)
    for other in (model, copy.deepcopy(model)):
        assert in_eval(other.train()) == [*STAGE_0, "head"]
    plain = Net()
    plain.stage[0].requires_grad_(False)
    freezing.keep_frozen_in_eval(plain)
    assert in_eval(pickle.loads(pickle.dumps(plain)).eval().train()) == STAGE_0


def test_a_wholly_frozen_model_is_in_eval() -> None:
    model = Net().requires_grad_(False)
    with freezing.train_mode(model):
        assert not any(modes(model).values())


def test_the_audit_finds_nothing() -> None:
    model = as_pretrained(Net(), "head")
    model.stage.requires_grad_(False)
    freezing.keep_frozen_in_eval(model)
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)

    def step() -> None:
        model.train()
        loss_of(model).backward()

    freezelint.audit(model, optimizer, step, select=["ALL"]).raise_for_findings()


def test_what_is_frozen_within_a_train_mode_stays_frozen_after_it() -> None:
    model = Net()
    with freezing.train_mode(model):
        freezing.freeze(model, "stage.0")
    assert in_eval(model) == ["stage.0.bn"]
    with freezing.train_mode(model):
        freezing.unfreeze(model, "stage.0")
    assert in_eval(model) == []


def test_what_is_frozen_while_a_mode_is_kept_stays_frozen_after_it() -> None:
    model = Net()
    with freezing.keep_frozen_in_eval(model):
        freezing.freeze(model, "stage.0")
    assert in_eval(model) == ["stage.0.bn"]


def test_a_mode_that_is_kept_for_a_while_leaves_one_that_is_kept_for_good() -> None:
    model = Net()
    freezing.freeze(model, "stage.0")
    freezing.keep_frozen_in_eval(model)
    with freezing.keep_frozen_in_eval(model):
        pass
    model.train()
    assert in_eval(model) == STAGE_0
