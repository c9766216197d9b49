from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.heads.networks import NETWORK, PRETRAINED, STEPS
from tests.mends.scripts import fixed_script

FILTERED = "optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)\n"


def script(freeze: str, *, functions: str = "", optimizer: str = FILTERED) -> str:
    return NETWORK + functions + PRETRAINED + freeze + optimizer + STEPS


def test_a_freeze_of_nothing_but_the_head_is_left_to_its_author(tmp_path: Path) -> None:
    text = script("for p in model.fc.parameters():\n    p.requires_grad = False\n")
    done = fixed_script(tmp_path, text)
    assert done.text == text
    assert "--unsafe-fixes" in done.refused["FRZ402"]


def test_it_goes_where_that_is_allowed(tmp_path: Path) -> None:
    optimizer = "optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)\n"
    text = script("for p in model.fc.parameters():\n    p.requires_grad = False\n", optimizer=optimizer)
    assert fixed_script(tmp_path, text, unsafe=True).text == script("", optimizer=optimizer)


def test_a_head_whose_name_a_condition_decides_is_left(tmp_path: Path) -> None:
    text = (
        NETWORK
        + "import sys\nmodel = Network()\nmodel.load_state_dict(torch.load('weights.pt'))\n"
        + "if len(sys.argv) > 1:\n    model.fc = nn.Linear(16, 2)\n"
        + "else:\n    model.last = nn.Linear(16, 16)\n    model.stem = nn.Linear(8, 16)\n"
        + "for n, p in model.named_parameters():\n    if 'stem' not in n:\n        p.requires_grad = False\n"
        + FILTERED
        + STEPS
    )
    done = fixed_script(tmp_path, text)
    assert "model.fc.parameters()" not in done.text


def test_a_model_that_may_be_wrapped_is_left(tmp_path: Path) -> None:
    text = script(
        "if torch.cuda.device_count() > 1:\n    model = nn.DataParallel(model)\n"
        "for name, p in model.named_parameters():\n    if 'last' not in name:\n"
        "        p.requires_grad = False\n"
    )
    done = fixed_script(tmp_path, text)
    assert done.text == text
    assert "DataParallel" in done.refused["FRZ402"]


@pytest.mark.parametrize(
    ("freeze", "unfreeze"),
    [
        (
            "for name, weight in model.named_parameters():\n"
            "    if 'last' not in name:\n        weight.requires_grad = False\n",
            "for weight in model.fc.parameters():\n    weight.requires_grad = True\n",
        ),
        (
            "for p in model.parameters(): p.requires_grad = False\n",
            "for p in model.fc.parameters(): p.requires_grad = True\n",
        ),
        (
            "for p in model.parameters():\n    p.requires_grad_(False)\n",
            "for p in model.fc.parameters():\n    p.requires_grad_(True)\n",
        ),
        (
            "for part in [model.stem, model.fc]:\n    for p in part.parameters():\n"
            "        p.requires_grad = False\n",
            "for p in model.fc.parameters():\n    p.requires_grad = True\n",
        ),
        (
            "[p.requires_grad_(False) for n, p in model.named_parameters() if 'last' not in n]\n",
            "model.fc.requires_grad_(True)\n",
        ),
        ("model.requires_grad_(False)  # all\n", "model.fc.requires_grad_(True)\n"),
        (
            "weights = list(model.parameters())\nfor w in weights:\n    w.requires_grad = False\n",
            "for w in model.fc.parameters():\n    w.requires_grad = True\n",
        ),
        (
            "for part in model.children():\n    for p in part.parameters():\n"
            "        p.requires_grad = False\n",
            "for p in model.fc.parameters():\n    p.requires_grad = True\n",
        ),
    ],
)
def test_the_head_is_unfrozen_right_after_the_freeze(tmp_path: Path, freeze: str, unfreeze: str) -> None:
    rest = "" if "'last'" in freeze or "stem" in freeze else "model.last.requires_grad_(True)\n"
    done = fixed_script(tmp_path, script(freeze + rest))
    assert done.text == script(freeze + unfreeze + rest)
    assert done.applied == ("FRZ402",)


def test_windows_line_ends_and_tabs_stay(tmp_path: Path) -> None:
    freeze = "for p in model.parameters():\n    p.requires_grad = False\n"
    unfreeze = "for p in model.fc.parameters():\n    p.requires_grad = True\n"
    rest = "model.last.requires_grad_(True)\n"
    before, after = (
        script(each + rest).replace("    ", "\t").replace("\n", "\r\n")
        for each in (freeze, freeze + unfreeze)
    )
    assert fixed_script(tmp_path, before).text == after


def test_a_helper_for_many_models_stays_as_it_is(tmp_path: Path) -> None:
    helper = "def freeze(network):\n    for p in network.parameters():\n        p.requires_grad = False\n\n\n"
    before = script("freeze(model)\nmodel.last.requires_grad_(True)\n", functions=helper)
    after = script(
        "freeze(model)\nmodel.fc.requires_grad_(True)\nmodel.last.requires_grad_(True)\n", functions=helper
    )
    assert fixed_script(tmp_path, before).text == after


def test_so_does_one_that_gives_the_model_back(tmp_path: Path) -> None:
    helper = "def freeze(network):\n    network.requires_grad_(False)\n    return network\n\n\n"
    before = script("model = freeze(model)\nmodel.last.requires_grad_(True)\n", functions=helper)
    after = script(
        "model = freeze(model)\nmodel.fc.requires_grad_(True)\nmodel.last.requires_grad_(True)\n",
        functions=helper,
    )
    assert fixed_script(tmp_path, before).text == after


def test_in_a_method_the_model_is_an_attribute(tmp_path: Path) -> None:
    text = (
        NETWORK
        + """\
class Trainer:
    def __init__(self):
        self.net = Network()
        self.net.load_state_dict(torch.load("weights.pt"))
        self.net.fc = nn.Linear(16, 2)
        self.freeze()
        trained = [p for p in self.net.parameters() if p.requires_grad]
        self.optimizer = torch.optim.SGD(trained, lr=0.1)

    def freeze(self):
        for p in self.net.parameters():
            p.requires_grad = False
{unfreeze}        self.net.last.requires_grad_(True)

    def fit(self):
        for _ in range(2):
            self.optimizer.zero_grad()
            self.net(torch.randn(16, 8)).square().mean().backward()
            self.optimizer.step()


Trainer().fit()
"""
    )
    unfreeze = "        for p in self.net.fc.parameters():\n            p.requires_grad = True\n"
    assert fixed_script(tmp_path, text.replace("{unfreeze}", "")).text == text.replace("{unfreeze}", unfreeze)


@pytest.mark.parametrize(
    ("given", "joined"),
    [
        ("model.last.parameters(), lr=0.1", "[*model.last.parameters(), *model.fc.parameters()], lr=0.1"),
        (
            '[{"params": model.last.parameters()}], lr=0.1',
            '[{"params": model.last.parameters()}, {"params": model.fc.parameters()}], lr=0.1',
        ),
    ],
)
def test_the_head_joins_an_optimizer_that_was_given_less(tmp_path: Path, given: str, joined: str) -> None:
    freeze = "model.requires_grad_(False)\n"
    rest = "model.last.requires_grad_(True)\n"
    before = script(freeze + rest, optimizer=f"optimizer = torch.optim.SGD({given})\n")
    after = script(
        freeze + "model.fc.requires_grad_(True)\n" + rest,
        optimizer=f"optimizer = torch.optim.SGD({joined})\n",
    )
    assert fixed_script(tmp_path, before).text == after
