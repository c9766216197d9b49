"""Where weights come from: constructed here, loaded, copied, or set by hand."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing._internal.two_tensor import TwoTensor

from tests.live.observing import events, kinds, line_of, names, observed, step

Stored = dict[str, torch.Tensor]


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))


def origins(recorder: object, model: nn.Module) -> list[str]:
    return [recorder.ledger.entry(p).origin for p in model.parameters()]  # type: ignore[attr-defined]


# --- origins ---


def test_what_is_constructed_is_fresh() -> None:
    with observed() as recorder:
        model = net()
        assert origins(recorder, model) == ["fresh"] * 4


def test_what_is_older_than_the_audit_is_unknown() -> None:
    model = net()
    with observed() as recorder:
        assert origins(recorder, model) == ["unknown"] * 4


def test_initialisation_by_hand_is_still_fresh() -> None:
    with observed() as recorder:
        model = net()
        nn.init.xavier_uniform_(model[0].weight)
        model[0].bias.data.zero_()
        with torch.no_grad():
            model[1].weight.normal_()
        assert origins(recorder, model) == ["fresh"] * 4


def initialised_without_tensors(weight: torch.Tensor) -> None:
    weight.uniform_(-1, 1).erfinv_().mul_(0.02).add_(0.5).div_(2.0).clamp_(-1, 1)


def first_row_set_to_zero(weight: torch.Tensor) -> None:
    weight[0].fill_(0)


@pytest.mark.parametrize(
    "initialise",
    [
        nn.init.trunc_normal_,
        nn.init.kaiming_normal_,
        lambda weight: nn.init.orthogonal_(weight),
        lambda weight: nn.init.eye_(weight),
        lambda weight: nn.init.orthogonal_(tensor=weight),
        lambda weight: nn.init.sparse_(weight, 0.5),
        initialised_without_tensors,
        first_row_set_to_zero,
    ],
)
def test_every_way_to_initialise_is_fresh(initialise: Callable[[torch.Tensor], object]) -> None:
    with observed() as recorder:
        model = net()
        with torch.no_grad():
            initialise(model[0].weight)
        assert origins(recorder, model) == ["fresh"] * 4


def test_layers_of_torch_are_fresh_wherever_they_are_moved() -> None:
    with observed() as recorder:
        layers = nn.ModuleList(
            [
                nn.Transformer(4, 2, 1, 1, 4),
                nn.LSTM(2, 2),
                nn.Embedding(3, 2, padding_idx=0),
                nn.Bilinear(2, 2, 2),
            ]
        )
        assert set(origins(recorder, layers.double())) == {"fresh"}


def test_training_leaves_the_origin_as_it_was() -> None:
    with observed() as recorder:
        model = net()
        step(model, torch.optim.SGD(model.parameters(), lr=0.1, foreach=False), torch.ones(1, 2))
        assert origins(recorder, model) == ["fresh"] * 4


def test_weights_restored_after_training_tell_nothing_of_how_it_began() -> None:
    with observed() as recorder:
        model = net()
        model[0].requires_grad_(False)
        step(model, torch.optim.SGD(model[1].parameters(), lr=0.1, foreach=False), torch.ones(1, 2))
        model.load_state_dict(net().state_dict())
        assert origins(recorder, model) == ["pretrained", "pretrained", "fresh", "fresh"]


def test_a_state_dict_brings_stored_weights() -> None:
    stored = net().state_dict()
    with observed() as recorder:
        model = net()
        model.load_state_dict(stored)  # here
        assert origins(recorder, model) == ["pretrained"] * 4
        (event,) = events(recorder, "loaded")
    assert line_of(event.location) == "model.load_state_dict(stored)  # here"
    assert len(event.parameters) == 4


def test_a_state_dict_whose_keys_a_hook_renames() -> None:
    stored = {f"module.{name}": value for name, value in net().state_dict().items()}

    def rename(state: dict[str, Any], *_: object) -> None:
        for name in list(state):
            state[name.removeprefix("module.")] = state.pop(name)

    with observed() as recorder:
        model = net()
        model.register_load_state_dict_pre_hook(lambda _, state, *rest: rename(state, *rest))
        model.load_state_dict(state_dict=stored)
        assert origins(recorder, model) == ["pretrained"] * 4


def test_a_part_of_a_state_dict_brings_only_that() -> None:
    stored = {name: value for name, value in net().state_dict().items() if name.startswith("0.")}
    with observed() as recorder:
        model = net()
        model.load_state_dict(stored, strict=False)
        assert origins(recorder, model) == ["pretrained", "pretrained", "fresh", "fresh"]


def test_loading_a_child_says_nothing_of_its_siblings() -> None:
    with observed() as recorder:
        model = net()
        model[0].load_state_dict(net()[0].state_dict())
        assert origins(recorder, model) == ["pretrained", "pretrained", "fresh", "fresh"]


def test_loading_with_assign_puts_other_parameters_in_place() -> None:
    with observed() as recorder:
        model = net()
        recorder.watch(model)
        model.load_state_dict(net().state_dict(), assign=True)
        assert origins(recorder, model) == ["pretrained"] * 4
        (event,) = events(recorder, "replaced")
        assert event.value == "assigned"
        assert names(recorder.trace(), event.parameters) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_a_whole_model_from_a_file(tmp_path: Path) -> None:
    torch.save(net(), tmp_path / "model.pt")
    with observed() as recorder:
        model = torch.load(tmp_path / "model.pt", weights_only=False)
        assert origins(recorder, model) == ["pretrained"] * 4


def test_a_state_dict_from_a_file_is_nothing_until_it_is_loaded() -> None:
    file = io.BytesIO()
    torch.save(net().state_dict(), file)
    file.seek(0)
    with observed() as recorder:
        model, stored = net(), torch.load(file)
        assert origins(recorder, model) == ["fresh"] * 4
        model.load_state_dict(stored)
        assert origins(recorder, model) == ["pretrained"] * 4


def test_embeddings_from_stored_vectors() -> None:
    with observed() as recorder:
        embedding = nn.Embedding.from_pretrained(torch.zeros(4, 2))
        assert origins(recorder, embedding) == ["pretrained"]


class Vectors(nn.Embedding):
    """A user's own embedding."""


