"""What norm layers do during fine-tuning."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest
import torch
from torch import Tensor, nn

import freezelint
from freezelint import freezing
from freezelint.freezing import norms
from tests.freezing.models import Net, as_pretrained, flags, images, loss_of, modes, small_resnet

# A layer, and the shape of what it takes, without the batch.
Layer: TypeAlias = "tuple[nn.Module, tuple[int, ...]]"

LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "BatchNorm1d": (lambda: nn.BatchNorm1d(3), (3,)),
    "BatchNorm1d of sequences": (lambda: nn.BatchNorm1d(3), (3, 5)),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3), (3, 4, 4)),
    "BatchNorm3d": (lambda: nn.BatchNorm3d(3), (3, 2, 2, 2)),
    "without scale and shift": (lambda: nn.BatchNorm2d(3, affine=False), (3, 4, 4)),
    "SyncBatchNorm": (lambda: nn.SyncBatchNorm(3), (3, 4, 4)),
    "half precision": (lambda: nn.BatchNorm1d(3).to(torch.bfloat16), (3, 5)),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(3, track_running_stats=True), (3, 4, 4)),
    "InstanceNorm1d": (lambda: nn.InstanceNorm1d(3, track_running_stats=True, affine=True), (3, 6)),
}


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest) -> Layer:
    build, shape = LAYERS[request.param]
    return build(), shape


def kept(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(model: nn.Module, before: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_freeze_takes_scale_shift_and_statistics_of_every_kind(layer: Layer) -> None:
    norm, shape = layer
    model = nn.Sequential(norm, nn.Conv1d(3, 3, 1))
    change = norms.freeze(model)
    assert change.norms == ("0",)
    assert {name: flag for name, flag in flags(model).items() if flag} == {"1.weight": True, "1.bias": True}
    model.train()
    before = kept(norm)
    norm(torch.randn(4, *shape).to(next(iter(norm.buffers())).dtype))
    assert same(norm, before)
    change.undo()
    assert all(flags(model).values())
    assert norm.training


def test_freeze_within_what_is_named() -> None:
    model = Net()
    assert norms.freeze(model, "stage.0", model.stage[2]).norms == ("stage.0.bn", "stage.2.bn")
    assert [n for n, flag in flags(model).items() if not flag] == [
        f"stage.{k}.bn.{own}" for k in (0, 2) for own in ("weight", "bias")
    ]


def test_freeze_until_takes_the_early_layers() -> None:
    model = small_resnet()
    change = norms.freeze_until(model, "layer2")
    assert change.norms == ("bn1", "layer1.0.bn1", "layer1.0.bn2")
    model.train()
    assert not model.layer1[0].bn1.training
    assert model.layer2[0].bn1.training
    assert model.layer1[0].conv1.weight.requires_grad


class Backwards(nn.Module):
    """Norm layers defined in the opposite order of their use."""

    def __init__(self) -> None:
        super().__init__()
        self.late = nn.BatchNorm1d(3)
        self.middle = nn.Linear(3, 3)
        self.early = nn.BatchNorm1d(3)

    def forward(self, values: Tensor) -> Tensor:
        result: Tensor = self.late(self.middle(self.early(values)))
        return result


def test_freeze_until_follows_execution_on_a_sample() -> None:
    assert norms.freeze_until(Backwards(), "middle").norms == ("late",)
    assert norms.freeze_until(Backwards(), "middle", torch.zeros(2, 3)).norms == ("early",)
    with pytest.raises(freezing.NoMatchError, match=r"no norm layer .* comes before `late`"):
        norms.freeze_until(Backwards(), "late")
    with pytest.raises(freezing.NoMatchError, match="`Late` matches nothing in Backwards; nearest: `late`"):
        norms.freeze_until(Backwards(), "Late")


def test_adapt_lets_layers_go_and_sets_their_momentum() -> None:
    model = Net()
    freezing.freeze(model, "stage")
    before = flags(model), modes(model)
    change = norms.adapt(model, "stage.2", momentum=0.3)
    assert change.norms == ("stage.2.bn",)
    assert model.stage[2].bn.momentum == 0.3
    assert model.stage[2].bn.weight.requires_grad
    assert model.train().stage[2].bn.training
    assert not model.stage[1].bn.training
    change.undo()
    assert (flags(model), modes(model)) == before
    assert model.stage[2].bn.momentum == 0.1
    assert norms.adapt(model, momentum=None).norms == tuple(f"stage.{k}.bn" for k in range(3))
    with pytest.raises(ValueError, match=r"momentum must lie in \(0, 1\] or be None, and is 0"):
        norms.adapt(model, momentum=0)


def test_a_model_without_running_statistics_is_refused() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2), nn.BatchNorm1d(2, track_running_stats=False))
    for function in (norms.freeze, norms.adapt, lambda m: norms.calibrate(m, [])):
        with pytest.raises(freezing.NoMatchError, match="Sequential has no norm layer with running"):
            function(model)


def test_calibration_is_exact_for_batches_of_any_size(layer: Layer) -> None:
    """As if all had been one batch: what torch itself keeps of it with momentum 1."""
    norm, shape = layer
    dtype = next(iter(norm.buffers())).dtype
    data = torch.randn(13, *shape, generator=torch.Generator().manual_seed(0)).mul(3).add(100).to(dtype)
    expected = copy.deepcopy(norm).train()
    expected.momentum = 1.0
    expected(data)
    assert norms.calibrate(norm, [data[:8], data[8:11], data[11:]]) == 3
    tolerance = {"rtol": 1e-2, "atol": 1e-2} if dtype == torch.bfloat16 else {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(norm.running_mean, expected.running_mean, **tolerance)
    torch.testing.assert_close(norm.running_var, expected.running_var, **tolerance)
    assert int(norm.num_batches_tracked) == 3


def test_calibration_takes_a_single_instance() -> None:
    norm = nn.InstanceNorm2d(3, track_running_stats=True)
    data = torch.randn(3, 4, 4)
    norms.calibrate(norm, [data])
    torch.testing.assert_close(norm.running_mean, data.mean((1, 2)))
    torch.testing.assert_close(norm.running_var, data.var((1, 2)))


def test_calibration_leaves_everything_else_as_it_was() -> None:
    model = Net()
    norms.freeze(model, "stage.0")
    model.stage[1].eval()
    loss_of(model).backward()
    gradients = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    before, flagged, moded = kept(model), flags(model), modes(model)
    norms.calibrate(model, [images(), images()])
    assert (flags(model), modes(model)) == (flagged, moded)
    assert not model.train().stage[0].bn.training, "it stays in eval"
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    own = ("running_mean", "running_var", "num_batches_tracked")
    assert changed == {f"stage.{k}.bn.{name}" for k in range(3) for name in own}
    assert [m.momentum for m in model.modules() if isinstance(m, nn.BatchNorm2d)] == [0.1] * 3
    assert not any(module._forward_pre_hooks for module in model.modules())
    for p, gradient in zip(model.parameters(), gradients, strict=True):
        assert (p.grad is None) == (gradient is None)
        assert gradient is None or torch.equal(p.grad, gradient)


def test_calibration_draws_no_random_numbers_and_drops_nothing() -> None:
    model = Net()
    data = images()
    random = torch.get_rng_state()
    norms.calibrate(model, [data])
    assert torch.equal(torch.get_rng_state(), random)
    first = kept(model)
    norms.calibrate(model, [data])
    assert same(model, first)


def test_calibration_takes_batches_as_loaders_give_them() -> None:
    model = Net()
    data = images()
    norms.calibrate(model, [data])
    expected = kept(model)
    labels = torch.zeros(4)
    for batch in ((data, labels), [data, labels], {"images": data}):
        norms.calibrate(model, [batch])
        assert same(model, expected)
    norms.calibrate(model, [("id", data)], forward=lambda net, batch: net(batch[1]))
    assert same(model, expected)


def test_calibration_within_what_is_named() -> None:
    model = Net()
    before = kept(model)
    norms.calibrate(model, [images()], "stage.2")
    changed = [name for name, v in model.state_dict().items() if not torch.equal(v, before[name])]
    assert {name.rsplit(".", 1)[0] for name in changed} == {"stage.2.bn"}


def test_calibration_that_fails_changes_nothing() -> None:
    def broken() -> Iterator[Tensor]:
        yield images()
        raise OSError("no more disk")

    model = Net()
    before, moded = kept(model), modes(model)
    with pytest.raises(OSError, match="no more disk"):
        norms.calibrate(model, broken())
    with pytest.raises(ValueError, match="the loader gave no batch"):
        norms.calibrate(model, [])
    assert same(model, before)
    assert modes(model) == moded


@pytest.mark.parametrize(
    "strategy",
    [
        norms.freeze,
        lambda model: norms.freeze_until(model, "stage.2"),
        lambda model: (norms.calibrate(model, [images(8)]), norms.freeze(model)),
        lambda model: norms.adapt(model, momentum=0.2),
    ],
    ids=["freeze", "freeze_until", "calibrate", "adapt"],
)
def test_the_audit_finds_nothing(strategy: Callable[[nn.Module], object]) -> None:
    model = as_pretrained(Net(), "head")
    strategy(model)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)

    def step() -> None:
        model.train()
        loss_of(model).backward()

    freezelint.audit(model, optimizer, step).raise_for_findings()


def test_calibrate_takes_inputs_that_are_passed_by_name() -> None:
    class ByName(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(2)

        def forward(self, values: Tensor) -> Tensor:
            result: Tensor = self.norm(input=values)
            return result

    model = ByName()
    assert norms.calibrate(model, [torch.full((4, 2), 5.0)]) == 1
    assert torch.equal(model.norm.running_mean, torch.full((2,), 5.0))


def test_calibrate_refuses_inputs_that_are_not_finite() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2))
    before = kept(model)
    with pytest.raises(ValueError, match="what reaches `0` is not finite"):
        norms.calibrate(model, [torch.randn(4, 2), torch.full((4, 2), torch.nan)])
    assert same(model, before)
