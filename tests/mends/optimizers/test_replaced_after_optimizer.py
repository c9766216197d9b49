from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.optimizers.scripts import script
from tests.mends.scripts import fixed_script

OPTIMIZER = "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
HEAD = "model[1] = nn.Linear(8, 3)\n"


@pytest.mark.parametrize(
    ("setup", "reason"),
    [
        (
            f"rate = 0.1\n{OPTIMIZER.replace('0.1', 'rate')}rate = 0.2\n{HEAD}",
            "`rate` gets another value between the two places",
        ),
        (
            f"{OPTIMIZER}for _ in range(2):\n    optimizer.step()\n{HEAD}",
            "a loop between the two places uses it already",
        ),
        (
            f"{OPTIMIZER}model[1] = nn.Linear(len(optimizer.param_groups) * 8, 3)",
            "what should come first depends on what should come second",
        ),
    ],
)
def test_an_order_that_means_something_stays(tmp_path: Path, setup: str, reason: str) -> None:
    done = fixed_script(tmp_path, script(setup))
    assert done.text == script(setup)
    assert done.refused == {"FRZ204": reason}


def test_the_optimizer_is_built_after_the_head_with_all_that_uses_it(tmp_path: Path) -> None:
    schedule = "schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)\n"
    done = fixed_script(tmp_path, script(f"{OPTIMIZER}{schedule}loss = nn.MSELoss()\n{HEAD}"))
    assert done.text == script(f"loss = nn.MSELoss()\n{HEAD}{OPTIMIZER}{schedule}".rstrip() + "\n")
    assert done.applied == ("FRZ204",)


def test_a_head_that_learns_too_fast_is_another_question(tmp_path: Path) -> None:
    done = fixed_script(tmp_path, script(f"{OPTIMIZER}{HEAD}"))
    assert done.text == script(f"{HEAD}{OPTIMIZER}")
    assert set(done.refused) == {"FRZ401"}


def test_a_head_that_a_helper_puts_in_place(tmp_path: Path) -> None:
    helper = "def adapt(network):\n    network[1] = nn.Linear(8, 3)\n\n\n"
    done = fixed_script(tmp_path, script(f"{helper}{OPTIMIZER}adapt(model)\n"))
    assert done.text == script(f"{helper}adapt(model)\n{OPTIMIZER}")
