"""Code that fills parameters which are filled anyway is not run for each of them."""

from __future__ import annotations

import pytest

from freezelint.source.interpreter.values import Module
from tests.source.reading import read_source, variables

NET = """
import math
from torch import nn
from torchvision.models import resnet18

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(*[nn.Linear(4, 4) for _ in range(40)])
        {begin}

    def fill(self, m):
        {fill}
        if isinstance(m, nn.Linear):
            nn.init.trunc_normal_(m.weight, std=math.sqrt(2))
            if m.bias is not None:
                m.bias.data.zero_()

net = Net()
"""


def _ticks(begin: str, fill: str = "pass") -> int:
    return read_source(NET.format(begin=begin, fill=fill)).ticks


def _origin(begin: str) -> str:
    net = variables(read_source(NET.format(begin=begin, fill="pass")))["net"]
    assert isinstance(net, Module)
    return dict(net.own_and_below())["body.0.weight"].origin


def test_weights_that_were_loaded_are_filled_anew() -> None:
    loaded = "self.body[0] = resnet18(weights='DEFAULT').fc"
    assert _origin(loaded) == "pretrained"
    assert _origin(f"{loaded}\n        self.apply(self.fill)") == "fresh"


def test_a_function_that_does_more_is_run() -> None:
    text = NET.format(begin="self.apply(self.fill)", fill="m.seen = True")
    net = variables(read_source(text))["net"]
    assert all(module.attributes.get("seen") is True for _, module in net.walk())


def test_a_loop_that_does_more_is_run() -> None:
    begin = "for m in self.modules():\n            m.requires_grad_(False)"
    net = variables(read_source(NET.format(begin=begin, fill="pass")))["net"]
    assert all(parameter.requires_grad is False for _, parameter in net.own_and_below())


@pytest.mark.parametrize(
    "begin",
    [
        "self.apply(self.fill)",
        "for m in self.modules():\n            if hasattr(m, 'bias'):\n                m.bias.data.zero_()",
        "for p in self.parameters():\n            p.data.normal_()",
    ],
)
def test_filling_what_is_fresh_costs_next_to_nothing(begin: str) -> None:
    assert _ticks(begin) - _ticks("pass") < 40
