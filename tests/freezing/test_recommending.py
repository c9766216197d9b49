"""From data size and similarity to a plan for a model: the cell, the blocks, the rates, and code."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

import freezelint
from freezelint import freezing
from freezelint.freezing import DomainShift, LayerShift, Plan, recommend
from freezelint.freezing.anatomy import cover
from tests.freezing.models import (
    Net,
    as_pretrained,
    flags,
    modes,
    small_bert,
    small_gpt2,
    small_resnet,
    small_vgg,
    small_vit,
)  # fmt: skip

SIZES = {"very small": 500, "small": 5000, "medium": 50_000, "large": 500_000}
WORDS = ("high", "medium", "low")


def on_meta(name: str) -> nn.Module:
    with torch.device("meta"):
        model: nn.Module = models.get_model(name)
    return model


# -- the matrix ---------------------------------------------------------------------------------------------

RESNET50 = {
    ("very small", "high"): ("head", 5),
    ("very small", "medium"): ("last", 4),
    ("very small", "low"): ("head", 5),
    ("small", "high"): ("last", 3),
    ("small", "medium"): ("gradual", 0),
    ("small", "low"): ("gradual", 0),
    ("medium", "high"): ("share", 3),
    ("medium", "medium"): ("share", 3),
    ("medium", "low"): ("share", 2),
    ("large", "high"): ("all", 0),
    ("large", "medium"): ("all", 0),
    ("large", "low"): ("all", 0),
}


@pytest.mark.parametrize(("size", "word"), RESNET50)
def test_every_cell_for_a_resnet50(size: str, word: Any) -> None:
    plan = recommend(SIZES[size], word, on_meta("resnet50"))
    strategy, frozen = RESNET50[size, word]
    assert plan.decision.strategy == strategy
    assert plan.frozen == ("conv1", "layer1", "layer2", "layer3", "layer4")[:frozen]
    assert plan.cell.startswith(f"{size} data (")
    assert f"{word} similarity" in plan.cell


def test_chest_x_rays_with_an_imagenet_resnet50() -> None:
    """The first stage frozen, the others at rates that rise towards the output, the head at the full rate."""
    plan = recommend(20_000, "low", on_meta("resnet50"))
    assert plan.frozen == ("conv1", "layer1")
    rates = plan.decision.rates
    assert list(rates) == ["fc", "layer4", "layer3", "layer2"]
    assert rates["layer2"] < rates["layer3"] < rates["layer4"] < rates["fc"] == 1e-3
    assert plan.decision.norms == "follow"


def test_stages_of_a_resnet_fall_by_a_fifth() -> None:
    rates = recommend(500_000, "high", on_meta("resnet50")).decision.rates
    assert [f"{rate:.3g}" for rate in rates.values()] == [
        "0.001", "0.0008", "0.00064", "0.000512", "0.00041", "0.000328",
    ]  # fmt: skip


def test_layers_of_a_transformer_fall_gently() -> None:
    model = on_meta("vit_b_16")
    plan = recommend(50_000, "high", model)
    assert plan.frozen[-1] == "encoder.layers.encoder_layer_5"
    assert plan.decision.optimizer == "AdamW"
    assert plan.decision.norms == "none"
    rates = list(plan.decision.rates.values())
    assert rates[0] == 3e-5
    assert rates[1] / rates[0] == pytest.approx(0.95)
    other = list(recommend(50_000, "medium", model).decision.rates.values())
    assert other[1] / other[0] == pytest.approx(0.9)


def test_gradual_unfreezing_opens_a_handful_of_parts() -> None:
    stages = recommend(5000, "medium", on_meta("vit_b_16")).decision.stages
    assert len(stages) == 5
    assert stages[0][0] == "encoder.layers.encoder_layer_11"
    assert stages[-1][-1] == "conv_proj"
    few = recommend(5000, "medium", on_meta("resnet18")).decision
    assert few.stages == (("layer4",), ("layer3",), ("layer2",), ("layer1",), ("conv1",))
    assert (few.every, few.epochs, few.warmup_steps) == (2, 12, 100)
    assert few.rates["layer3"] == pytest.approx(1e-3 / 2.6**2)


def test_rates_of_very_deep_models_stay_worth_training() -> None:
    deep = nn.Sequential(
        nn.Embedding(8, 4),
        *(nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)) for _ in range(80)),
        nn.Linear(4, 2),
    )
    rates = list(recommend(10**6, "medium", deep).decision.rates.values())
    assert rates[-1] / rates[0] == pytest.approx(0.01)


def test_little_and_strange_data_get_new_statistics_and_a_warning() -> None:
    plan = recommend(300, "low", small_resnet())
    assert plan.decision.norms == "calibrated"
    assert "consider domain adaptation instead" in plan.cell
    regularised = recommend(3000, "low", small_resnet()).decision
    plain = recommend(3000, "medium", small_resnet()).decision
    assert (regularised.label_smoothing, plain.label_smoothing) == (0.1, 0.0)
    assert regularised.weight_decay == 10 * plain.weight_decay


@pytest.mark.parametrize(
    ("samples", "size"),
    [(1, "very small"), (999, "very small"), (1000, "small"), (9999, "small"), (10_000, "medium"),
     (100_000, "medium"), (100_001, "large")],
)  # fmt: skip
def test_sizes(samples: int, size: str) -> None:
    assert recommend(samples, "high", Net()).decision.size == size


@pytest.mark.parametrize(
    ("similarity", "word"),
    [("low", "low"), (1, "high"), (0.7, "high"), (0.4, "medium"), (0.1, "low"), (0, "low"),
     (DomainShift((LayerShift("bn", 1, 0.9, 0.0, 1.0),), 1), "medium")],
)  # fmt: skip
def test_similarity_is_a_word_a_number_or_what_was_measured(similarity: Any, word: str) -> None:
    assert recommend(5000, similarity, Net()).decision.similarity == word


def test_a_new_head_may_be_larger_than_the_last_block() -> None:
    model = small_bert()
    assert recommend(500, "high", model).frozen[-1] == "bert.pooler"
    plan = recommend(500, "high", model, head=("bert.pooler", "classifier"))
    assert plan.frozen[-1] == "bert.encoder.layer.1"
    assert list(plan.decision.rates) == ["classifier", "bert.pooler"]
    assert recommend(500, "high", model, head=model.classifier) == recommend(500, "high", model)


class HeadFirst(nn.Module):
    """Defines its head before its body."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 2)
        self.body = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, values: Tensor) -> Tensor:
        for layer in self.body:
            values = layer(values)
        result: Tensor = self.head(values)
        return result


