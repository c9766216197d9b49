"""Modules as they run: order and mode, with or without gradients, and what autograd keeps for them."""

from __future__ import annotations

import copy
from collections import namedtuple

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from freezelint.evidence import ModuleState
from freezelint.live.watchers.forwards import tensors_in
from tests.live.observing import observed, step


class Net(nn.Module):
    """Its layers run in another order than they are defined."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 1)
        self.body = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4))
        self.spare = nn.Linear(2, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.head(self.body(inputs))
        return result


def states_of(model: nn.Module, inputs: torch.Tensor | None = None) -> dict[str, ModuleState]:
    """The state of every module in one training step."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1)
    with observed() as recorder:
        recorder.watch(model, optimizer)
        step(model, optimizer, torch.randn(3, 2) if inputs is None else inputs)
        return recorder.trace().steps[0].modules[0]


def test_order_is_that_of_execution() -> None:
    states = states_of(Net())
    ran = sorted((state.order, path) for path, state in states.items() if state.order is not None)
    assert [path for _, path in ran] == ["", "body", "body.0", "body.1", "head"]
    assert (states["spare"].ran, states["spare"].order) == (False, None)


def test_modes_are_those_of_the_call() -> None:
    model = Net()
    model.body[1].eval()
    states = states_of(model)
    assert [states[path].training for path in ("body.0", "body.1", "spare")] == [True, False, True]


def test_a_mode_that_is_changed_after_the_call() -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with observed() as recorder:
        recorder.watch(model, optimizer)
        loss = model(torch.randn(3, 2)).mean()
        model.eval()
        loss.backward()
        optimizer.step()
    assert recorder.trace().steps[0].modules[0]["body.1"].training is True


def test_a_validation_before_the_step_says_nothing_about_its_mode() -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with observed() as recorder:
        recorder.watch(model, optimizer)
        model.eval()
        with torch.no_grad():
            model(torch.randn(3, 2))
        model.train()
        step(model, optimizer, torch.randn(3, 2))
    state = recorder.trace().steps[0].modules[0]["body.1"]
    assert (state.training, state.with_gradient, state.without_gradient) == (True, True, False)


def test_gradients_through_inputs_and_outputs() -> None:
    model = Net()
    model.body.requires_grad_(False)
    states = states_of(model)
    flows = {path: (s.input_requires_grad, s.output_requires_grad) for path, s in states.items() if s.ran}
    assert flows == {
        "": (False, True),
        "body": (False, False),
        "body.0": (False, False),
        "body.1": (False, False),
        "head": (False, True),
    }


def test_a_part_that_runs_without_gradients() -> None:
    class Featurised(Net):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                features = self.body(inputs)
            result: torch.Tensor = self.head(features)
            return result

    states = states_of(Featurised())
    assert (states["body"].with_gradient, states["body"].without_gradient) == (False, True)
    assert (states["head"].with_gradient, states["head"].without_gradient) == (True, False)


def test_a_module_that_runs_twice_has_its_first_place() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.head = nn.Linear(2, 2), nn.Linear(2, 1)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.head(self.layer(self.layer(inputs)))
            return result

    states = states_of(Twice())
    assert (states["layer"].order, states["head"].order) == (1, 2)
    assert states["layer"].input_requires_grad is True


def test_a_module_list_ran_where_its_items_ran() -> None:
    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            for layer in self.layers:
                inputs = layer(inputs)
            return inputs

    model = Listed()
    model.layers[0].requires_grad_(False)
    state = states_of(model)["layers"]
    assert (state.ran, state.order) == (True, 1)
    assert (state.input_requires_grad, state.output_requires_grad) == (False, True)


# --- running statistics ---


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        (lambda norm: norm, True),
        (lambda norm: norm.eval(), False),
        (lambda norm: setattr(norm, "momentum", 0.0), False),
        (lambda norm: setattr(norm, "momentum", None), True),
        (lambda norm: norm.to(torch.float64), True),
        (lambda norm: norm.requires_grad_(False), True),
    ],
    ids=["train", "eval", "momentum 0", "cumulative", "double", "frozen"],
)
def test_statistics_move_in_train_mode(change: object, moved: bool) -> None:
    model = Net()
    change(model.body[1])  # type: ignore[operator]
    model.to(next(model.body[1].parameters()).dtype)
    assert states_of(model, torch.randn(3, 2).to(model.head.weight.dtype))["body.1"].statistics_moved is moved


def test_layers_without_statistics_have_none_to_move() -> None:
    model = nn.Sequential(nn.LayerNorm(2), nn.BatchNorm1d(2, track_running_stats=False), nn.Linear(2, 1))
    states = states_of(model)
    assert [states[path].statistics_moved for path in ("0", "1", "2")] == [None, None, None]


def test_a_copy_of_a_layer_has_its_own_statistics() -> None:
    model = nn.ModuleDict({"student": Net(), "teacher": copy.deepcopy(Net()).eval()})
    optimizer = torch.optim.SGD(model["student"].parameters(), lr=0.1)
    with observed() as recorder:
        recorder.watch(model, optimizer)
        for _ in range(2):
            with torch.no_grad():
                target = model["teacher"](torch.randn(3, 2))
            (model["student"](torch.randn(3, 2)) - target).square().mean().backward()
            optimizer.step()
    states = recorder.trace().steps[1].modules[0]
    assert states["student.body.1"].statistics_moved is True
    assert states["teacher.body.1"].statistics_moved is False


# --- what does not count ---


@pytest.mark.parametrize("reentrant", [True, False])
def test_recomputation_in_a_checkpoint_is_not_another_call(reentrant: bool) -> None:
    class Checkpointed(Net):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.head(checkpoint(self.body, inputs, use_reentrant=reentrant))
            return result

    states = states_of(Checkpointed(), torch.randn(3, 2, requires_grad=True))
    assert states["body.0"].with_gradient is True
    assert states["body.0"].without_gradient is False
    assert states["body.0"].order is not None
    assert states["head"].order is not None
    assert states["body.0"].order < states["head"].order


def test_a_forward_that_raises_leaves_nothing_behind() -> None:
    model = Net()
    with observed() as recorder:
        with pytest.raises(RuntimeError):
            model(torch.randn(3, 99))
        assert recorder.forwards._stack == []
        model(torch.randn(3, 2))
        assert list(recorder.forwards.roots.values()) == [model]


def test_torch_sees_the_same_results() -> None:
    model = Net().eval()
    inputs = torch.randn(3, 2)
    plain = model(inputs)
    with observed():
        assert torch.equal(model(inputs), plain)


# --- memory ---


def test_memory_is_measured_where_something_trainable_is_in_no_optimizer() -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
    with observed() as recorder:
        recorder.watch(model, optimizer)
        step(model, optimizer, torch.randn(30, 2))
    states = recorder.trace().steps[0].modules[0]
    assert states["body.0"].saved_bytes == 30 * 2 * 4
    assert (states["body.1"].saved_bytes or 0) >= 30 * 4 * 4


def test_memory_is_not_measured_where_everything_is_in_order() -> None:
    assert {state.saved_bytes for state in states_of(Net()).values() if state.ran} == {None}


def test_tensors_are_found_in_what_modules_return() -> None:
    pair = namedtuple("pair", "first second")
    one, two, three = torch.zeros(3)
    assert list(tensors_in((one, None, "text", [two], {"key": three}))) == [one, two, three]
    assert list(tensors_in((pair(one, {"deep": two}),))) == [one, two]
