"""Building something later: what moves with it, what stays, and where the order means something."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.optimizers.scripts import script
from tests.mends.scripts import fixed_script

OPTIMIZER = "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
HEAD = "model[1] = nn.Linear(8, 3)\n"
SCHEDULE = "schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)\n"


@pytest.mark.parametrize(
    ("setup", "reason"),
    [
        (
            f"rate = 0.1\n{OPTIMIZER.replace('0.1', 'rate')}rate = rate * 2\n{HEAD}",
            "`rate` gets another value between the two places",
        ),
        (
            f"rate = 0.1\n{OPTIMIZER.replace('0.1', 'rate')}rate = max(rate, 0.2)\n{HEAD}",
            "`rate` gets another value between the two places",
        ),
        (
            f"rate = 0.1\n{OPTIMIZER.replace('0.1', 'rate')}del rate\n{HEAD}",
            "`rate` gets another value between the two places",
        ),
        (
            f"{OPTIMIZER}def learn(how=optimizer):\n    how.step()\n{HEAD}",
            "`learn` between the two places is defined with it",
        ),
        (
            f'{OPTIMIZER}print(globals()["optimizer"])\n{HEAD}',
            "in the result a dict has no item 'optimizer'",
        ),
        (
            f"{OPTIMIZER.strip()}; print('built')\n{HEAD}",
            "another statement stands on its line",
        ),
        (
            "def build(plain):\n"
            "    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
            "    if plain:\n"
            "        return optimizer\n"
            "    model[1] = nn.Linear(8, 3)\n"
            "    return optimizer\n"
            "optimizer = build(False)\n",
            "the block may be left between the two places with it",
        ),
        (
            "for attempt in range(2):\n"
            "    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
            "    if attempt > 5:\n"
            "        break\n"
            "    model[1] = nn.Linear(8, 3)\n",
            "the block may be left between the two places, and it is used elsewhere",
        ),
    ],
)
def test_an_order_that_means_something_stays(tmp_path: Path, setup: str, reason: str) -> None:
    done = fixed_script(tmp_path, script(setup))
    assert done.text == script(setup)
    assert done.refused == {"FRZ204": reason}


METHODS = """\
class Trainer:
    def __init__(self, model):
        self.model = model
{before}
    def schedule(self):
        self.schedule = torch.optim.lr_scheduler.StepLR(self.optimizer, 2)

    def __repr__(self):
        return f"Trainer({{self.optimizer}})"


trainer = Trainer(model)
optimizer = trainer.optimizer
"""
BUILT = "        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)\n"
NEW_HEAD = "        self.model[1] = nn.Linear(8, 3)\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # What uses it moves with it, in whatever way it gets hold of it.
        (f"{OPTIMIZER}{SCHEDULE}{HEAD}", f"{HEAD}{OPTIMIZER}{SCHEDULE}"),
        (
            f"all_of = {{}}\nall_of[1] = {OPTIMIZER[12:]}optimizer = all_of[1]\n{HEAD}",
            f"all_of = {{}}\n{HEAD}all_of[1] = {OPTIMIZER[12:]}optimizer = all_of[1]\n",
        ),
        (
            f"all_of = []\nall_of.append({OPTIMIZER[12:-1]})\noptimizer = all_of[0]\n{HEAD}",
            f"all_of = []\n{HEAD}all_of.append({OPTIMIZER[12:-1]})\noptimizer = all_of[0]\n",
        ),
        (
            f"def tell():\n    print(optimizer)\n\n\n{OPTIMIZER}tell()\n{HEAD}",
            f"def tell():\n    print(optimizer)\n\n\n{HEAD}{OPTIMIZER}tell()\n",
        ),
        *(
            (
                METHODS.format(before=f"{BUILT}        {use}\n{NEW_HEAD}"),
                METHODS.format(before=f"{NEW_HEAD}{BUILT}        {use}\n"),
            )
            for use in ("self.schedule()", "print(self)")
        ),
        # A function that uses it is called later; a wrapped model is the same model.
        (
            f"{OPTIMIZER}def learn():\n    optimizer.step()\n{HEAD}",
            f"def learn():\n    optimizer.step()\n{HEAD}{OPTIMIZER}",
        ),
        (
            f"{OPTIMIZER}model = nn.DataParallel(model)\nmodel.module[1] = nn.Linear(8, 3)\n",
            f"model = nn.DataParallel(model)\nmodel.module[1] = nn.Linear(8, 3)\n{OPTIMIZER}",
        ),
        # Blocks move as wholes.
        (
            f"if True:\n    {OPTIMIZER}else:\n    optimizer = None\n{HEAD}",
            f"{HEAD}if True:\n    {OPTIMIZER}else:\n    optimizer = None\n",
        ),
        (f"{OPTIMIZER}with torch.no_grad():\n    {HEAD}", f"with torch.no_grad():\n    {HEAD}{OPTIMIZER}"),
    ],
)
def test_what_moves(tmp_path: Path, before: str, after: str) -> None:
    done = fixed_script(tmp_path, script(before))
    assert done.text == script(after)
    assert done.applied == ("FRZ204",)


def test_comments_go_along_and_blank_lines_do_not_pile_up(tmp_path: Path) -> None:
    before = (
        "def main():\n"
        "\n"
        "    # plain SGD\n"
        "    optimizer = torch.optim.SGD(\n"
        "        model.parameters(),  # all\n"
        '        lr=float("""\n'
        '0.1"""),\n'
        "    )  # built\n"
        "\n"
        "    # three classes\n"
        "    model[1] = nn.Linear(8, 3)\n"
        "\n"
        "    return optimizer\n"
        "\n"
        "\n"
        "optimizer = main()\n"
    )
    after = (
        "def main():\n"
        "\n"
        "    # three classes\n"
        "    model[1] = nn.Linear(8, 3)\n"
        "\n"
        "    # plain SGD\n"
        "    optimizer = torch.optim.SGD(\n"
        "        model.parameters(),  # all\n"
        '        lr=float("""\n'
        '0.1"""),\n'
        "    )  # built\n"
        "\n"
        "    return optimizer\n"
        "\n"
        "\n"
        "optimizer = main()\n"
    )
    assert fixed_script(tmp_path, script(before)).text == script(after)