def test_a_sample_tells_what_runs_last() -> None:
    plan = recommend(500, "medium", HeadFirst(), sample=torch.zeros(1, 4))
    assert plan.frozen == ("body.0", "body.1")
    assert list(plan.decision.rates) == ["head", "body.2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, "high", Net()), "samples is the number of labelled samples, a whole number from 1, and is 0"),
        ((2.5, "high", Net()), "a whole number from 1, and is 2.5"),
        ((5, "higher", Net()), "similarity must be 'high', 'medium' or 'low', and is 'higher'"),
        ((5, 2.0, Net()), r"similarity as a number lies in \[0, 1\], 1 for the same data, and is 2.0"),
        ((5, None, Net()), "a number in .* or what `domain_shift` returns, and is of class NoneType"),
        (
            (5, "high", nn.Linear(2, 2)),
            "Linear .*: a plan needs a body that was trained before, and a new head",
        ),
        ((5, "high", nn.ReLU()), "ReLU has no parameters"),
    ],
)
def test_bad_input_raises(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recommend(*arguments)
    with pytest.raises(freezing.NoMatchError, match="`haed` matches nothing in Net; nearest: `head`"):
        recommend(5, "high", Net(), head="haed")


TEXT = """\
Net: very small data (below 1,000 samples), medium similarity: freeze most, and fine-tune the last one or \
two blocks with the head

block      parameters  trains                learning rate
-------  ------------  ------------------  ---------------
stage.0           120  frozen
stage.1           156  frozen
stage.2           156  from the beginning           0.0008
head               10  new head                      0.001

SGD, weight decay 0.0001, 20 epochs, 500 steps of warm-up, then a cosine fall to 0.1 of the rates
- early layers hold general features"""


def test_as_text() -> None:
    assert str(recommend(500, "medium", Net())).startswith(TEXT)
    assert "from epoch 3" in str(recommend(5000, "medium", Net()))


def test_the_fewest_names_for_a_set_of_parameters() -> None:
    every = ("a.0.w", "a.0.b", "a.1.w", "ab.w", "token")
    assert cover({"a.0.w", "a.0.b"}, every) == ("a.0",)
    assert cover({"a.0.w", "a.0.b", "a.1.w"}, every) == ("a",)
    assert cover({"a.0.b", "token"}, every) == ("a.0.b", "token")


# -- the plan carried out -----------------------------------------------------------------------------------

Batches = list[tuple[Any, Tensor]]


def pictures(size: int = 8) -> Batches:
    return [(torch.randn(4, 3, size, size), torch.randint(0, 2, (4,))) for _ in range(2)]


def texts() -> Batches:
    return [({"input_ids": torch.randint(2, 32, (4, 6))}, torch.randint(0, 2, (4,))) for _ in range(2)]


DATA: dict[Callable[[], nn.Module], Callable[[], Batches]] = {
    Net: pictures,
    small_resnet: lambda: pictures(32),
    small_vgg: pictures,
    small_vit: pictures,
    small_bert: texts,
    small_gpt2: texts,
}
HEADS = {
    Net: "head",
    small_resnet: "fc",
    small_vgg: "classifier.3",
    small_vit: "heads",
    small_bert: "classifier",
    small_gpt2: "score",
}


def carry_out(plan: Plan, model: nn.Module, loader: Batches) -> None:
    """The loop that `Training` documents."""
    training = plan.apply(model, loader)
    criterion = nn.CrossEntropyLoss(label_smoothing=plan.decision.label_smoothing)
    for epoch in range(plan.epochs):
        training.begin_epoch(epoch)
        model.train()
        for inputs, labels in loader:
            scores = model(**inputs).logits if isinstance(inputs, dict) else model(inputs)
            criterion(scores, labels).backward()
            training.optimizer.step()
            training.schedule.step()
            training.optimizer.zero_grad()


@pytest.mark.parametrize("build", DATA, ids=[build.__name__ for build in DATA])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("word", ["medium", "low"])
def test_objects_and_code_train_the_same(build: Callable[[], nn.Module], size: str, word: Any) -> None:
    torch.manual_seed(0)
    loader, ours = DATA[build](), build()
    start, plain = copy.deepcopy(ours), copy.deepcopy(ours)
    plan = recommend(SIZES[size], word, ours)
    if plan.decision.norms == "calibrated":
        del loader[1:]  # over several batches the code averages their variances
    torch.manual_seed(1)
    carry_out(plan, ours, loader)

    script: dict[str, Any] = {}
    exec(compile(plan.code(), "plan.py", "exec"), script)
    torch.manual_seed(1)
    script["fine_tune"](plain, loader, "cpu")
    assert flags(plain) == flags(ours)
    assert modes(plain) == modes(ours)
    before, after = start.state_dict(), ours.state_dict()
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    for name, value in plain.state_dict().items():
        if name not in moved and not name.endswith("num_batches_tracked"):
            assert torch.equal(value, before[name]), name
        # Rates have three digits in the code.
        assert torch.allclose(value.double(), after[name].double(), rtol=1e-2, atol=1e-3), name
    trained = {name for name, flag in flags(ours).items() if flag}
    assert trained <= moved | {"transformer.wte.weight"}


def test_the_first_stage_of_a_resnet_frozen_by_hand() -> None:
    torch.manual_seed(0)
    loader, ours = pictures(32), small_resnet()
    plain = copy.deepcopy(ours)
    plan = recommend(20_000, "low", ours)
    carry_out(plan, ours, loader)

    frozen = [plain.conv1, plain.bn1, plain.layer1]
    for part in frozen:
        part.requires_grad_(False)
    tops = [plain.fc, plain.layer4, plain.layer3, plain.layer2]
    peaks = [1e-3 * 0.8**k for k in range(4)]
    optimizer = torch.optim.SGD(
        [{"params": part.parameters(), "lr": lr} for part, lr in zip(tops, peaks, strict=True)],
        momentum=0.9,
        weight_decay=1e-4,
    )
    total = 5 * len(loader)
    for step in range(total):
        plain.train()
        for part in frozen:
            part.eval()
        done = (step - 1) / (total - 1) if step else 0.0
        factor = 0.1 + 0.9 * (1 + torch.tensor(torch.pi * done).cos().item()) / 2
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * factor
        inputs, labels = loader[step % 2]
        nn.functional.cross_entropy(plain(inputs), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
    for (name, one), other in zip(ours.state_dict().items(), plain.state_dict().values(), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6), name


@pytest.mark.parametrize("build", DATA, ids=[build.__name__ for build in DATA])
@pytest.mark.parametrize("size", SIZES)
def test_the_audit_finds_nothing(build: Callable[[], nn.Module], size: str) -> None:
    model = as_pretrained(build(), HEADS[build])
    loader = DATA[build]()
    plan = recommend(SIZES[size], "low", model)
    training = plan.apply(model, loader)
    with freezelint.watch(model, training.optimizer) as report:
        for epoch in range(plan.epochs):
            training.begin_epoch(epoch)
            model.train()
            inputs, labels = loader[0]
            scores = model(**inputs).logits if isinstance(inputs, dict) else model(inputs)
            nn.functional.cross_entropy(scores, labels).backward()
            training.optimizer.step()
            training.schedule.step()
            training.optimizer.zero_grad()
    report.raise_for_findings()
    assert training.unfreezing is None or training.unfreezing.done


def test_a_plan_is_for_one_model() -> None:
    plan = recommend(500, "high", Net(3))
    with pytest.raises(ValueError, match=r"another model than this Net: `stage\.2\.bn\.bias` and 3 more"):
        plan.apply(Net(2), pictures())
    with pytest.raises(
        ValueError, match="a generator has no length: the schedule needs the number of batches"
    ):
        plan.apply(Net(3), (batch for batch in pictures()))
    with pytest.raises(ValueError, match="the loader has no batch"):
        plan.apply(Net(3), [])
    assert plan == recommend(600, "high", Net(3)), "plans are values"


def test_norm_layers_without_parameters_are_frozen_by_name() -> None:
    model = nn.Sequential(
        nn.Linear(3, 3),
        nn.BatchNorm1d(3, affine=False),
        nn.Linear(3, 3),
        nn.BatchNorm1d(3, affine=False),
        nn.Linear(3, 2),
    )
    code = recommend(500, "high", model).code()
    assert 'FROZEN = ("0.", "2.", "1.", "3.")' in code
