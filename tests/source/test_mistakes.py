"""What Python would raise for: the reader goes on, and remembers it for who changes the source."""

from __future__ import annotations

import pytest

from tests.source.reading import read_source

HEAD = """\
import torch
from torch import nn

class Trainer:
    def __init__(self, build=True):
        self.model = nn.Linear(4, 2)
        if build:
            self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)

    def step(self):
        self.optimizer.step()

    def __getstate__(self):
        return getattr(self, "optimizer", None)

"""


@pytest.mark.parametrize(
    "text",
    [
        "Trainer().step()",
        "Trainer(build=False).__getstate__()",
        "import argparse\nargs = argparse.ArgumentParser().parse_args()\nprint(args.rate, args.rate[0])",
        "def later():\n    return rate\nrate = 1\nlater()",
        "try:\n    {}[1]\nexcept KeyError:\n    pass",
        "model = nn.Linear(4, 2)\noptimizer = torch.optim.SGD([model.weight], lr=0.1)\n"
        "optimizer.add_param_group({'params': [model.bias]})",
    ],
)
def test_what_is_right(text: str) -> None:
    assert read_source(HEAD + text).mistakes == set()


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("def later():\n    return rate\nlater()\nrate = 1", "`rate` has no value where it is used"),
        ("Trainer(build=False).step()", "`self.optimizer` has no value where it is used"),
        ("rates = [0.1]\nprint(rates['head'])", "a list has no item 'head'"),
        ("rates = {'body': 0.1}\nprint(rates['head'])", "a dict has no item 'head'"),
        (
            "model = nn.Linear(4, 2)\noptimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
            "optimizer.add_param_group({'params': [model.bias]})",
            "a parameter is in two groups of SGD",
        ),
    ],
)
def test_what_is_wrong(text: str, mistake: str) -> None:
    assert read_source(HEAD + text).mistakes == {mistake}
