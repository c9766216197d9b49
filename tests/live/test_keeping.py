"""What `Kept` brings back, however oddly it is held."""

from __future__ import annotations

import copy
from collections import deque
from typing import Any

import pytest
import torch
from torch import nn

from freezelint.errors import BadInputError
from freezelint.live.keeping import Kept

BATCH = torch.arange(24.0).reshape(8, 3) / 24


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 2) -> None:
    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss: torch.Tensor = (model(BATCH) - BATCH.sum(1, keepdim=True)).square().mean()
        loss.backward()
        return loss

    for _ in range(steps):
        closure()
        optimizer.step(closure)


def sgd(model: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


class Masked(nn.Module):
    """Its buffer is one row of memory that stands for four."""

    def __init__(self, mask: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)
        self.norm = nn.BatchNorm1d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.norm(x)
        return result


@pytest.mark.parametrize(
    "mask",
    [
        torch.ones(3).expand(4, 3),
        torch.ones(()).expand(4, 3),
        torch.arange(6.0).as_strided((4, 3), (1, 1)),
        torch.eye(3).to_sparse(),
    ],
    ids=["a row", "a number", "overlapping rows", "sparse"],
)
def test_buffers_that_do_not_own_each_of_their_values(mask: torch.Tensor) -> None:
    model = Masked(mask)
    kept, before = Kept(model, sgd(model)), copy.deepcopy(model.state_dict())
    if mask.is_sparse:
        mask.mul_(3)
    else:
        torch.empty(0).set_(mask.untyped_storage()).mul_(3)
    train(model, sgd(model))
    kept.restore()
    for name, value in model.state_dict().items():
        assert torch.equal(value.to_dense(), before[name].to_dense()), name
    assert model.mask is mask


def test_a_gradient_that_is_expanded() -> None:
    model = nn.Linear(3, 1)
    model.weight.grad = torch.ones(()).expand(1, 3)
    kept = Kept(model, sgd(model))
    train(model, sgd(model))
    kept.restore()
    assert torch.equal(model.weight.grad, torch.ones(1, 3))


def test_one_failure_keeps_nothing_else_from_being_brought_back() -> None:
    class Sealed(dict[str, int]):
        def clear(self) -> None:
            raise KeyError("sealed")

    model = nn.Linear(3, 1)
    optimizer = sgd(model)
    optimizer.state[model.weight]["sealed"] = Sealed(one=1)
    random = torch.get_rng_state()
    kept = Kept(model, optimizer)
    train(model, optimizer)
    torch.rand(1)
    with pytest.raises(KeyError, match="sealed"):
        kept.restore()
    assert model.weight.grad is None
    assert list(optimizer.state[model.weight]) == ["sealed"]
    assert torch.equal(torch.get_rng_state(), random)


def test_the_history_that_lbfgs_keeps_in_lists() -> None:
    model = nn.Linear(3, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)
    train(model, optimizer, 1)
    state = optimizer.state[model.weight]
    directions, before = state["old_dirs"], copy.deepcopy(dict(state))
    kept = Kept(model, optimizer)
    train(model, optimizer)
    assert len(directions) > len(before["old_dirs"])
    kept.restore()
    assert state["old_dirs"] is directions
    assert state["n_iter"] == before["n_iter"]
    for one, other in zip(directions, before["old_dirs"], strict=True):
        assert torch.equal(one, other)


def test_a_state_of_any_shape() -> None:
    class Counting(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            self.state["steps"] = self.state.get("steps", 0) + 1
            self.state["nested"]["pair"][0].add_(1)
            self.state["nested"]["recent"].append(self.state["steps"])
            return super().step(closure)

    model = nn.Linear(3, 1)
    optimizer = Counting(model.parameters(), lr=0.1)
    optimizer.state["nested"] = {"pair": (torch.zeros(2), "text"), "recent": deque([0], maxlen=3)}
    kept = Kept(model, optimizer)
    train(model, optimizer)
    kept.restore()
    assert list(optimizer.state) == ["nested"]
    assert optimizer.state["nested"]["pair"][0].tolist() == [0, 0]
    assert optimizer.state["nested"]["recent"] == deque([0], maxlen=3)


def test_groups_and_state_that_were_exchanged() -> None:
    model = nn.Linear(3, 1)
    optimizer = sgd(model)
    groups, state = optimizer.param_groups, optimizer.state
    kept = Kept(model, optimizer)
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.param_groups[0]["lr"] = 7
    kept.restore()
    assert optimizer.param_groups is groups
    assert optimizer.state is state
    assert groups[0]["lr"] == 0.1


def test_an_optimizer_inside_another() -> None:
    class Wrapping(torch.optim.Optimizer):
        """As SAM does it."""

        def __init__(self, parameters: Any) -> None:
            super().__init__(parameters, {})
            self.base_optimizer = torch.optim.SGD(self.param_groups, lr=0.1, momentum=0.9)
            self.param_groups = self.base_optimizer.param_groups

        def step(self, closure: Any = None) -> Any:
            return self.base_optimizer.step(closure)

    model = nn.Linear(3, 1)
    optimizer = Wrapping(model.parameters())
    kept = Kept(model, optimizer)
    train(model, optimizer)
    assert optimizer.base_optimizer.state
    kept.restore()
    assert not optimizer.base_optimizer.state


def test_a_scripted_child() -> None:
    model = nn.Sequential(torch.jit.script(nn.Linear(3, 3)), nn.Linear(3, 1))
    before = copy.deepcopy(model.state_dict())
    optimizer = sgd(model)
    kept = Kept(model, optimizer)
    train(model, optimizer)
    kept.restore()
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_lazy_module_is_refused_until_it_has_seen_a_batch() -> None:
    model = nn.Sequential(nn.LazyLinear(4), nn.Linear(4, 1))
    with pytest.raises(BadInputError, match=r"`0\.weight` belongs to a lazy module"):
        Kept(model, sgd(model))
    model(BATCH)
    Kept(model, sgd(model))
