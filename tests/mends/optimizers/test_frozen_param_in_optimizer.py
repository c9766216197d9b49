from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.optimizers.scripts import script
from tests.mends.scripts import fixed_script

FREEZE = "body.requires_grad_(False)\n"


def test_a_freeze_that_the_script_takes_back_is_left_alone(tmp_path: Path) -> None:
    text = script(
        f"{FREEZE}optimizer = torch.optim.SGD(model.parameters(), lr=0.1)",
        "if epoch == 2:\n    body.requires_grad_(True)",
    )
    assert fixed_script(tmp_path, text).text == text


@pytest.mark.parametrize(
    ("built", "fixed"),
    [
        (
            "torch.optim.SGD(model.parameters(), lr=0.1)",
            "torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)",
        ),
        (
            "torch.optim.SGD(lr=0.1, params=model.parameters())",
            "torch.optim.SGD(lr=0.1, params=[p for p in model.parameters() if p.requires_grad])",
        ),
        (
            "torch.optim.AdamW(\n    model.parameters(),  # all\n    lr=0.1,\n)",
            "torch.optim.AdamW(\n    [p for p in model.parameters() if p.requires_grad],  # all\n"
            "    lr=0.1,\n)",
        ),
        (
            "torch.optim.Adam(itertools.chain(body.parameters(), head.parameters()))",
            "torch.optim.Adam([p for p in itertools.chain(body.parameters(), head.parameters()) "
            "if p.requires_grad])",
        ),
        (
            'torch.optim.SGD([{"params": body.parameters()}, {"params": head.parameters()}], lr=0.1)',
            'torch.optim.SGD([{"params": head.parameters()}], lr=0.1)',
        ),
        (
            'torch.optim.SGD([{"params": head.parameters()}, {"params": body.parameters()}], lr=0.1)',
            'torch.optim.SGD([{"params": head.parameters()}], lr=0.1)',
        ),
        (
            'torch.optim.SGD([{"params": model.parameters(), "lr": 1.0}])',
            'torch.optim.SGD([{"params": [p for p in model.parameters() if p.requires_grad], "lr": 1.0}])',
        ),
    ],
)
def test_the_trainable_parameters_are_chosen_where_the_optimizer_is_built(
    tmp_path: Path, built: str, fixed: str
) -> None:
    done = fixed_script(tmp_path, script(f"{FREEZE}optimizer = {built}"))
    assert done.text == script(f"{FREEZE}optimizer = {fixed}")
    assert done.applied == ("FRZ201",)


def test_a_group_whose_number_is_used_stays(tmp_path: Path) -> None:
    text = script(
        f'{FREEZE}groups = [{{"params": body.parameters()}}, {{"params": head.parameters()}}]\n'
        "optimizer = torch.optim.SGD(groups, lr=0.1)",
        'optimizer.param_groups[1]["lr"] *= 0.5',
    )
    fixed = text.replace("body.parameters()}", "[p for p in body.parameters() if p.requires_grad]}")
    assert fixed_script(tmp_path, text).text == fixed


def test_an_optimizer_that_is_older_than_the_freeze_is_built_after_it(tmp_path: Path) -> None:
    optimizer = "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # plain\n"
    schedule = "schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)\n"
    text = script(f"{optimizer}{schedule}rate = 0.5\n{FREEZE}")
    fixed = optimizer.replace("model.parameters()", "[p for p in model.parameters() if p.requires_grad]")
    assert fixed_script(tmp_path, text).text == script(f"rate = 0.5\n{FREEZE}{fixed}{schedule}")


def test_what_is_frozen_within_the_loop_leaves_the_groups(tmp_path: Path) -> None:
    optimizer = "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)"
    freeze = "if epoch == 0:\n    for weight in body.parameters():\n        weight.requires_grad = False"
    taken = (
        "\n    for group in optimizer.param_groups:"
        '\n        group["params"] = [p for p in group["params"] if p.requires_grad]'
    )
    assert fixed_script(tmp_path, script(optimizer, freeze)).text == script(optimizer, freeze + taken)
