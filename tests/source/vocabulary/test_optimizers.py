"""Optimizers as the source reader imitates them: groups, defaults, steps, movement."""

import inspect

import pytest
import torch

from freezelint.source.interpreter.values import Optimizer
from freezelint.source.semantics.optimizer_classes import TORCH
from tests.source.reading import read_source, traced, value_of, variables

MODEL = """
import itertools
import torch
from torch import nn, optim
from torch.optim import SGD, Adam, AdamW
model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
"""
STEP = """
loss = model(torch.ones(1, 4)).sum()
loss.backward()
optimizer.step()
"""


def optimizer_of(text: str) -> Optimizer:
    made = value_of(MODEL + text, "optimizer")
    assert isinstance(made, Optimizer)
    return made


def sizes(optimizer: Optimizer) -> list[int]:
    return [len(group["params"]) for group in optimizer.groups]


# -- defaults ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(TORCH))
def test_arguments_and_defaults_are_those_of_torch(name: str) -> None:
    signature = inspect.signature(getattr(torch.optim, name).__init__).parameters
    for position, (field, default) in enumerate(TORCH[name].fields):
        assert signature[field].default == default, field
        assert list(signature)[position + 2] == field


def test_every_class_of_torch_is_known() -> None:
    classes = {n for n, c in vars(torch.optim).items() if inspect.isclass(c) and n != "Optimizer"}
    assert classes == set(TORCH)


# -- what is handed over -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        "model.parameters()",
        "list(model.parameters())",
        "filter(lambda p: p.requires_grad, model.parameters())",
        "(p for p in model.parameters())",
        "[p for n, p in model.named_parameters() if p.requires_grad]",
        "itertools.chain(model[0].parameters(), model[2].parameters())",
        "model.named_parameters()",
        "tuple(dict(model.named_parameters()).values())",
    ],
)
def test_all_usual_ways_to_hand_over_parameters(given: str) -> None:
    made = optimizer_of(f"optimizer = SGD({given}, lr=0.1)")
    assert made.complete
    assert sizes(made) == [4]
    assert made.groups[0]["lr"] == 0.1


def test_groups_keep_their_own_settings_and_get_the_defaults() -> None:
    groups = "[{'params': model[0].parameters(), 'lr': 1e-5}, {'params': model[2].weight}]"
    made = optimizer_of(f"optimizer = AdamW({groups}, lr=1e-3)")
    assert sizes(made) == [2, 1]
    assert [group["lr"] for group in made.groups] == [1e-5, 1e-3]
    assert [group["weight_decay"] for group in made.groups] == [0.01, 0.01]


def test_an_unknown_iterable_leaves_it_incomplete() -> None:
    assert not optimizer_of("optimizer = SGD(something(), lr=0.1)").complete
    assert not optimizer_of("optimizer = SGD([*model.parameters(), *extra()], lr=0.1)").complete


@pytest.mark.parametrize(
    "made",
    [
        "getattr(torch.optim, 'Adam')(model.parameters())",
        "optim.__dict__['Adam'](model.parameters())",
        "vars(optim)['Adam'](model.parameters())",
        "{'adam': optim.Adam, 'sgd': SGD}['adam'](params=model.parameters())",
        "torch.optim.adam.Adam(model.parameters())",
    ],
)
def test_a_class_that_is_looked_up(made: str) -> None:
    assert optimizer_of(f"optimizer = {made}").class_name == "Adam"


@pytest.mark.parametrize(
    ("source", "made", "rate"),
    [
        ("from transformers import AdamW as Own", "Own(model.parameters())", 1e-3),
        ("import bitsandbytes as bnb", "bnb.optim.AdamW8bit(model.parameters(), lr=2e-4)", 2e-4),
        ("from lion_pytorch import Lion", "Lion(model.parameters())", 1e-4),
        ("from apex.optimizers import FusedAdam", "FusedAdam(model.parameters(), 0.01)", 0.01),
        ("from timm.optim import create_optimizer_v2", "create_optimizer_v2(model, 'adamw', lr=0.02)", 0.02),
        ("import torch_optimizer as extra", "extra.AdaBelief(model.parameters(), lr=0.5)", 0.5),
        ("from nowhere import Ranger", "Ranger(model.parameters(), lr=0.5)", 0.5),
    ],
)
def test_optimizers_of_other_libraries(source: str, made: str, rate: float) -> None:
    optimizer = optimizer_of(f"{source}\noptimizer = {made}")
    assert optimizer.groups[0]["lr"] == rate
    assert optimizer.complete
    assert sum(sizes(optimizer)) == 4


