"""The methods of modules as the source reader imitates them: names, flags, modes, registration, weights."""

from __future__ import annotations

from typing import Any

import pytest

from freezelint.evidence import Event
from freezelint.source.interpreter.values import Module, Parameter, Value
from tests.source.reading import read_source, traced, value_of, variables

NET = """
import copy
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.1))
        self.head = nn.Linear(3, 1)

    def forward(self, x):
        return self.head(self.body(x))

net = Net()
"""


def scope(source: str) -> dict[str, Value]:
    return variables(read_source(NET + source))


def events(source: str, *kinds: str) -> list[Event]:
    return [event for event in traced(NET + source).events if event.kind in kinds]


def flags(module: Module) -> dict[str, bool | None]:
    return {path: parameter.requires_grad for path, parameter in module.own_and_below()}


def modes(module: Module) -> dict[str, bool | None]:
    return {path: inner.training for path, inner in module.walk()}


# -- what is below ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (
            "[n for n, p in net.named_parameters()]",
            ["body.0.weight", "body.0.bias", "body.1.weight", "body.1.bias", "head.weight", "head.bias"],
        ),
        ("[n for n, p in net.named_parameters(prefix='m', recurse=False)]", []),
        ("[n for n, p in net.head.named_parameters('m')]", ["m.weight", "m.bias"]),
        ("len(list(net.parameters()))", 6),
        ("[n for n, _ in net.named_children()]", ["body", "head"]),
        ("[type(m).__name__ for m in net.children()]", ["Sequential", "Linear"]),
        ("[n for n, _ in net.named_modules()]", ["", "body", "body.0", "body.1", "body.2", "head"]),
        ("len(list(net.modules()))", 6),
        (
            "[n for n, _ in net.named_buffers()]",
            ["body.1.running_mean", "body.1.running_var", "body.1.num_batches_tracked"],
        ),
        ("net.get_submodule('body.0') is net.body[0]", True),
        ("net.get_parameter('head.bias') is net.head.bias", True),
        ("len(net.body)", 3),
        ("sorted(net._modules)", ["body", "head"]),
        ("sum(p.numel() for p in net.parameters() if p.requires_grad)", 2 * 3 + 3 + 3 + 3 + 3 + 1),
        ("list(net.state_dict())[:2]", ["body.0.weight", "body.0.bias"]),
        ("net.to('cuda').cuda().half() is net", True),
    ],
)
def test_what_is_below_a_module(expression: str, expected: Any) -> None:
    assert value_of(f"{NET}\nresult = {expression}") == expected


def test_tied_parameters_are_named_once_unless_told_otherwise() -> None:
    found = scope(
        """
net.again = net.head
once = [n for n, _ in net.named_parameters()]
twice = [n for n, _ in net.named_parameters(remove_duplicate=False)]
"""
    )
    assert "again.weight" not in found["once"]
    assert found["twice"][-2:] == ["again.weight", "again.bias"]


def test_an_iterator_of_parameters_is_spent_after_one_use() -> None:
    found = scope("params = net.parameters()\nfirst = list(params)\nsecond = list(params)\n")
    assert (len(found["first"]), len(found["second"])) == (6, 0)


# -- putting modules in place ----------------------------------------------------------------------


def test_what_a_constructor_puts_in_place_replaces_nothing() -> None:
    assert not events("", "replaced")


@pytest.mark.parametrize(
    ("statement", "name", "value"),
    [
        ("net.head = nn.Linear(3, 5)", "head", "exchanged"),
        ("net.body[0] = nn.Linear(2, 3)", "body.0", "exchanged"),
        ("net.extra = nn.Linear(3, 5)", "extra", "added"),
        ("net.add_module('extra', nn.Linear(3, 5))", "extra", "added"),
        ("net.body.append(nn.Linear(3, 3))", "body.3", "added"),
        ("setattr(net, 'head', nn.Linear(3, 5))", "head", "exchanged"),
        ("net.head.weight = nn.Parameter(torch.zeros(1, 3))", "head.weight", "exchanged"),
        ("net.set_submodule('body.0', nn.Linear(2, 3))", "body.0", "exchanged"),
    ],
)
def test_a_module_put_in_place_later_is_an_event(statement: str, name: str, value: str) -> None:
    (event,) = events(statement + "\nnet.requires_grad_(True)\n", "replaced")
    assert (event.name, event.value) == (name, value)
    assert event.parameters


