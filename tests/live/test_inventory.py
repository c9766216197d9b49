"""Which models there are, what user code calls them, and where every parameter stands."""

from __future__ import annotations

import copy
import gc
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from freezelint.evidence import Model, Trace
from freezelint.live.inventory import dropout_of, norm_of, overrides_train, role_of
from tests.live.observing import observed, step


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(2, 3), nn.Linear(3, 1)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.head(self.body(inputs))
        return result


def sgd(model: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=0.1)


def only_model(trace: Trace) -> Model:
    (model,) = trace.models
    return model


# --- which models, under which names ---


def test_a_local_variable_names_its_model() -> None:
    with observed() as recorder:
        network = Net()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        network(torch.ones(1, 2)).sum().backward()
        optimizer.step()
    model = only_model(recorder.trace())
    assert (model.name, model.class_name, model.library) == ("network", "Net", "tests")
    assert [module.path for module in model.modules] == ["", "body", "head"]


def test_a_model_inside_an_object_is_named_after_its_attribute() -> None:
    with observed() as recorder:
        trainer = SimpleNamespace(backbone=Net())
        optimizer = torch.optim.SGD(trainer.backbone.parameters(), lr=0.1)
        trainer.backbone(torch.ones(1, 2)).sum().backward()
        optimizer.step()
    assert only_model(recorder.trace()).name == "trainer.backbone"


def test_parts_that_are_trained_apart_belong_to_their_whole() -> None:
    with observed() as recorder:
        model = Net()
        optimizer = sgd(model.head)
        model.head(torch.ones(1, 3)).sum().backward()
        optimizer.step()
    assert only_model(recorder.trace()).name == "model"


def test_two_models_in_two_optimizers() -> None:
    with observed() as recorder:
        encoder, decoder = Net(), nn.Linear(1, 2)
        one = torch.optim.SGD(encoder.parameters(), lr=0.1)
        other = torch.optim.SGD(decoder.parameters(), lr=0.1)
        decoder(encoder(torch.ones(1, 2))).sum().backward()
        one.step()
        other.step()
    assert sorted(model.name for model in recorder.trace().models) == ["decoder", "encoder"]


def test_a_model_that_only_runs_is_there_too() -> None:
    with observed() as recorder:
        student, teacher = Net(), Net()
        optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
        for _ in range(2):
            with torch.no_grad():
                target = teacher(torch.ones(1, 2))
            (student(torch.ones(1, 2)) - target).square().sum().backward()
            optimizer.step()
    assert {model.name for model in recorder.trace().models} == {"student", "teacher"}


def test_a_loss_without_parameters_is_no_model() -> None:
    with observed() as recorder:
        model, criterion = Net(), nn.MSELoss()
        optimizer = sgd(model)
        criterion(model(torch.ones(1, 2)), torch.zeros(1, 1)).backward()
        optimizer.step()
    assert only_model(recorder.trace()).name == "model"


@pytest.mark.parametrize("wrap", [nn.DataParallel, torch.compile], ids=["DataParallel", "compile"])
def test_a_wrapper_is_not_part_of_the_paths(wrap: Any) -> None:
    with observed() as recorder:
        model = Net()
        wrapped = wrap(model)
        step(wrapped, sgd(wrapped), torch.ones(1, 2))
    assert {"body.weight", "head.bias"} < {p.path for p in recorder.trace().parameters}
    assert only_model(recorder.trace()).class_name == "Net"


def test_a_wrapper_that_is_handed_over_is_looked_through() -> None:
    model = nn.DataParallel(Net())
    with observed() as recorder:
        recorder.watch(model, sgd(model))
        step(model, sgd(model), torch.ones(1, 2))
    assert only_model(recorder.trace()).by_path["body"].class_name == "Linear"


def test_a_deep_copy_is_another_model() -> None:
    with observed() as recorder:
        model = Net()
        average = copy.deepcopy(model)
        recorder.watch(model)
        recorder.watch(average, name="average")
        step(model, sgd(model), torch.ones(1, 2))
        first, second = recorder.trace().models
    assert set(first.parameters).isdisjoint(second.parameters)


def test_a_model_that_is_gone_stays_in_the_trace() -> None:
    with observed() as recorder:
        model = Net()
        step(model, sgd(model), torch.ones(1, 2))
        del model
        gc.collect()
        trace = recorder.trace()
    assert only_model(trace).name == "model"
    assert trace.steps[0].modules[0]["body"].ran is True


# --- parameters ---


def test_a_tied_parameter_has_all_its_paths() -> None:
    model = nn.ModuleDict({"embedding": nn.Embedding(5, 3), "decoder": nn.Linear(3, 5, bias=False)})
    model["decoder"].weight = model["embedding"].weight
    with observed() as recorder:
        recorder.watch(model)
    (parameter,) = recorder.trace().parameters
    assert parameter.paths == ("embedding.weight", "decoder.weight")


