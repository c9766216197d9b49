"""Containers that are filled in loops of unknown length are open; those of known or usual length are not."""

from __future__ import annotations

import pytest

from freezelint.source.interpreter.values import Module
from tests.source.reading import value_of

_START = """
import argparse, sys
import torch
from torch import nn
parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int, default=4)
args, count = parser.parse_args(), int(sys.argv[1])
"""


def built(text: str) -> Module:
    result = value_of(_START + text)
    assert isinstance(result, Module)
    return result


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("result = nn.Sequential(*[nn.Linear(2, 2) for _ in range(12)])", 12),
        ("result = nn.Sequential(*[nn.Linear(2, 2) for _ in range(args.depth)])", 4),
        (
            "parts = []\nfor _ in range(args.depth): parts.append(nn.ReLU())\nresult = nn.Sequential(*parts)",
            4,
        ),
        # What an unknown number of folds repeats is the list, not its elements.
        (
            "for _ in range(count):\n  result = nn.ModuleList()\n  for _ in 'abc': result.append(nn.ReLU())",
            3,
        ),
        ("for fold in range(count):\n  result = nn.ModuleList([nn.ReLU() for _ in range(3)])", 3),
        ("for _ in range(count):\n  parts = []\n  parts += [nn.ReLU()]\n  result = nn.ModuleList(parts)", 1),
    ],
)
def test_a_known_or_usual_number_of_parts(text: str, parts: int) -> None:
    result = built(text)
    assert (len(result.children), result.open) == (parts, False)


@pytest.mark.parametrize(
    "text",
    [
        "result = nn.ModuleList([nn.Linear(2, 2) for _ in range(count)])",
        "result = nn.ModuleList(nn.Linear(2, 2) for _ in range(count))",
        "result = nn.Sequential(nn.ReLU(), *[nn.Linear(2, 2) for _ in range(count)])",
        "result = nn.ModuleList([nn.ReLU()] + [nn.Linear(2, 2) for _ in range(count)])",
        "result = nn.ModuleList(list([nn.Linear(2, 2) for _ in range(count)]))",
        "result = nn.ModuleDict({f'layer{i}': nn.Linear(2, 2) for i in range(count)})",
        "result = nn.ModuleList()\nresult.extend([nn.Linear(2, 2) for _ in range(count)])",
        "result = nn.ModuleList()\nfor _ in range(count): result.append(nn.Linear(2, 2))",
        "result = nn.Sequential()\nfor i in range(count): result.add_module(f'layer{i}', nn.Linear(2, 2))",
        "layers = []\nfor _ in range(count): layers.append(nn.Linear(2, 2))\nresult = nn.Sequential(*layers)",
        "layers = []\nfor _ in range(count): layers += [nn.Linear(2, 2)]\nresult = nn.Sequential(*layers)",
        "layers = []\nwhile input(): layers.append(nn.Linear(2, 2))\nresult = nn.Sequential(*layers)",
    ],
)
def test_an_unknown_number_of_parts(text: str) -> None:
    result = built(text)
    assert result.open
    assert result.children


def test_the_length_of_such_a_list_is_unknown() -> None:
    text = _START + "layers = [nn.ReLU() for _ in range(count)]\nresult = len(layers) == 2"
    assert not isinstance(value_of(text), bool)


def test_an_optimizer_of_such_a_list_may_hold_more() -> None:
    text = _START + (
        "layers = [nn.Linear(2, 2) for _ in range(count)]\n"
        "result = torch.optim.SGD([layer.weight for layer in layers], lr=0.1)"
    )
    assert value_of(text).complete is False
