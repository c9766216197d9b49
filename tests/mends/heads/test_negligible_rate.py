from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.heads.networks import NETWORK, PRETRAINED, STEPS
from tests.mends.scripts import fixed_script


def script(optimizer: str) -> str:
    return NETWORK + PRETRAINED + optimizer + STEPS


def test_groups_that_the_file_numbers_stay(tmp_path: Path) -> None:
    text = script(
        "optimizer = torch.optim.SGD(\n"
        '    [{"params": model.stem.parameters(), "lr": 1e-6}, '
        '{"params": model.fc.parameters(), "lr": 0.1}]\n)\n'
        'print(optimizer.param_groups[1]["lr"])\n'
    )
    done = fixed_script(tmp_path, text, unsafe=True, extend=("FRZ407",))
    assert done.text == text
    assert "by their number" in done.refused["FRZ407"]


def test_the_slow_group_is_frozen_and_goes(tmp_path: Path) -> None:
    stem = '{"params": model.stem.parameters(), "lr": 1e-6}, '
    others = '{"params": model.last.parameters(), "lr": 0.01}, {"params": model.fc.parameters(), "lr": 0.1}'
    before = script(f"groups = [{stem}{others}]\noptimizer = torch.optim.SGD(groups)\n")
    after = script(
        f"model.stem.requires_grad_(False)\ngroups = [{others}]\noptimizer = torch.optim.SGD(groups)\n"
    )
    assert fixed_script(tmp_path, before, unsafe=True, extend=("FRZ407",)).text == after


@pytest.mark.parametrize("quote", ["'", '"'])
def test_groups_that_a_loop_makes_are_told_by_their_rate(tmp_path: Path, quote: str) -> None:
    made = (
        "groups = []\n"
        "for k, part in enumerate([model.fc, model.last, model.stem]):\n"
        '    groups.append({"params": part.parameters(), "lr": 0.1 * 0.01**k})\n'
    ).replace('"', quote)
    frozen = (
        'lowest = max(group["lr"] for group in groups) / 1000\n'
        "for group in groups:\n"
        '    if group["lr"] < lowest:\n'
        '        for parameter in group["params"]:\n'
        "            parameter.requires_grad = False\n"
        'optimizer = torch.optim.SGD([group for group in groups if group["lr"] >= lowest])\n'
    ).replace('"', quote)
    network = (NETWORK + PRETRAINED).replace('"', quote)
    done = fixed_script(
        tmp_path,
        network + made + "optimizer = torch.optim.SGD(groups)\n" + STEPS,
        unsafe=True,
        extend=("FRZ407",),
    )
    assert done.text == network + made + frozen + STEPS
