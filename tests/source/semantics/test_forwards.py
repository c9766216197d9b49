"""Calls of modules: the order in which they run, their modes, and where gradients flow."""

from __future__ import annotations

from freezelint.source.interpreter.values import Module, Parameter, Tensor, Value
from tests.source.reading import read_source, variables

HEADER = """
import torch
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 2)
        self.body = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.spare = nn.Linear(8, 8)

    def forward(self, x):
        x = self.body(x)
        return self.head(F.relu(x))

net = Net()
x = torch.randn(2, 4)
"""


def scope(source: str) -> dict[str, Value]:
    return variables(read_source(HEADER + source))


def order(module: Module) -> list[str]:
    ran = [(inner.ran.order, path) for path, inner in module.walk() if inner.ran is not None]
    return [path for _, path in sorted(ran)]


def reached(tensor: Tensor) -> set[str]:
    """The names of the parameters behind a tensor."""
    found, pending = set(), [tensor]
    while pending:
        current = pending.pop()
        if isinstance(current, Parameter):
            found.add(current.text)
        pending.extend(current.parents)
    return found


def test_modules_run_in_the_order_of_forward_and_others_do_not_run() -> None:
    net = scope("out = net(x)\n")["net"]
    assert order(net) == ["", "body", "body.0", "body.1", "body.2", "head"]
    assert net.children["spare"].ran is None


def test_the_output_hangs_on_what_ran_and_is_trainable() -> None:
    found = scope("net.body.requires_grad_(False)\nout = net(x)\nfeatures = net.body(x)\n")
    assert found["out"].requires_grad is True
    assert found["out"].module is found["net"]
    assert found["features"].requires_grad is False
    head = found["net"].children["head"]
    assert (head.ran.input_requires_grad, head.ran.output_requires_grad) == (False, True)
    body = found["net"].children["body"]
    assert (body.ran.input_requires_grad, body.ran.output_requires_grad) == (False, False)


def test_backward_reaches_what_ran() -> None:
    net = scope("net(x).sum().backward()\n")["net"]
    assert {path: p.gradient for path, p in net.own_and_below() if p.gradient == "none"} == {
        "spare.weight": "none",
        "spare.bias": "none",
    }


def test_without_grad_mode() -> None:
    found = scope("with torch.no_grad():\n    features = net.body(x)\nout = net.head(features)\n")
    body, head = (found["net"].children[name].ran for name in ("body", "head"))
    assert (body.without_gradient, body.with_gradient, body.conditional_cut) == (True, False, False)
    assert (head.without_gradient, head.with_gradient) == (False, True)
    assert found["features"].requires_grad is False
    assert found["features"].behind is not None  # what was cut off is remembered


def test_the_mode_that_counts_is_that_of_calls_with_gradients() -> None:
    source = "net.eval()\nnet(x)\nnet.train()\nwith torch.no_grad():\n    net(x)\n"
    assert scope(source)["net"].ran.training is False
    assert scope(source + "net(x)\n")["net"].ran.training is True


def test_a_condition_that_nobody_knows_around_no_grad() -> None:
    found = scope("with torch.set_grad_enabled(bool(input())):\n    net(x)\n")
    ran = found["net"].ran
    assert ran.conditional_cut
    assert ran.with_gradient
    assert ran.without_gradient


def test_an_input_that_requires_grad_is_noted_where_it_goes_in() -> None:
    machine = read_source(HEADER + "x = torch.randn(2, 4, requires_grad=True)\nnet(x)\n")
    ((module, tensor),) = machine.recorder.stock.leaves.values()
    assert module is variables(machine)["net"]
    assert tensor is variables(machine)["x"]
    assert module.ran is not None
    assert module.ran.input_requires_grad is True


def test_a_layer_of_a_library_runs_as_a_whole() -> None:
    found = scope("block = nn.TransformerEncoderLayer(8, 2, 16)\nout = block(torch.randn(3, 2, 8))\n")
    layers = [
        path for path in order(found["block"]) if path and found["block"].children.get(path.split(".")[0])
    ]
    assert layers[:5] == ["self_attn", "norm1", "linear1", "linear2", "norm2"]
    assert found["out"].requires_grad is True
    # Attention uses the weights of its last layer without calling it.
    assert found["block"].children["self_attn"].children["out_proj"].ran is None
    assert {"in_proj_weight", "weight", "bias"} <= reached(found["out"])


def test_a_class_of_the_script_inside_a_layer_of_a_library_is_read() -> None:
    found = scope(
        """
class Half(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Linear(4, 4), nn.Linear(4, 4)
    def forward(self, x):
        return self.used(x)
model = nn.Sequential(nn.Linear(4, 4), Half())
out = model(x)
"""
    )
    assert order(found["model"]) == ["", "0", "1", "1.used"]


def test_losses_hang_on_what_they_compare() -> None:
    found = scope("loss = nn.CrossEntropyLoss()(net(x), torch.zeros(2))\n")
    assert found["loss"].requires_grad is True


def test_forward_called_directly_and_of_the_parent_class() -> None:
    found = scope(
        """
class Longer(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(4, 4), nn.ReLU())
    def forward(self, x):
        return super().forward(x) * 2
longer = Longer()
out = longer(x)
again = net.forward(x)
"""
    )
    assert order(found["longer"]) == ["", "0", "1"]
    assert found["out"].requires_grad is True
    assert found["again"].requires_grad is True


def test_wrappers_run_what_they_wrap() -> None:
    found = scope("wrapped = nn.DataParallel(net)\nout = wrapped(x)\n")
    assert found["net"].ran is not None
    assert found["out"].requires_grad is True


def test_of_an_open_module_nobody_knows_whether_its_output_requires_grad() -> None:
    found = scope("from somewhere import Encoder\nnet.body = Encoder()\nout = net.body(x)\nwhole = net(x)\n")
    assert found["net"].children["body"].open
    assert found["out"].requires_grad is None
    assert found["whole"].requires_grad is True


def test_recursion_ends() -> None:
    found = scope(
        """
class Loop(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
    def forward(self, x):
        return self(self.layer(x))
loop = Loop()
out = loop(x)
ring = nn.Sequential(nn.Linear(4, 4))
ring.add_module('again', ring)
ring(x)
"""
    )
    assert found["loop"].ran is not None
    assert found["ring"].ran is not None
