"""How far a data set is from the one that running statistics are of."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from freezelint import freezing
from freezelint.freezing import DomainShift, LayerShift, domain_shift
from tests.freezing.models import Net, images, modes, small_bert, small_vit


def calibrated(model: nn.Module, data: list[Any]) -> nn.Module:
    """The model with running statistics of the data, layer after layer as they are in eval mode."""
    for name, module in model.named_modules():
        if "running_mean" in module._buffers:
            freezing.norms.calibrate(model, data, name)
    return model.eval()


def batches(count: int = 4) -> list[Tensor]:
    torch.manual_seed(3)
    return [torch.randn(8, 3, 8, 8) for _ in range(count)]


def test_the_same_data_are_no_shift() -> None:
    data = batches()
    shift = domain_shift(calibrated(Net(), data), data)
    assert [row.name for row in shift.rows] == ["stage.0.bn", "stage.1.bn", "stage.2.bn"]
    assert shift.divergence == pytest.approx(0, abs=1e-6)
    assert shift.score == pytest.approx(1, abs=1e-6)
    assert all(row.spread == pytest.approx(1, abs=1e-4) for row in shift.rows)
    assert (shift.similarity, shift.batches, shift.skipped) == ("high", 4, ())


def test_the_formula() -> None:
    norm = nn.BatchNorm1d(2)
    norm.running_mean.copy_(torch.tensor([1.0, -2.0]))
    norm.running_var.copy_(torch.tensor([4.0, 0.25]))
    values = torch.randn(500, 2, dtype=torch.float64).float() * 3
    (row,) = domain_shift(norm, values.split(90)).rows
    mean, variance = values.mean(0), values.var(0) + norm.eps
    before = norm.running_var + norm.eps
    p = torch.distributions.Normal(norm.running_mean, before.sqrt())
    q = torch.distributions.Normal(mean, variance.sqrt())
    both = torch.distributions.kl_divergence(p, q) + torch.distributions.kl_divergence(q, p)
    assert row.divergence == pytest.approx(both.mean().item(), rel=1e-4)
    apart = (mean - norm.running_mean) / before.sqrt()
    assert row.mean_shift == pytest.approx(apart.square().mean().sqrt().item(), rel=1e-4)
    assert row.spread == pytest.approx((variance / before).sqrt().log().mean().exp().item(), rel=1e-4)
    assert row.channels == 2


def test_batches_of_any_size_are_as_one() -> None:
    model, data = calibrated(Net(), batches()), batches(8)
    together = domain_shift(model, [torch.cat(data) * 2])
    apart = domain_shift(model, [2 * images for images in torch.cat(data).split([1, 40, 2, 21])])
    for one, other in zip(together.rows, apart.rows, strict=True):
        assert one.divergence == pytest.approx(other.divergence, rel=1e-5)


def test_the_further_the_larger() -> None:
    model, data = calibrated(Net(), batches()), batches()
    near, far = (
        domain_shift(model, [factor * each + offset for each in data])
        for factor, offset in ((1.1, 0.1), (3, 2))
    )
    assert 0 < near.divergence < far.divergence
    assert (near.similarity, far.similarity) == ("high", "low")
    assert far.rows[0].spread > 2


def test_earlier_layers_normalise_as_trained() -> None:
    """In train mode the second layer would see inputs that the first has normalised, and no shift."""
    model = nn.Sequential(nn.BatchNorm1d(2, affine=False), nn.BatchNorm1d(2, affine=False))
    data = torch.randn(1000, 2)
    calibrated(model, [data])
    shift = domain_shift(model.train(), [10 * data])
    assert shift.rows[1].spread == pytest.approx(10, rel=1e-3)


class Spatial(nn.Module):
    """Normalises what comes, whatever its shape."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, values: Tensor, labels: Any = None) -> Tensor:  # noqa: ARG002
        result: Tensor = self.norm(values)
        return result


KINDS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "BatchNorm1d of vectors": (lambda: nn.BatchNorm1d(3), (20, 3)),
    "BatchNorm1d of sequences": (lambda: nn.BatchNorm1d(3), (20, 3, 5)),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3), (20, 3, 4, 5)),
    "BatchNorm2d without scale and shift": (lambda: nn.BatchNorm2d(3, affine=False), (20, 3, 4, 5)),
    "BatchNorm3d": (lambda: nn.BatchNorm3d(3), (20, 3, 2, 4, 5)),
    "SyncBatchNorm": (lambda: nn.SyncBatchNorm(3), (20, 3, 4, 5)),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(3, track_running_stats=True), (20, 3, 4, 5)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_layer(kind: str) -> None:
    build, shape = KINDS[kind]
    norm = build()
    model = Spatial(norm)
    norm.get_buffer("running_mean").fill_(1)
    norm.get_buffer("running_var").fill_(4)
    data = 1 + 2 * torch.randn(shape)
    (row,) = domain_shift(model, [data]).rows
    assert row.channels == 3
    assert row.divergence < 0.3
    (moved,) = domain_shift(model, [data + 6]).rows
    assert moved.mean_shift == pytest.approx(3, abs=0.5)