def test_a_new_module_remembers_which_event_put_it_in_place() -> None:
    trace = traced(NET + "net.head = nn.Linear(3, 5)\ntorch.optim.SGD(net.parameters(), lr=0.1)\n")
    (model,) = trace.models
    head = model.by_path["head"]
    assert head.assigned is not None
    assert trace.events[head.assigned].kind == "replaced"
    assert [trace.parameters[p].shape for p in head.parameters] == [(5, 3), (5,)]


def test_children_can_be_removed_and_switched_off() -> None:
    net = scope("net.head = None\ndel net.body[2]\n")["net"]
    assert [path for path, _ in net.walk()] == ["", "body", "body.0", "body.1"]
    net = scope("del net.head\n")["net"]
    assert "head" not in net.children


# -- flags -----------------------------------------------------------------------------------------


def test_requires_grad_of_everything_below_is_one_event() -> None:
    (event,) = events("net.body.requires_grad_(False)\n", "frozen", "unfrozen")
    assert (event.kind, len(event.parameters), event.modules) == ("frozen", 4, ((0, "body"),))


def test_apply_reaches_every_module_children_first() -> None:
    found = scope("order = []\nnet.apply(lambda m: order.append(type(m).__name__))\n")
    assert found["order"] == ["Linear", "BatchNorm1d", "Dropout", "Sequential", "Linear", "Net"]


def test_a_setting_of_the_class_is_no_misspelling() -> None:
    source = """
class Frozen(nn.Module):
    def __init__(self):
        super().__init__()
        self.requires_grad = False
        self.layer = nn.Linear(2, 2)

net.part = Frozen()
"""
    assert not events(source, "no-effect")


@pytest.mark.parametrize(
    ("statement", "name", "count"),
    [
        ("net.body.requires_grad = False", "requires_grad", 4),
        ("net.requires_grad_ = False", "requires_grad_", 6),
        ("net.body.require_grad = False", "require_grad", 4),
        ("for m in net.children():\n    m.requires_grad = False", "requires_grad", 6),
    ],
)
def test_a_flag_on_a_module_has_no_effect(statement: str, name: str, count: int) -> None:
    (event,) = events(statement + "\n", "no-effect")
    assert (event.name, event.value, len(event.parameters)) == (name, "False", count)
    net = scope(statement + "\n")["net"]
    assert set(flags(net).values()) == {True}


# -- modes -----------------------------------------------------------------------------------------


def test_train_and_eval_reach_everything_below() -> None:
    net = scope("net.eval()\nnet.head.train()\n")["net"]
    assert modes(net) == {
        "": False,
        "body": False,
        "body.0": False,
        "body.1": False,
        "body.2": False,
        "head": True,
    }


def test_a_call_is_one_event_however_many_modules_it_reaches() -> None:
    found = events("net.eval()\nnet.train()\nnet.train(False)\n", "to-train", "to-eval")
    assert [(event.kind, event.name) for event in found] == [
        ("to-eval", ""),
        ("to-train", ""),
        ("to-eval", ""),
    ]


def test_a_loop_over_modules_is_one_event() -> None:
    source = """
for m in net.modules():
    if isinstance(m, nn.BatchNorm1d):
        m.eval()
net.requires_grad_(True)
"""
    (event,) = events(source, "to-eval")
    assert event.modules == ((0, "body.1"),)
    assert modes(scope(source)["net"])["body.1"] is False


@pytest.mark.parametrize(("freeze", "wholly"), [("net.body.requires_grad_(False)", True), ("pass", False)])
def test_eval_knows_whether_its_receiver_is_frozen(freeze: str, wholly: bool) -> None:
    (event,) = events(f"{freeze}\nnet.body.eval()\nnet.requires_grad_(True)\n", "to-eval")
    assert event.wholly_frozen is wholly


OVERRIDING = """
class Frozen(Net):
    def train(self, mode=True):
        super().train(mode)
        self.body.eval()
        return self

net = Frozen()
holder = nn.Sequential(net, nn.Linear(1, 1))
"""


def test_a_class_that_overrides_train_is_asked_also_below_its_parent() -> None:
    assert modes(scope(OVERRIDING + "net.train()\n")["net"])["body.1"] is False
    holder = scope(OVERRIDING + "holder.train()\n")["holder"]
    assert modes(holder)["0.body.1"] is False
    assert modes(holder)["0.head"] is True
    (event,) = events(OVERRIDING + "holder.train()\nholder.requires_grad_(True)\n", "to-train", "to-eval")
    assert event.kind == "to-train"
    assert modes(scope(OVERRIDING + "holder.eval()\n")["holder"])["0.head"] is False


