from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.heads.networks import NETWORK, STEPS
from tests.mends.scripts import fixed_script

PRETRAINED = "model = Network()\nmodel.load_state_dict(torch.load('weights.pt'))\n"


NAMED = "stem, last, fc = (list(part.parameters()) for part in model.children())\n"


def script(optimizer: str) -> str:
    return NETWORK + PRETRAINED + optimizer + STEPS


def test_rates_that_are_made_elsewhere_are_left(tmp_path: Path) -> None:
    text = script(
        "rates = iter([0.1, 0.01, 0.01])\n"
        "groups = []\n"
        "def add(part):\n    groups.append(dict(params=part.parameters(), lr=next(rates)))\n"
        "add(model.stem)\nadd(model.last)\nadd(model.fc)\noptimizer = torch.optim.SGD(groups)\n"
    )
    done = fixed_script(tmp_path, text, unsafe=True)
    assert done.text == text


@pytest.mark.parametrize(
    ("groups", "before", "after"),
    [
        (
            '[{{"params": stem, "lr": {}}}, {{"params": fc, "lr": {}}}]',
            ("1e-2", "1e-3"),
            ("1e-3", "1e-2"),
        ),
        (
            '[{{"params": stem, "lr": {}}}, {{"params": fc{}}}], lr=0.01',
            ("0.1", ""),
            ("0.01", ', "lr": 0.1'),
        ),
        (
            '[{{"params": fc, "lr": {}}}, {{"params": last, "lr": {}}}, {{"params": stem, "lr": {}}}]',
            ("0.001", "0.01", "0.1"),
            ("0.1", "0.01", "0.001"),
        ),
        (
            '[{{"params": part.parameters(), "lr": 0.1 * 0.5**k}} for k, part in enumerate({})]',
            ("model.children()",),
            ("reversed(list(model.children()))",),
        ),
        (
            '[{{"params": p, "lr": 0.1 * 0.5**(5 - k)}} for k, p in enumerate({})]',
            ("reversed(list(model.parameters()))",),
            ("model.parameters()",),
        ),
    ],
)
def test_the_earlier_layers_get_the_lower_rates(
    tmp_path: Path, groups: str, before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    optimizer = f"{NAMED}optimizer = torch.optim.SGD({groups})\n"
    done = fixed_script(tmp_path, script(optimizer.format(*before)), unsafe=True)
    assert done.text == script(optimizer.format(*after))
    assert done.applied == ("FRZ403",)


def test_a_group_that_joined_changes_places_too(tmp_path: Path) -> None:
    text = (
        "optimizer = torch.optim.SGD([{'params': model.fc.parameters(), 'lr': FC}])\n"
        "optimizer.add_param_group({'params': model.stem.parameters(), 'lr': STEM})\n"
    )
    before = script(text.replace("FC", "0.01").replace("STEM", "0.1"))
    after = script(text.replace("FC", "0.1").replace("STEM", "0.01"))
    assert fixed_script(tmp_path, before, unsafe=True).text == after


def test_an_exponent_over_numbers_counts_down(tmp_path: Path) -> None:
    text = (
        "parts = [model.stem, model.last, model.fc]\n"
        "groups = [{'params': parts[i].parameters(), 'lr': 0.1 * 0.5**EXPONENT} for i in range(3)]\n"
        "optimizer = torch.optim.SGD(groups)\n"
    )
    done = fixed_script(tmp_path, script(text.replace("EXPONENT", "i")), unsafe=True)
    assert done.text == script(text.replace("EXPONENT", "(2 - i)"))
