from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.heads.networks import NETWORK, PRETRAINED, STEPS
from tests.mends.scripts import fixed_script

OPTIMIZER = """\
optimizer = torch.optim.SGD(
    [
        {"params": model.stem.parameters(), "lr": 0.001},
        {"params": model.last.parameters(), "lr": 0.001},
        {"params": model.fc.parameters(), "lr": 0.01},
    ]
)
"""


def script(schedule: str, *, functions: str = "", end: str = "    schedule.step()\n") -> str:
    return NETWORK + functions + PRETRAINED + OPTIMIZER + schedule + STEPS + end


def test_a_schedule_of_the_projects_own_is_left(tmp_path: Path) -> None:
    text = script(
        "schedule = Flat(optimizer, 0.1)\n",
        functions="""\
class Flat:
    def __init__(self, optimizer, rate):
        self.optimizer = optimizer
        self.rate = rate
        self.step()

    def step(self):
        [group.update(lr=self.rate) for group in self.optimizer.param_groups]


""",
    )
    assert fixed_script(tmp_path, text, unsafe=True).text == text


def test_a_schedule_is_given_each_groups_rate(tmp_path: Path) -> None:
    imported = "from torch.optim.lr_scheduler import OneCycleLR\n"
    before = imported + "schedule = OneCycleLR(optimizer, 0.01, 100)\n"
    after = (
        imported
        + 'schedule = OneCycleLR(optimizer, [group["lr"] for group in optimizer.param_groups], 100)\n'
    )
    assert fixed_script(tmp_path, script(before), unsafe=True).text == script(after)


def test_where_the_line_would_be_long_they_get_a_name(tmp_path: Path) -> None:
    made = "schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr={}, total_steps=100)\n"
    after = 'rates = [group["lr"] for group in optimizer.param_groups]\n' + made.format("rates")
    assert fixed_script(tmp_path, script(made.format("0.01")), unsafe=True).text == script(after)


@pytest.mark.parametrize(
    ("low", "high", "share"),
    [("0.001", "0.01", "rate / 10"), ("LOW", "0.01", "rate * LOW / 0.01")],
)
def test_the_lowest_rate_of_a_cycle_keeps_its_share(tmp_path: Path, low: str, high: str, share: str) -> None:
    made = "schedule = torch.optim.lr_scheduler.CyclicLR(optimizer, base_lr={}, max_lr={})\n"
    before = script("LOW = 0.002\n" + made.format(low, high))
    after = script(
        'LOW = 0.002\nrates = [group["lr"] for group in optimizer.param_groups]\n'
        + made.format(f"[{share} for rate in rates]", "rates")
    )
    assert fixed_script(tmp_path, before, unsafe=True).text == after


@pytest.mark.parametrize(
    ("loop", "written"),
    [
        ("for group in optimizer.param_groups:\n", "group"),
        ("for _, g in enumerate(optimizer.param_groups):\n", "g"),
    ],
)
def test_a_loop_scales_what_it_wrote(tmp_path: Path, loop: str, written: str) -> None:
    function = (
        "def adjust(optimizer, epoch):\n    rate = 0.01 * 0.1**epoch\n{before}    {loop}        {write}\n\n\n"
    )
    write = f'{written}["lr"] = rate'
    before = script(
        "adjust(optimizer, 0)\n", functions=function.format(before="", loop=loop, write=write), end=""
    )
    settings = (
        f"    for {written} in optimizer.param_groups:\n"
        f'        {written}.setdefault("initial_lr", {written}["lr"])\n'
        f'    highest = max({written}["initial_lr"] for {written} in optimizer.param_groups)\n'
    )
    scaled = f'{write} * {written}["initial_lr"] / highest'
    after = script(
        "adjust(optimizer, 0)\n", functions=function.format(before=settings, loop=loop, write=scaled), end=""
    )
    assert fixed_script(tmp_path, before, unsafe=True).text == after