def test_timm_splits_by_weight_decay_and_leaves_out_what_is_frozen() -> None:
    made = optimizer_of(
        "from timm.optim import create_optimizer_v2\n"
        "model[0].requires_grad_(False)\n"
        "optimizer = create_optimizer_v2(model, 'sgd', lr=0.1, weight_decay=0.05)"
    )
    assert sizes(made) == [1, 1]
    assert [group["weight_decay"] for group in made.groups] == [0.0, 0.05]


def test_a_factory_that_nobody_knows_gives_an_incomplete_optimizer() -> None:
    made = optimizer_of("from nowhere import build_optimizer\noptimizer = build_optimizer(model, lr=0.1)")
    assert not made.complete
    assert not made.groups


# -- events --------------------------------------------------------------------------------------------------


def test_building_and_extending_are_events() -> None:
    trace = traced(
        MODEL
        + "optimizer = SGD(model[2].parameters(), lr=0.1)\n"
        + "optimizer.add_param_group({'params': model[0].parameters(), 'lr': 0.01})\n"
        + STEP
    )
    (built,) = trace.events_of("optimizer-built")
    (added,) = trace.events_of("group-added")
    assert (built.optimizer, len(built.parameters), len(added.parameters)) == (0, 2, 2)
    (known,) = trace.optimizers
    assert (known.built, known.added) == (built.index, (added.index,))
    assert len(known.groups) == 1
    state = trace.completed[0].stepping
    assert state is not None
    assert [group.lr for group in state.groups] == [0.1, 0.01]


def test_a_spent_iterator_is_reported_and_refused() -> None:
    trace = traced(
        MODEL
        + "wanted = filter(lambda p: p.requires_grad, model.parameters())\n"
        + "print(sum(p.numel() for p in wanted))\n"
        + "optimizer = SGD(wanted, lr=0.1)\n"
    )
    assert [event.name for event in trace.events_of("iterator-exhausted")] == ["SGD"]
    assert [event.value for event in trace.events_of("optimizer-built")] == ["refused"]


def test_an_empty_list_is_refused_where_the_parameters_are_known() -> None:
    wanted = "[p for p in model.parameters() if p.requires_grad]"
    trace = traced(MODEL + f"model.requires_grad_(False)\noptimizer = SGD({wanted}, lr=0.1)\n")
    assert [event.value for event in trace.events_of("optimizer-built")] == ["refused"]
    assert [step.phase for step in trace.steps] == ["optimizer-built"]


def test_rates_written_by_hand_are_told_before_the_next_step() -> None:
    trace = traced(
        MODEL
        + "parts = [(model[0], 0.1), (model[2], 1.0)]\n"
        + "groups = [{'params': part.parameters(), 'lr': lr} for part, lr in parts]\n"
        + "optimizer = SGD(groups)\n"
        + "for group in optimizer.param_groups:\n"
        + "    group['lr'] = 0.5\n"
        + STEP
    )
    (event,) = trace.events_of("rates-set")
    assert event.location is not None
    assert event.location.line == 11
    (change,) = trace.rate_changes
    assert (change.changed, change.rates, change.equal) == ((True, True), (0.5, 0.5), True)


# -- steps ---------------------------------------------------------------------------------------------------


def moved(text: str) -> list[bool | None]:
    """What the last step says of each parameter of the model, in order."""
    trace = traced(MODEL + text)
    step = trace.completed[-1]
    return [step.parameters[parameter].moved for parameter in trace.models[0].parameters]


def test_what_has_a_gradient_moves() -> None:
    assert moved("optimizer = SGD(model.parameters(), lr=0.1)" + STEP) == [True] * 4


def test_what_is_frozen_from_the_start_does_not_move_even_with_weight_decay() -> None:
    text = (
        "model[0].requires_grad_(False)\noptimizer = AdamW(model.parameters(), lr=0.1, weight_decay=0.1)"
        + STEP
    )
    assert moved(text) == [False, False, True, True]


def test_a_cleared_gradient_does_not_move() -> None:
    text = (
        "optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)" + STEP + "optimizer.zero_grad()\n"
        "model[0].requires_grad_(False)" + STEP
    )
    assert moved(text) == [False, False, True, True]


