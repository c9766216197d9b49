"""Cuts of the graph, losses that reach nothing, checkpoints, and inputs whose gradient somebody wants."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from freezelint.evidence import GradientLeaf
from tests.live.observing import events, kinds, line_of, names, observed, step


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(2, 3), nn.Linear(3, 1)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.head(self.body(inputs))
        return result


# --- cuts ---


@pytest.mark.parametrize("cut", [lambda t: t.detach(), lambda t: t.data], ids=["detach", "data"])
def test_a_cut_knows_the_parameters_behind_it(cut: Callable[[torch.Tensor], torch.Tensor]) -> None:
    model = Net()
    with observed() as recorder:
        recorder.watch(model)
        hidden = cut(model.body(torch.ones(1, 2)))
        model.head(hidden).sum().backward()
        (event,) = events(recorder, "detached")
        assert sorted(names(recorder.trace(), event.parameters)) == ["body.bias", "body.weight"]


def test_what_lies_before_an_earlier_cut_is_not_behind_a_later_one() -> None:
    model = Net()
    with observed() as recorder:
        recorder.watch(model)
        model.head(model.body(torch.ones(1, 2)).detach()).detach()
        first, second = events(recorder, "detached")
        assert sorted(names(recorder.trace(), first.parameters)) == ["body.bias", "body.weight"]
        assert sorted(names(recorder.trace(), second.parameters)) == ["head.bias", "head.weight"]


def test_detaching_what_has_no_graph_cuts_nothing() -> None:
    model = Net()
    with observed() as recorder:
        torch.ones(2).detach()
        model.body.weight.detach()
        with torch.no_grad():
            model(torch.ones(1, 2)).detach()
    assert kinds(recorder) == []


def test_cuts_inside_libraries_are_theirs() -> None:
    with observed() as recorder:
        model = Net()
        step(model, torch.optim.Adam(model.parameters(), weight_decay=0.1), torch.ones(1, 2))
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    assert "detached" not in kinds(recorder)


def test_detaching_for_a_log_in_a_loop_is_looked_at_a_few_times_only() -> None:
    model = Net()
    with observed() as recorder:
        loss = model(torch.ones(1, 2))
        for _ in range(100):
            loss.detach()
    assert kinds(recorder).count("detached") == 20


# --- backward ---


def test_a_backward_is_an_event_at_its_statement() -> None:
    model = Net()
    with observed() as recorder:
        model(torch.ones(1, 2)).sum().backward()  # here
    (event,) = recorder.trace().events
    assert (event.kind, line_of(event.location)) == (
        "backward",
        "model(torch.ones(1, 2)).sum().backward()  # here",
    )
    assert recorder.graph.loss_reaches_nothing is False


def test_a_loss_that_is_a_leaf_reaches_nothing() -> None:
    model = Net()
    with observed() as recorder:
        loss = torch.tensor(float(model(torch.ones(1, 2))), requires_grad=True)  # rebuilt
        loss.backward()
        (event,) = events(recorder, "gradient-forced")
    assert recorder.graph.loss_reaches_nothing is True
    assert line_of(event.location).endswith("# rebuilt")


def test_a_loss_without_a_graph_keeps_the_evidence() -> None:
    with observed() as recorder:
        model = Net().requires_grad_(False)
        recorder.watch(model, torch.optim.SGD(model.parameters(), lr=0.1))
        with pytest.raises(RuntimeError, match="does not require grad"):
            model(torch.ones(1, 2)).sum().backward()
    (state,) = recorder.trace().steps
    assert state.phase == "backward"
    assert all(parameter.trainable is False for parameter in state.parameters.values())


def test_an_ordinary_failure_in_backward_is_passed_on() -> None:
    model = Net()
    with observed() as recorder:
        loss = model(torch.ones(1, 2)).sum()
        loss.backward()
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()
    assert recorder.trace().steps == ()
    assert recorder.graph.in_backward is False


def test_a_gradient_of_a_gradient() -> None:
    model = Net()
    inputs = torch.ones(1, 2, requires_grad=True)
    with observed() as recorder:
        (gradient,) = torch.autograd.grad(model(inputs).square().sum(), inputs, create_graph=True)
        assert recorder.graph.in_backward is False
        gradient.square().sum().backward()
    assert kinds(recorder) == ["backward"]


# --- checkpoints ---


@pytest.mark.parametrize(
    ("reentrant", "inputs_require_grad", "expected"),
    [(True, False, 1), (True, True, 0), (False, False, 0), (False, True, 0)],
)
def test_a_reentrant_checkpoint_over_inputs_without_gradient(
    reentrant: bool, inputs_require_grad: bool, expected: int
) -> None:
    model = Net()
    inputs = torch.ones(1, 2, requires_grad=inputs_require_grad)
    with observed() as recorder:
        hidden = checkpoint(model.body, inputs, use_reentrant=reentrant)
        model.head(hidden).sum().backward()
    assert kinds(recorder).count("checkpointed") == expected


def test_what_runs_inside_a_cut_checkpoint_is_marked() -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with observed() as recorder:
        recorder.watch(model, optimizer)
        model.head(checkpoint(model.body, torch.ones(1, 2), use_reentrant=True)).sum().backward()
        optimizer.step()
    states = recorder.trace().steps[0].modules[0]
    assert (states["body"].cut_by_checkpoint, states["head"].cut_by_checkpoint) == (True, False)


# --- inputs that require grad ---


def leaves(use: Callable[[torch.Tensor], object], steps: int = 2) -> list[GradientLeaf]:
    """What is known about an input that requires grad, after `use` of it in each step and the step after."""
    model = Net()
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
    with observed() as recorder:
        recorder.watch(model, optimizer)
        for _ in range(steps):
            inputs = torch.ones(1, 2, requires_grad=True)
            optimizer.zero_grad()
            model(inputs).square().mean().backward()
            use(inputs)
            optimizer.step()
        return [leaf for state in recorder.trace().steps for leaf in state.leaves]


def test_an_input_whose_gradient_nobody_reads() -> None:
    assert [leaf.used for leaf in leaves(lambda _: None, steps=4)] == [False, False]


def test_whether_the_gradient_is_read_is_unknown_until_the_next_step() -> None:
    assert [leaf.used for leaf in leaves(lambda _: None, steps=1)] == [None]


def test_an_input_whose_gradient_is_read() -> None:
    assert [leaf.used for leaf in leaves(lambda inputs: inputs.grad, steps=4)] == [True, True]


def test_a_gradient_taken_by_the_grad_function() -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with observed() as recorder:
        recorder.watch(model, optimizer)
        inputs = torch.ones(1, 2, requires_grad=True)
        loss = model(inputs).square().mean()
        torch.autograd.grad(loss, inputs, retain_graph=True)
        loss.backward()
        optimizer.step()
        assert [leaf.used for leaf in recorder.trace().steps[0].leaves] == [True]


def test_an_input_that_is_optimised_itself() -> None:
    model = Net().requires_grad_(False)
    image = torch.ones(1, 2, requires_grad=True)
    optimizer = torch.optim.SGD([image], lr=0.1)
    with observed() as recorder:
        recorder.watch(model, optimizer)
        step(model, optimizer, image)
        (leaf,) = recorder.trace().steps[0].leaves
    assert (leaf.used, leaf.shape, leaf.model) == (True, (1, 2), 0)


def test_parameters_and_hidden_states_are_no_such_inputs() -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with observed() as recorder:
        recorder.watch(model, optimizer)
        step(model, optimizer, torch.ones(1, 2))
        assert recorder.trace().steps[0].leaves == ()