class Bags(nn.EmbeddingBag):
    """A user's own bag of embeddings."""


@pytest.mark.parametrize("layer", [Vectors, Bags])
def test_embeddings_of_a_class_of_the_user_s(layer: type[Vectors] | type[Bags]) -> None:
    with observed() as recorder:
        embedding = layer.from_pretrained(embeddings=torch.zeros(4, 2))
        assert type(embedding) is layer
        assert origins(recorder, embedding) == ["pretrained"]


def test_a_deep_copy_comes_from_where_its_original_comes_from() -> None:
    with observed() as recorder:
        model = net()
        model[0].load_state_dict(net()[0].state_dict())
        assert origins(recorder, copy.deepcopy(model)) == ["pretrained", "pretrained", "fresh", "fresh"]


def test_weights_written_by_hand_may_come_from_anywhere() -> None:
    with observed() as recorder:
        model, stored = net(), net().state_dict()
        with torch.no_grad():
            model[0].weight.copy_(stored["0.weight"])
        model[0].bias.data = stored["0.bias"]
        model[1].weight.data.copy_(stored["1.weight"])
        assert origins(recorder, model) == ["unknown", "unknown", "unknown", "fresh"]


def through_its_own_state_dict(model: nn.Module, stored: Stored) -> None:
    own = model.state_dict()
    for name, value in stored.items():
        own[name].copy_(value)


def by_item(model: nn.Module, stored: Stored) -> None:
    for name, parameter in model.named_parameters():
        parameter[...] = stored[name]


def through_a_view(model: nn.Module, stored: Stored) -> None:
    for name, parameter in model.named_parameters():
        parameter.view(-1).copy_(stored[name].view(-1))


def from_one_vector(model: nn.Module, stored: Stored) -> None:
    nn.utils.vector_to_parameters(nn.utils.parameters_to_vector(stored.values()), model.parameters())


def all_at_once(model: nn.Module, stored: Stored) -> None:
    torch._foreach_copy_(list(model.parameters()), list(stored.values()))


def added_to_zero(model: nn.Module, stored: Stored) -> None:
    for name, parameter in model.named_parameters():
        parameter.zero_().add_(stored[name])


def added_to_zero_as_data(model: nn.Module, stored: Stored) -> None:
    for name, parameter in model.named_parameters():
        parameter.data.mul_(0).add_(stored[name])


def by_a_library(model: nn.Module, stored: Stored) -> None:
    library_call("parameter.copy_(stored)", model, stored)


def as_data_by_a_library(model: nn.Module, stored: Stored) -> None:
    library_call("parameter.data = stored", model, stored)


def library_call(statement: str, model: nn.Module, stored: Stored) -> None:
    """Run a statement on each parameter from a file that is not the user's."""
    library = ModuleType("library")
    source = f"def load(parameter, stored):\n    {statement}\n"
    exec(compile(source, "/usr/lib/site-packages/library.py", "exec"), vars(library))
    for name, parameter in model.named_parameters():
        library.load(parameter, stored[name])