def test_memory_formats_and_precisions_are_alike() -> None:
    model, data = calibrated(Net(), batches()), [2 * each for each in batches()]
    plain = domain_shift(model, data).divergence
    last = domain_shift(model.to(memory_format=torch.channels_last), [
        each.to(memory_format=torch.channels_last) for each in data
    ]).divergence  # fmt: skip
    assert last == pytest.approx(plain, rel=1e-4)
    double = domain_shift(model.double(), [each.double() for each in data]).divergence
    assert double == pytest.approx(plain, rel=1e-4)


def test_batches_may_be_tensors_pairs_or_dicts() -> None:
    model = Spatial(nn.BatchNorm2d(3)).eval()
    model.norm.running_mean.fill_(0.5)
    (values,) = batches(1)
    labels = torch.zeros(8)
    expected = domain_shift(model, [values])
    assert domain_shift(model, [(values, labels)]) == expected
    assert domain_shift(model, [[values, labels]]) == expected
    assert domain_shift(model, [{"values": values, "labels": labels}]) == expected
    own = domain_shift(model, [{"x": values}], forward=lambda model, batch: model(batch["x"]))
    assert own == expected


class Counting(Net):
    """Writes to a buffer of its own, and draws random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        self.calls += torch.rand(()) + 1
        return super().forward(images)


def test_nothing_is_touched() -> None:
    model = Counting()
    model.stage[1].bn.running_mean.fill_(0.3)
    model.stage[1].bn.eval()
    for p in model.head.parameters():
        p.grad = torch.ones_like(p)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    data = batches(2)
    flags, random = modes(model), torch.get_rng_state()
    domain_shift(model, data)
    assert modes(model) == flags
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(torch.equal(p.grad, torch.ones_like(p)) for p in model.head.parameters())
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_layers_without_statistics_of_their_own_are_named() -> None:
    model = calibrated(Net(), batches())
    model.stage[2].bn = nn.BatchNorm2d(4)
    model.unused = nn.BatchNorm2d(4)
    model.unused.running_mean.fill_(1)
    shift = domain_shift(model, batches())
    assert [row.name for row in shift.rows] == ["stage.0.bn", "stage.1.bn"]
    assert shift.skipped == ("stage.2.bn", "unused")
    assert str(shift).endswith("without stored statistics, or not run: stage.2.bn, unused")


def test_patterns_restrict_the_layers() -> None:
    model = calibrated(Net(), batches())
    assert [row.name for row in domain_shift(model, batches(), "stage.0", "stage.2").rows] == [
        "stage.0.bn", "stage.2.bn",
    ]  # fmt: skip


TABLE = """\
norm layer      channels    divergence    means moved    spread
------------  ----------  ------------  -------------  --------
layer1.0.bn1          64          0.25        0.12 sd    x 1.10
layer2.0.bn1         128          1.75        1.00 sd    x 0.50
1 nats per channel: medium similarity"""


def test_as_text() -> None:
    rows = (LayerShift("layer1.0.bn1", 64, 0.25, 0.123, 1.1), LayerShift("layer2.0.bn1", 128, 1.75, 1.0, 0.5))
    shift = DomainShift(rows, batches=3)
    assert str(shift) == TABLE
    assert shift.score == pytest.approx(math.exp(-1))


@pytest.mark.parametrize(
    ("divergence", "word"), [(0.0, "high"), (0.74, "high"), (0.75, "medium"), (2.0, "medium"), (2.01, "low")]
)
def test_words(divergence: float, word: str) -> None:
    assert DomainShift((LayerShift("bn", 1, divergence, 0.0, 1.0),), 1).similarity == word


@pytest.mark.parametrize("build", [small_bert, small_vit])
def test_models_without_such_layers_say_what_to_do(build: Callable[[], nn.Module]) -> None:
    with pytest.raises(
        freezing.NoMatchError, match=r"no norm layer with running statistics: .* give `recommend`"
    ):
        domain_shift(build(), [images()])


def test_a_model_without_its_weights_is_warned_of() -> None:
    with pytest.warns(UserWarning, match=r"those of a new model .* load its pretrained weights first"):
        shift = domain_shift(Net(), batches(1))
    assert len(shift.rows) == 3


def test_bad_input_raises() -> None:
    model = calibrated(Net(), batches())
    with pytest.raises(ValueError, match="the loader gave no batch"):
        domain_shift(model, iter([]))
    with pytest.raises(ValueError, match=r"what reaches `stage\.0\.bn`.* is not finite"):
        domain_shift(model, [images() * math.nan])
    with pytest.raises(ValueError, match="no norm layer of Net ran on the batches"):
        domain_shift(model, batches(1), forward=lambda *_: None)
    with pytest.raises(freezing.NoMatchError, match="`stages` matches nothing"):
        domain_shift(model, batches(1), "stages")
