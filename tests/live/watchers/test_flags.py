"""What user code writes to parameters and modules: freezes, misspelt ones, settings that look like some."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from freezelint.evidence import Location
from freezelint.live.watchers.flags import initialises, misspells_requires_grad
from tests.live.observing import events, kinds, line_of, names, observed


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))


def freeze_by_loop(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.requires_grad = False


def freeze_by_method_of_parameters(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.requires_grad_(False)


def freeze_by_setattr(model: nn.Module) -> None:
    for parameter in model.parameters():
        setattr(parameter, "requires_grad", False)  # noqa: B010


def freeze_by_method_of_the_module(model: nn.Module) -> None:
    model.requires_grad_(False)


def freeze_in_a_comprehension(model: nn.Module) -> None:
    _ = [parameter.requires_grad_(False) for parameter in model.parameters()]


WAYS = [
    freeze_by_loop,
    freeze_by_method_of_parameters,
    freeze_by_setattr,
    freeze_by_method_of_the_module,
    freeze_in_a_comprehension,
]


@pytest.mark.parametrize("freeze", WAYS)
def test_a_freeze_is_one_event_at_its_statement(freeze: Callable[[nn.Module], None]) -> None:
    model = net()
    with observed() as recorder:
        recorder.watch(model)
        freeze(model)
        (event,) = events(recorder, "frozen", "unfrozen")
        trace = recorder.trace()
    assert names(trace, event.parameters) == [name for name, _ in model.named_parameters()]
    assert event.location is not None
    assert event.location.function == freeze.__name__
    assert [line_of(call) for call in event.location.calls][:1] == ["freeze(model)"]
    assert all(recorder.flags.causes[parameter] == event.index for parameter in event.parameters)


def test_a_method_of_a_module_tells_which_module() -> None:
    model = net()
    with observed() as recorder:
        recorder.watch(model)
        model[0].requires_grad_(False)
        (event,) = events(recorder, "frozen")
    assert event.modules == ((0, "0"),)


def test_the_last_statement_is_the_cause() -> None:
    model = net()
    with observed() as recorder:
        model.requires_grad_(False)
        model[2].weight.requires_grad = True
    first, second = recorder.trace().events
    assert (first.kind, second.kind) == ("frozen", "unfrozen")
    causes = recorder.flags.causes
    assert causes[recorder.ledger.entry(model[2].weight).id] == second.index
    assert causes[recorder.ledger.entry(model[2].bias).id] == first.index


def test_a_freeze_of_what_is_frozen_is_told_too() -> None:
    model = net().requires_grad_(False)
    with observed() as recorder:
        model.requires_grad_(False)
    assert kinds(recorder) == ["frozen"]


def test_a_tied_weight_is_one_parameter() -> None:
    model = nn.ModuleDict({"embedding": nn.Embedding(5, 3), "decoder": nn.Linear(3, 5, bias=False)})
    model["decoder"].weight = model["embedding"].weight
    with observed() as recorder:
        recorder.watch(model)
        model["embedding"].requires_grad_(False)
        (event,) = events(recorder, "frozen")
        assert recorder.trace().parameters[event.parameters[0]].paths == (
            "embedding.weight",
            "decoder.weight",
        )


def test_a_failing_freeze_is_no_event() -> None:
    hidden = nn.Linear(2, 2)(torch.ones(1, 2))
    with observed() as recorder, pytest.raises(RuntimeError):
        hidden.requires_grad = False
    assert kinds(recorder) == []


# --- tensors that are no parameters ---


def test_an_input_that_is_made_to_require_grad() -> None:
    with observed() as recorder:
        image = torch.zeros(1, 3)
        image.requires_grad = True
        (event,) = recorder.trace().events
        assert (event.kind, event.value) == ("gradient-forced", "(1, 3)")
        assert recorder.flags.forced_by(image) == event.index
        assert recorder.flags.forced_by(torch.zeros(1, 3)) is None


def test_an_input_that_is_made_not_to_require_grad_is_nothing() -> None:
    with observed() as recorder:
        torch.zeros(1, 3).requires_grad_(False)
    assert kinds(recorder) == []


# --- freezes that nothing reads ---


@pytest.mark.parametrize(
    ("name", "misspelt"),
    [
        ("requires_grad", False),
        ("grad", False),
        ("grad_fn", False),
        ("retains_grad", False),
        ("gradient_checkpointing", False),
        ("is_leaf", False),
        ("require_grad", True),
        ("requires_grads", True),
        ("required_grad", True),
        ("requireds_grad", True),
        ("requiers_grad", True),
        ("Requires_grad", True),
        ("requires_gradient", True),
    ],
)
def test_what_can_only_be_meant_as_requires_grad(name: str, misspelt: bool) -> None:
    assert misspells_requires_grad(name) is misspelt


def test_a_misspelt_attribute_of_parameters() -> None:
    model = net()
    with observed() as recorder:
        for parameter in model.parameters():
            parameter.require_grad = False  # type: ignore[attr-defined]
    (event,) = recorder.trace().events
    assert (event.kind, event.name, event.value) == ("no-effect", "require_grad", "False")
    assert len(event.parameters) == 6


@pytest.mark.parametrize("name", ["requires_grad", "requires_grad_", "require_grad"])
def test_an_attribute_of_a_module_freezes_nothing(name: str) -> None:
    model = net()
    with observed() as recorder:
        recorder.watch(model)
        setattr(model[0], name, False)
        (event,) = events(recorder, "no-effect")
    assert (event.name, event.modules, len(event.parameters)) == (name, ((0, "0"),), 2)


def test_a_setting_of_the_class_itself_is_its_own_business() -> None:
    class Switched(nn.Linear):
        def __init__(self) -> None:
            super().__init__(2, 2)
            self.requires_grad = True

        def freeze(self) -> None:
            self.requires_grad = False

    class WithProperty(nn.Linear):
        @property
        def requires_grad(self) -> bool:
            return self.weight.requires_grad

        @requires_grad.setter
        def requires_grad(self, value: bool) -> None:
            self.weight.requires_grad_(value)

    with observed() as recorder:
        Switched().freeze()
        assert kinds(recorder) == []
        WithProperty(2, 2).requires_grad = False
        assert kinds(recorder) == ["frozen"]


def test_gradients_and_buffers_are_no_freezes() -> None:
    model = net()
    with observed() as recorder:
        model[0].weight.grad = None
        model.gradient = torch.zeros(1)
        model.gradient_checkpointing = True
    assert kinds(recorder) == []


# --- settings of norm layers ---


def test_momentum_and_tracking_set_on_an_existing_layer() -> None:
    with observed() as recorder:
        model = net()
        recorder.watch(model)
        model[1].momentum = 0.0
        model[1].track_running_stats = False
        found = events(recorder, "norm-set")
    assert [(event.name, event.value, event.modules) for event in found] == [
        ("momentum", "0.0", ((0, "1"),)),
        ("track_running_stats", "False", ((0, "1"),)),
    ]


def test_a_constructor_sets_no_norm() -> None:
    with observed() as recorder:
        nn.BatchNorm2d(4, momentum=0.0, track_running_stats=False)
        nn.SyncBatchNorm(4)
    assert kinds(recorder) == []


def test_statements_that_only_initialise() -> None:
    parameter = nn.Linear(2, 2).weight
    source = {
        "parameter.data.normal_()": True,
        "parameter.data.fill_(0.01)": True,
        "parameter.data.normal_().mul_(0.02)": True,
        "nn.init.xavier_uniform_(parameter.data)": True,
        "parameter.data = stored": False,
        "parameter.data.copy_(stored)": False,
        "parameter.data.zero_().add_(stored)": False,
        "parameter.data.mul_(0)": False,
        "parameter.data.zero_(); parameter.data += stored": False,
    }
    assert parameter is not None
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    for statement, expected in source.items():
        line = next(number for number, text in enumerate(lines, 1) if f'"{statement}"' in text)
        assert initialises(__file__, Location("shown.py", line)) is expected


def test_a_tensor_with_gradients_switched_on_is_forgotten_with_the_tensor() -> None:
    with observed() as recorder:
        for _ in range(3):
            torch.zeros(2).requires_grad_(requires_grad=True)
        assert recorder.flags.forced == {}
        kept = torch.zeros(2).requires_grad_()
        assert recorder.flags.forced_by(kept) is not None