def test_a_mode_that_nobody_knows() -> None:
    net = scope("net.train(bool(input()))\n")["net"]
    assert set(modes(net).values()) == {None}
    assert scope("net.training = False\n")["net"].training is False


# -- weights ---------------------------------------------------------------------------------------


def origins(module: Module) -> set[str]:
    return {parameter.origin for _, parameter in module.own_and_below()}


def test_loaded_parameters_are_pretrained() -> None:
    source = "net.load_state_dict(torch.load('weights.pt'))\n"
    assert origins(scope(source)["net"]) == {"pretrained"}
    (event,) = events(source, "loaded")
    assert len(event.parameters) == 6


def test_of_a_dict_with_gaps_only_what_it_holds_is_pretrained() -> None:
    net = scope(
        "kept = {k: v for k, v in Net().state_dict().items() if not k.startswith('head')}\n"
        "net.load_state_dict(kept, strict=False)\n"
    )["net"]
    assert origins(net.children["body"]) == {"pretrained"}
    assert origins(net.children["head"]) == {"fresh"}


def test_with_strict_off_nobody_knows_what_an_unknown_dict_holds() -> None:
    assert origins(scope("net.load_state_dict(torch.load('w.pt'), strict=False)\n")["net"]) == {"unknown"}


def test_assign_puts_new_parameters_in_place() -> None:
    found = scope("old = net.head.weight\nnet.load_state_dict(torch.load('w.pt'), assign=True)\n")
    assert found["net"].children["head"].parameters["weight"] is not found["old"]
    (event,) = events("net.load_state_dict(torch.load('w.pt'), assign=True)\n", "replaced")
    assert (event.value, len(event.parameters)) == ("assigned", 6)


# -- copies ----------------------------------------------------------------------------------------


def test_a_deep_copy_has_its_own_parameters_with_the_flags_of_the_original() -> None:
    found = scope(
        "net.body.requires_grad_(False)\nnet.eval()\nnet.again = net.head\ntwin = copy.deepcopy(net)\n"
        "twin.head.requires_grad_(False)\n"
    )
    net, twin = found["net"], found["twin"]
    assert not {id(p) for _, p in net.own_and_below()} & {id(p) for _, p in twin.own_and_below()}
    assert flags(net)["head.weight"] is True
    assert not any(flags(twin).values())
    assert set(modes(twin).values()) == {False}
    assert twin.children["again"] is twin.children["head"]


# -- what nobody knows -----------------------------------------------------------------------------

OPEN = """
from somewhere import make_model
class Wrapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = make_model('large')
        self.head = nn.Linear(3, 1)
net = Wrapped()
"""


def test_an_unknown_part_is_open_and_stands_for_its_parameters_by_one() -> None:
    net = scope(OPEN)["net"]
    encoder = net.children["encoder"]
    assert encoder.open
    assert net.is_open
    found = scope(OPEN + "ps = list(net.parameters())\nagain = list(net.parameters())\n")
    *known, rest = found["ps"]
    assert [p.text for p in known] == ["weight", "bias"]
    assert isinstance(rest, Parameter)
    assert (rest.text, rest.dims, rest.requires_grad) == ("*", (), None)
    assert found["again"][-1] is rest


def test_children_of_an_open_module_appear_when_they_are_touched() -> None:
    encoder = scope(OPEN + "net.encoder.layer4.requires_grad_(False)\nnet.encoder.config.dim\n")[
        "net"
    ].children["encoder"]
    assert list(encoder.children) == ["layer4"]


def test_whether_an_open_module_has_an_attribute_nobody_knows() -> None:
    machine = read_source(NET + OPEN)
    assert machine.has(variables(machine)["net"].children["encoder"], "module") is None


def test_data_parallel_holds_the_model_as_module() -> None:
    found = scope("wrapped = nn.DataParallel(net)\nwrapped.eval()\nsame = wrapped.module is net\n")
    assert found["same"] is True
    assert set(modes(found["net"]).values()) == {False}
    (event,) = events("wrapped = nn.DataParallel(net)\nwrapped.eval()\nnet.requires_grad_(True)\n", "to-eval")
    assert event.modules == ((0, ""),)
