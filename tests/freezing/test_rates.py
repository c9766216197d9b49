"""Layer-wise rates: by block, by layer, by depth of execution."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import freezelint
from freezelint import freezing
from freezelint.freezing.execution import depths
from tests.freezing.models import (
    LOSSES,
    Net,
    as_pretrained,
    images,
    small_bert,
    small_gpt2,
    small_resnet,
    tokens,
)  # fmt: skip


def rates(groups: list[dict[str, Any]]) -> dict[str, float]:
    return {group["name"]: group["lr"] for group in groups}


def twelve_layers() -> nn.Module:
    return nn.Sequential(*(nn.Linear(2, 2) for _ in range(12)))


# The published table for twelve layers at 3e-5 (layer 12 at the output), in units of 1e-5. Its column for
# 0.95 and its row for layer 1 do not follow its own formula, rate * decay ** k, and are not repeated here;
# where it rounds 0.403 to 0.41, the tolerance is that of its last digit.
TABLE = {
    12: {0.90: 3.00, 0.80: 3.00, 0.70: 3.00},
    9: {0.90: 2.19, 0.80: 1.54, 0.70: 1.03},
    6: {0.90: 1.59, 0.80: 0.79, 0.70: 0.35},
    3: {0.90: 1.16, 0.80: 0.41, 0.70: 0.12},
}


@pytest.mark.parametrize("by", ["block", "layer", "depth"])
@pytest.mark.parametrize("decay", [0.95, 0.90, 0.80, 0.70])
def test_twelve_layers(decay: float, by: Any) -> None:
    groups = freezing.layerwise_groups(twelve_layers(), 3e-5, decay, by, sample=torch.zeros(1, 2))
    found = [group["lr"] for group in groups]
    assert found == pytest.approx([3e-5 * decay ** (12 - layer) for layer in range(1, 13)])
    for layer, row in TABLE.items():
        if decay in row:
            assert found[layer - 1] * 1e5 == pytest.approx(row[decay], abs=0.011)


def test_ulmfit_divides_by_2_6() -> None:
    groups = freezing.layerwise_groups(nn.Sequential(*(nn.Linear(2, 2) for _ in range(4))), 0.01, 1 / 2.6)
    found = [group["lr"] for group in groups]
    assert found[-1] == 0.01
    assert [later / earlier for earlier, later in pairwise(found)] == pytest.approx([2.6] * 3)


def test_by_block_of_bert_and_of_a_resnet() -> None:
    assert rates(freezing.layerwise_groups(small_bert(), 1.0, 0.5)) == {
        "bert.embeddings": 0.0625,
        "bert.encoder.layer.0": 0.125,
        "bert.encoder.layer.1": 0.25,
        "bert.pooler": 0.5,
        "classifier": 1.0,
    }
    assert rates(freezing.layerwise_groups(small_resnet(), 1.0, 0.5)) == {
        "conv1": 0.03125, "layer1": 0.0625, "layer2": 0.125, "layer3": 0.25, "layer4": 0.5, "fc": 1.0,
    }  # fmt: skip


def test_trainable_parameters_only_at_the_rates_of_the_whole_model() -> None:
    model = small_resnet()
    freezing.freeze(model, "conv1", "bn1", "layer1", "layer3")
    assert rates(freezing.layerwise_groups(model, 1.0, 0.5)) == {"layer2": 0.125, "layer4": 0.5, "fc": 1.0}
    freezing.freeze(model)
    with pytest.raises(ValueError, match="ResNet has no trainable parameter"):
        freezing.layerwise_groups(model, 1.0, 0.5)


@pytest.mark.parametrize("by", ["block", "layer", "depth"])
@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("build", [Net, small_resnet, small_bert, small_gpt2])
def test_every_trainable_parameter_once(build: Any, split: bool, by: Any) -> None:
    model = build()
    sample = tokens() if build in (small_bert, small_gpt2) else images()
    groups = freezing.layerwise_groups(
        model, 1e-3, 0.9, by, sample=sample, weight_decay=0.1, decay_norms_and_biases=not split
    )
    held = [p for group in groups for p in group["params"]]
    assert sorted(map(id, held)) == sorted(map(id, model.parameters()))
    for group in groups:
        assert group["weight_decay"] == (0.0 if "no decay" in group["name"] else 0.1)
        if split:
            assert all((p.ndim > 1) == (group["weight_decay"] > 0) for p in group["params"])
    torch.optim.AdamW(groups)


def test_without_a_weight_decay_the_optimizer_s_holds() -> None:
    groups = freezing.layerwise_groups(Net(1), 1e-3, 0.9, decay_norms_and_biases=False)
    optimizer = torch.optim.AdamW(groups, weight_decay=0.3)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.0, 0.3, 0.0]


class Residual(nn.Module):
    """Two branches of unequal length; a head that is defined first."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 2)
        self.long = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 4))
        self.short = nn.Linear(4, 4)
        self.shift = nn.Parameter(torch.zeros(1, 4))
        self.stem = nn.Linear(4, 4)
        self.unused = nn.Linear(4, 4)

    def forward(self, values: Tensor) -> Tensor:
        values = self.stem(values) + self.shift
        result: Tensor = self.head(self.long(values) + self.short(values))
        return result