def test_a_module_that_stands_in_two_places() -> None:
    layer = nn.Linear(2, 2)
    model = nn.ModuleList([layer, layer])
    with observed() as recorder:
        recorder.watch(model)
    assert [p.paths for p in recorder.trace().parameters] == [("0.weight", "1.weight"), ("0.bias", "1.bias")]


def test_a_replaced_parameter_keeps_its_last_path_and_is_detached() -> None:
    with observed() as recorder:
        model = Net()
        optimizer = sgd(model)
        step(model, optimizer, torch.ones(1, 2))
        model.head = nn.Linear(3, 1)
        step(model, optimizer, torch.ones(1, 2))
    found = [(p.path, p.attached) for p in recorder.trace().parameters if p.path.startswith("head")]
    assert found == [
        ("head.weight", False),
        ("head.bias", False),
        ("head.weight", True),
        ("head.bias", True),
    ]


def test_lazy_layers_are_described_once_they_have_a_shape() -> None:
    model = nn.Sequential(nn.LazyLinear(3), nn.LazyBatchNorm1d(), nn.LazyLinear(1))
    with observed() as recorder:
        recorder.watch(model)
        model(torch.ones(2, 5))
        step(model, sgd(model), torch.ones(2, 5))
    trace = recorder.trace()
    assert [p.shape for p in trace.parameters] == [(3, 5), (3,), (3,), (3,), (1, 3), (1,)]
    assert [m.class_name for m in only_model(trace).modules[1:]] == ["Linear", "BatchNorm1d", "Linear"]


def test_parametrised_weights_are_found_where_they_are_kept() -> None:
    model = nn.utils.parametrizations.weight_norm(nn.Linear(2, 3))
    with observed() as recorder:
        recorder.watch(model)
    paths = {p.path for p in recorder.trace().parameters}
    assert paths == {
        "bias",
        "parametrizations.weight.original0",
        "parametrizations.weight.original1",
    }


def test_a_tensor_of_no_module_is_a_parameter_all_the_same() -> None:
    with observed() as recorder:
        prompt = nn.Parameter(torch.zeros(1, 2))
        model = Net().requires_grad_(False)
        optimizer = torch.optim.SGD([prompt], lr=0.1)
        model(prompt).sum().backward()
        optimizer.step()
    trace = recorder.trace()
    (held,) = trace.optimizers[0].groups[0].parameters
    assert (trace.parameters[held].paths, trace.parameters[held].attached) == ((), False)
    assert trace.steps[0].parameters[held].gradient == "nonzero"


# --- what modules are ---


@pytest.mark.parametrize(
    ("module", "role"),
    [
        (nn.Linear(1, 1), "plain"),
        (nn.ReLU(), "plain"),
        (nn.Sequential(nn.ReLU()), "container"),
        (nn.Embedding(2, 2), "embedding"),
        (nn.BatchNorm2d(1), "norm"),
        (nn.SyncBatchNorm(1), "norm"),
        (nn.InstanceNorm1d(1), "norm"),
        (nn.LayerNorm(1), "norm"),
        (nn.GroupNorm(1, 1), "norm"),
        (nn.RMSNorm(1), "norm"),
        (nn.Dropout2d(), "dropout"),
        (torchvision.ops.StochasticDepth(0.1, "row"), "dropout"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_roles(module: nn.Module, role: str) -> None:
    assert role_of(module) == role


def test_norms() -> None:
    frozen = norm_of(torchvision.ops.FrozenBatchNorm2d(2), None, None)
    assert frozen is None or not frozen.has_statistics
    layer = norm_of(nn.LayerNorm(2), None, None)
    assert layer is not None
    assert not layer.has_statistics
    batch = norm_of(nn.BatchNorm1d(2, momentum=None, affine=False), None, 7)
    assert batch is not None
    assert (batch.has_statistics, batch.tracks, batch.momentum, batch.affine, batch.set_by) == (
        True,
        True,
        None,
        False,
        7,
    )
    instance = norm_of(nn.InstanceNorm1d(2), None, None)
    assert instance is not None
    assert (instance.has_statistics, instance.tracks) == (False, False)


def test_batches_are_counted_from_a_reset_only() -> None:
    norm = nn.BatchNorm1d(2)
    norm(torch.randn(4, 2))
    unreset, reset = norm_of(norm, None, None), norm_of(norm, 3, None)
    assert unreset is not None
    assert reset is not None
    assert (unreset.batches_since_reset, reset.batches_since_reset) == (None, 1)


def test_dropout_rates() -> None:
    assert dropout_of(nn.Dropout(0.3)) == 0.3
    assert dropout_of(torchvision.ops.StochasticDepth(0.1, "row")) == 0.1
    assert dropout_of(nn.Linear(1, 1)) is None


def test_classes_that_override_train() -> None:
    class Kept(nn.BatchNorm2d):
        def train(self, mode: bool = True) -> nn.Module:
            return super().train(mode and False)

    assert overrides_train(Kept(2))
    assert not overrides_train(nn.BatchNorm2d(2))
