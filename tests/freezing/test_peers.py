"""Where other helpers fail: what Lightning's and timm's do with a case, and what ours does with the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import timm.utils
import torch
from lightning.pytorch.callbacks import BaseFinetuning
from torch import Tensor, nn

from freezelint import freezing
from freezelint.freezing import GradualUnfreezing


class Net(nn.Module):
    """A body of layers, two norm layers of equal values among them, and a head."""

    def __init__(self, norm: Callable[[int], nn.Module] = nn.BatchNorm2d, dimensions: int = 2) -> None:
        super().__init__()
        conv = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dimensions - 1]
        self.body = nn.Sequential(conv(3, 4, 1), norm(4), nn.ReLU(), conv(4, 4, 1), norm(4))
        self.head = nn.Linear(4, 2)
        self.shape = (8, 3, *[4] * dimensions)

    def forward(self, values: Tensor) -> Tensor:
        result: Tensor = self.head(self.body(values).flatten(2).mean(2))
        return result

    def step(self, optimizer: torch.optim.Optimizer, set_to_none: bool = True) -> None:
        """One training step, in train mode."""
        self.train()
        self(torch.randn(self.shape)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=set_to_none)


def sgd(module: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)


def held(optimizer: torch.optim.Optimizer, model: nn.Module) -> set[str]:
    """The names of the parameters that an optimizer holds."""
    own = {id(p) for group in optimizer.param_groups for p in group["params"]}
    return {name for name, p in model.named_parameters() if id(p) in own}


def statistics(model: nn.Module) -> list[Tensor]:
    return [value.clone() for name, value in model.named_buffers() if "running" in name]


def parameters(model: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in model.parameters()]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(map(torch.equal, one, other))


def test_layers_of_equal_values_are_two_layers() -> None:
    lightning = Net()
    optimizer = sgd(lightning.head)
    BaseFinetuning.freeze(lightning.body, train_bn=False)
    first, second = lightning.body[0:2], lightning.body[3:5]
    BaseFinetuning.unfreeze_and_add_param_group(second, optimizer)
    BaseFinetuning.unfreeze_and_add_param_group(first, optimizer)
    lost = {"body.1.weight", "body.1.bias"}
    assert {name for name, _ in lightning.named_parameters()} - held(optimizer, lightning) == lost

    ours = Net()
    optimizer = sgd(ours.head)
    unfreezing = GradualUnfreezing(ours, optimizer)
    while unfreezing.advance():
        pass
    assert held(optimizer, ours) == {name for name, _ in ours.named_parameters()}


def test_norm_layers_that_are_to_stay_frozen_do() -> None:
    lightning = Net()
    optimizer = sgd(lightning.head)
    BaseFinetuning.freeze(lightning.body, train_bn=False)
    BaseFinetuning.unfreeze_and_add_param_group(lightning.body, optimizer, train_bn=False)
    trains = {name for name, p in lightning.named_parameters() if p.requires_grad}
    assert trains - held(optimizer, lightning) == {
        f"body.{k}.{own}" for k in (1, 4) for own in ("weight", "bias")
    }

    ours = Net()
    optimizer = sgd(ours.head)
    unfreezing = GradualUnfreezing(ours, optimizer, norms="frozen")
    while unfreezing.advance():
        pass
    assert {name for name, p in ours.named_parameters() if p.requires_grad} == held(optimizer, ours)
    before = statistics(ours)
    ours.step(optimizer)
    assert same(statistics(ours), before)


def test_freezing_means_norm_layers_too() -> None:
    lightning = Net()
    BaseFinetuning.freeze(lightning.body)
    assert lightning.body[1].weight.requires_grad, "unless it is told otherwise, norm layers train"
    BaseFinetuning.freeze(lightning.body, train_bn=False)
    whole, alone = torch.randn(lightning.shape), torch.randn(lightning.shape)
    mixed = torch.cat([whole[:1], alone[1:]])
    lightning.train()
    assert not torch.equal(lightning(whole)[0], lightning(mixed)[0]), "they normalise with the batch"

    ours = Net()
    freezing.freeze(ours, "body")
    ours.train()
    assert not ours.body[1].weight.requires_grad
    torch.testing.assert_close(ours(whole)[0], ours(mixed)[0])


@pytest.mark.parametrize(
    ("norm", "dimensions"),
    [
        (nn.BatchNorm1d, 1),
        (nn.BatchNorm3d, 3),
        (lambda size: nn.BatchNorm1d(size, affine=False), 1),
        (lambda size: nn.BatchNorm3d(size, affine=False), 3),
        (lambda size: nn.InstanceNorm2d(size, track_running_stats=True), 2),
    ],
    ids=["1d", "3d", "1d without scale", "3d without scale", "instance"],
)
def test_norm_layers_of_every_kind(norm: Callable[[int], nn.Module], dimensions: int) -> None:
    drifted = {}
    for helper, freeze in {
        "timm": lambda model: timm.utils.freeze(model, ["body"]),
        "ours": lambda model: freezing.freeze(model, "body"),
    }.items():
        model = Net(norm, dimensions)
        freeze(model)
        before = statistics(model)
        model.step(sgd(model.head))
        drifted[helper] = not same(statistics(model), before)
    assert drifted == {"timm": True, "ours": False}


def test_a_norm_layer_without_scale_gets_none() -> None:
    grown = {}
    for helper, there_and_back in {
        "timm": lambda model: (timm.utils.freeze(model, ["body"]), timm.utils.unfreeze(model, ["body"])),
        "ours": lambda model: (freezing.freeze(model, "body"), freezing.unfreeze(model, "body")),
    }.items():
        model = Net(lambda size: nn.BatchNorm2d(size, affine=False))
        before = {name for name, _ in model.named_parameters()}
        there_and_back(model)
        grown[helper] = {name for name, _ in model.named_parameters()} - before
    own = ("weight", "bias")
    assert grown == {"timm": {f"body.{k}.{name}" for k in (1, 4) for name in own}, "ours": set()}


def test_an_optimizer_that_is_there_keeps_its_parameters() -> None:
    timm_s, ours = Net(), Net()
    optimizers = {"timm": sgd(timm_s), "ours": sgd(ours)}
    timm.utils.freeze(timm_s, ["body"])
    timm.utils.unfreeze(timm_s, ["body"])
    orphaned = {name for name, _ in timm_s.named_parameters()} - held(optimizers["timm"], timm_s)
    assert orphaned == {f"body.{k}.{own}" for k in (1, 4) for own in ("weight", "bias")}

    freezing.freeze(ours, "body")
    freezing.unfreeze(ours, "body")
    assert held(optimizers["ours"], ours) == {name for name, _ in ours.named_parameters()}
    before = parameters(ours.body)
    ours.step(optimizers["ours"])
    assert not any(map(torch.equal, parameters(ours.body), before))


def test_freezing_in_mid_training_stops_weight_decay_and_momentum() -> None:
    """As after `zero_grad(set_to_none=False)`, which is what fastai's freezing leaves behind too."""
    moved = {}
    for helper, freeze in {
        "Lightning": lambda model: BaseFinetuning.freeze(model.body, train_bn=False),
        "timm": lambda model: timm.utils.freeze(model, ["body.0", "body.3"]),
        "ours": lambda model: freezing.freeze(model, "body"),
    }.items():
        model = Net()
        optimizer = sgd(model)
        model.step(optimizer, set_to_none=False)
        freeze(model)
        before = parameters(model.body[0])
        model.step(optimizer, set_to_none=False)
        moved[helper] = not same(parameters(model.body[0]), before)
    assert moved == {"Lightning": True, "timm": True, "ours": False}