def test_depth_is_the_longest_path_to_the_output() -> None:
    found = depths(Residual(), torch.zeros(3, 4))
    assert {name.removesuffix(".weight"): depth for name, depth in found.items() if "bias" not in name} == {
        "head": 0,
        "long.3": 1,
        "short": 1,
        "long.1": 2,
        "long.0": 2,
        "shift": 3,
        "stem": 3,
    }
    assert all(found[n] == found[n.replace("bias", "weight")] for n in found if n.endswith(".bias"))


def test_depth_of_attention_is_that_of_one_layer() -> None:
    found = depths(small_bert(), tokens())
    attention = "bert.encoder.layer.{}.attention.self.{}.weight"
    for layer in (0, 1):
        assert len({found[attention.format(layer, part)] for part in ("query", "key", "value")}) == 1
    assert found["classifier.weight"] == 0
    assert found["bert.pooler.dense.weight"] == 1
    assert found["bert.encoder.layer.1.output.dense.weight"] == 2
    assert found["bert.embeddings.word_embeddings.weight"] == max(found.values()) == 10


def test_depth_works_on_frozen_models_and_leaves_them_frozen() -> None:
    model = Residual().requires_grad_(False)
    model.head.requires_grad_(True)
    assert depths(model, torch.zeros(3, 4))["stem.weight"] == 3
    assert rates(freezing.layerwise_groups(model, 1.0, 0.5, "depth", sample=torch.zeros(3, 4))) == {
        "depth 0": 1.0
    }
    assert [p.requires_grad for p in model.parameters()].count(True) == 2


def test_what_the_output_does_not_depend_on_has_the_lowest_rate() -> None:
    model = Residual()
    groups = freezing.layerwise_groups(model, 1.0, 0.5, "depth", sample=torch.zeros(3, 4))
    assert [group["lr"] for group in groups] == [0.125, 0.25, 0.5, 1.0]
    assert any(p is model.unused.weight for p in groups[0]["params"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0.0, "decay": 0.9}, "lr must be positive, and is 0.0"),
        ({"lr": 1.0, "decay": 2.6}, r"decay is the factor .*: write 1 / 2.6"),
        ({"lr": 1.0, "decay": 0.0}, r"decay must lie in \(0, 1\], and is 0.0"),
        ({"lr": 1.0, "decay": 0.9, "by": "name"}, "by must be 'block', 'layer' or 'depth', and is 'name'"),
        ({"lr": 1.0, "decay": 0.9, "by": "depth"}, "by='depth' follows one forward pass: pass a batch"),
    ],
)
def test_numbers_out_of_range_raise(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        freezing.layerwise_groups(Net(), **options)


@pytest.mark.parametrize(("build", "loss"), LOSSES.items(), ids=[build.__name__ for build in LOSSES])
@pytest.mark.parametrize("by", ["block", "layer", "depth"])
def test_the_audit_finds_nothing(build: Any, loss: Any, by: Any) -> None:
    model = as_pretrained(build(), freezing.blocks(build())[-1].name)
    sample = tokens() if build in (small_bert, small_gpt2) else images()
    if build is small_resnet:
        freezing.norms.freeze(model)
    groups = freezing.layerwise_groups(model, 1e-4, 0.8, by, sample=sample, decay_norms_and_biases=False)
    optimizer = torch.optim.AdamW(groups)

    def step() -> None:
        model.train()
        loss(model).backward()

    freezelint.audit(model, optimizer, step).raise_for_findings()


def test_lazy_parameters_are_told_before_weight_decay_takes_them_for_vectors() -> None:
    model = nn.Sequential(nn.LazyLinear(3), nn.LazyLinear(2))
    with pytest.raises(ValueError, match=r"`0\.weight` is lazy and has no shape yet: run one batch"):
        freezing.layerwise_groups(model, lr=0.1, decay=0.5, decay_norms_and_biases=False)