@pytest.mark.parametrize(
    ("made", "moves"),
    [
        ("SGD(model.parameters(), lr=0.1)", False),
        ("SGD(model.parameters(), lr=0.1, momentum=0.9)", True),
        ("SGD(model.parameters(), lr=0.1, weight_decay=0.1)", True),
        ("Adam(model.parameters())", True),
        ("optim.Adagrad(model.parameters())", False),
        ("optim.RMSprop(model.parameters())", False),
        ("optim.RMSprop(model.parameters(), momentum=0.9)", True),
        ("optim.Rprop(model.parameters())", False),
        ("optim.Adadelta(model.parameters())", False),
        ("optim.ASGD(model.parameters())", True),
        ("optim.Adamax(model.parameters())", True),
        ("optim.NAdam(model.parameters())", True),
        ("optim.RAdam(model.parameters())", True),
        ("optim.Adafactor(model.parameters())", False),
        ("SGD(model.parameters(), lr=0.0, momentum=0.9)", False),
    ],
)
def test_a_gradient_of_zeros_moves_what_has_inertia_as_in_torch(made: str, moves: bool) -> None:
    zeroed = "optimizer.zero_grad(set_to_none=False)\nmodel[0].requires_grad_(False)\n"
    text = f"optimizer = {made}" + STEP + zeroed + STEP
    assert moved(text)[:2] == [moves, moves]

    scope: dict[str, object] = {}
    before = "first = model[0].weight.detach().clone()\n"
    exec(MODEL + f"optimizer = {made}" + STEP + zeroed + before + STEP, scope)
    model, first = scope["model"], scope["first"]
    assert isinstance(model, torch.nn.Sequential)
    assert isinstance(first, torch.Tensor)
    (weight, *_) = model.parameters()
    assert (not torch.equal(weight, first)) is moves


def test_a_closure_runs_before_the_step() -> None:
    text = (
        "optimizer = optim.LBFGS(model.parameters())\n"
        "def closure():\n"
        "    optimizer.zero_grad()\n"
        "    loss = model(torch.ones(1, 4)).sum()\n"
        "    loss.backward()\n"
        "    return loss\n"
        "optimizer.step(closure)\n"
    )
    assert moved(text) == [True] * 4


SAM = """
class SAM(torch.optim.Optimizer):
    def __init__(self, params, base_optimizer, rho=0.05, **kwargs):
        super().__init__(params, dict(rho=rho, **kwargs))
        self.base_optimizer = base_optimizer(self.param_groups, **kwargs)
        self.param_groups = self.base_optimizer.param_groups

    @torch.no_grad()
    def first_step(self, zero_grad=False):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                p.add_(p.grad)
        if zero_grad:
            self.zero_grad()

    @torch.no_grad()
    def second_step(self, zero_grad=False):
        self.base_optimizer.step()
        if zero_grad:
            self.zero_grad()

    @torch.no_grad()
    def step(self, closure=None):
        self.first_step(zero_grad=True)
        with torch.enable_grad():
            closure()
        self.second_step()

optimizer = SAM(model.parameters(), SGD, lr=0.1, momentum=0.9)
loss = model(torch.ones(1, 4)).sum()
loss.backward()
"""


def test_a_step_inside_a_step_is_one_step() -> None:
    again = "optimizer.step(lambda: model(torch.ones(1, 4)).sum().backward())\n"
    trace = traced(MODEL + SAM + again)
    assert len(trace.completed) == 1
    assert [known.class_name for known in trace.optimizers] == ["SAM"]
    assert [step.parameters[0].moved for step in trace.completed] == [True]


def test_an_inner_optimizer_that_is_stepped_by_itself_counts_for_the_outer_one() -> None:
    trace = traced(
        MODEL + SAM + "optimizer.first_step(zero_grad=True)\noptimizer.second_step(zero_grad=True)\n"
    )
    assert len(trace.completed) == 1
    assert [known.class_name for known in trace.optimizers] == ["SAM"]


def test_a_class_of_the_script_that_extends_one_of_torch() -> None:
    text = """
class Slow(torch.optim.SGD):
    def __init__(self, params, lr):
        super().__init__(params, lr=lr / 10, momentum=0.9)

    def step(self, closure=None):
        super().step(closure)

optimizer = Slow(model.parameters(), 1.0)
"""
    trace = traced(MODEL + text + STEP)
    (known,) = trace.optimizers
    assert (known.class_name, known.groups[0].lr, known.groups[0].momentum) == ("Slow", 0.1, 0.9)
    assert len(trace.completed) == 1
    assert trace.completed[0].parameters[0].moved is True


def test_state_is_kept_for_what_was_stepped() -> None:
    text = "optimizer = Adam(model[2].parameters())" + STEP
    machine = read_source(MODEL + text + "count = len(optimizer.state)\n")
    assert variables(machine)["count"] == 2
    trace = traced(MODEL + text)
    state = trace.completed[0].stepping
    assert state is not None
    assert len(state.state or ()) == 2
    assert trace.optimizers[0].state_at_start == ()


def test_loaded_state_is_not_known() -> None:
    trace = traced(
        MODEL + "optimizer = Adam(model.parameters())\noptimizer.load_state_dict(torch.load('x'))" + STEP
    )
    assert trace.optimizers[0].state_at_start is None
