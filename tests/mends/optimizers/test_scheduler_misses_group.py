from __future__ import annotations

from pathlib import Path

from tests.mends.optimizers.scripts import script
from tests.mends.scripts import fixed_script

SETUP = """\
body.requires_grad_(False)
optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
"""
LAMBDA = "schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.9**epoch)\n"
JOIN = 'body.requires_grad_(True)\noptimizer.add_param_group({"params": body.parameters(), "lr": 0.01})'


def stepping(setup: str, epoch: str = "") -> str:
    return script(setup, epoch).replace("optimizer.step()\n", "optimizer.step()\n    schedule.step()\n")


def test_without_leave_nothing_changes(tmp_path: Path) -> None:
    text = stepping(f"{SETUP}{LAMBDA}{JOIN}")
    assert fixed_script(tmp_path, text).text == text


def test_before_the_first_step_the_schedule_is_built_later(tmp_path: Path) -> None:
    done = fixed_script(tmp_path, stepping(f"{SETUP}{LAMBDA}{JOIN}"), unsafe=True)
    assert done.text == stepping(f"{SETUP}{JOIN}\n{LAMBDA}".rstrip())


def test_once_it_has_begun_the_schedule_is_told_of_the_group(tmp_path: Path) -> None:
    joined = "\n".join(f"    {line}" for line in JOIN.splitlines())
    epoch = f"if epoch == 2:\n{joined}"
    told = """
    optimizer.param_groups[-1]["initial_lr"] = optimizer.param_groups[-1]["lr"]
    schedule.base_lrs.append(optimizer.param_groups[-1]["initial_lr"])
    schedule.lr_lambdas.append(schedule.lr_lambdas[-1])"""
    done = fixed_script(tmp_path, stepping(SETUP + LAMBDA, epoch), unsafe=True)
    assert done.text == stepping(SETUP + LAMBDA, epoch + told)


def test_a_helper_is_told_nothing_of_the_schedule_of_its_caller(tmp_path: Path) -> None:
    helper = "def join(optimizer):\n" + "".join(f"    {line}\n" for line in JOIN.splitlines()) + "\n\n"
    told = """
    optimizer.param_groups[-1]["initial_lr"] = optimizer.param_groups[-1]["lr"]
    schedule.base_lrs.append(optimizer.param_groups[-1]["initial_lr"])
    schedule.lr_lambdas.append(schedule.lr_lambdas[-1])"""
    epoch = "if epoch == 2:\n    join(optimizer)"
    done = fixed_script(tmp_path, stepping(helper + SETUP + LAMBDA, epoch), unsafe=True)
    assert done.text == stepping(helper + SETUP + LAMBDA, epoch + told)