@pytest.mark.parametrize(
    "load",
    [
        through_its_own_state_dict,
        by_item,
        through_a_view,
        from_one_vector,
        all_at_once,
        added_to_zero,
        added_to_zero_as_data,
        by_a_library,
        as_data_by_a_library,
    ],
)
def test_weights_brought_by_hand_are_never_fresh(load: Callable[[nn.Module, Stored], None]) -> None:
    with observed() as recorder:
        model, stored = net(), net().state_dict()
        with torch.no_grad():
            load(model, stored)
        assert origins(recorder, model) == ["unknown"] * 4


def test_an_average_of_another_model_is_not_fresh() -> None:
    trained = net()
    with observed() as recorder:
        average = torch.optim.swa_utils.AveragedModel(net())
        assert origins(recorder, average) == ["fresh"] * 4
        average.update_parameters(trained)
        assert origins(recorder, average) == ["unknown"] * 4


def test_parameters_of_other_tensor_classes_can_be_converted() -> None:
    with observed() as recorder:
        layer = nn.Linear(2, 2)
        layer.weight = nn.Parameter(TwoTensor(torch.eye(2), torch.eye(2)))
        entry = recorder.ledger.entry(layer.weight)
        layer.double()
        assert layer.weight.dtype == torch.float64
        assert recorder.ledger.entry(layer.weight) is entry
        assert origins(recorder, layer) == ["unknown", "fresh"]


def test_parameters_that_user_code_makes_may_hold_anything() -> None:
    with observed() as recorder:
        layer = nn.Linear(2, 2)
        layer.weight = nn.Parameter(torch.eye(2))
        assert origins(recorder, layer) == ["unknown", "fresh"]


def test_lazy_layers_are_fresh_once_they_have_weights() -> None:
    with observed() as recorder:
        model = nn.Sequential(nn.LazyLinear(3))
        model(torch.zeros(1, 5))
        assert origins(recorder, model) == ["fresh", "fresh"]


# --- replacements ---


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(2, 3)
        self.body = nn.Linear(2, 4)  # still being built
        self.head = nn.Linear(4, 1)


def test_construction_replaces_nothing() -> None:
    with observed() as recorder:
        Net()
        nn.Sequential(nn.Linear(1, 1), nn.ModuleList([nn.Linear(1, 1)]))
    assert kinds(recorder) == []


def test_a_new_head() -> None:
    with observed() as recorder:
        model = Net()
        recorder.watch(model)
        model.head = nn.Linear(4, 9)  # new
        (event,) = events(recorder, "replaced")
        assert (event.name, event.value) == ("head", "exchanged")
        assert line_of(event.location) == "model.head = nn.Linear(4, 9)  # new"
        head = recorder.trace().models[0].by_path["head"]
        assert head.assigned == event.index


def test_an_attribute_that_was_not_there() -> None:
    with observed() as recorder:
        model = Net()
        recorder.watch(model)
        model.classifier = nn.Linear(4, 9)
        (event,) = events(recorder, "replaced")
    assert (event.name, event.value) == ("classifier", "added")


def test_an_item_of_a_container_deep_inside() -> None:
    with observed() as recorder:
        model = nn.ModuleDict({"part": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))})
        recorder.watch(model)
        part = model["part"]
        assert isinstance(part, nn.Sequential)
        part[-1] = nn.Linear(2, 5)
        part.append(nn.Linear(5, 1))
        model.add_module("extra", nn.Linear(1, 1))
        found = events(recorder, "replaced")
    assert [(event.name, event.value) for event in found] == [
        ("part.1", "exchanged"),
        ("part.2", "added"),
        ("extra", "added"),
    ]


def test_a_submodule_set_by_its_path() -> None:
    with observed() as recorder:
        model = nn.Sequential(nn.Sequential(nn.Linear(2, 2)))
        recorder.watch(model)
        model.set_submodule("0.0", nn.Linear(2, 5))
        (event,) = events(recorder, "replaced")
    assert event.name == "0.0"


def test_a_new_parameter() -> None:
    with observed() as recorder:
        model = Net()
        recorder.watch(model)
        model.head.weight = nn.Parameter(torch.zeros(1, 4))
        (event,) = events(recorder, "replaced")
    assert (event.name, event.value, event.modules) == ("head.weight", "exchanged", ((0, "head.weight"),))


def test_a_library_that_rebuilds_its_own_children_replaces_nothing() -> None:
    with observed() as recorder:
        copy.deepcopy(net())
        nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    assert "replaced" not in kinds(recorder)
