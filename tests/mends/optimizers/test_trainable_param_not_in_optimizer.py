from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.optimizers.scripts import script
from tests.mends.scripts import fixed_script

FROZEN = "body.requires_grad_(False)\n"
OPTIMIZER = "optimizer = torch.optim.Adam(head.parameters())\n"


def test_before_the_first_step_the_optimizer_is_built_later(tmp_path: Path) -> None:
    chosen = "optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad])\n"
    unfreeze = "body.requires_grad_(True)\n"
    done = fixed_script(tmp_path, script(f"{FROZEN}{chosen}{unfreeze}"))
    assert done.text == script(f"{FROZEN}{unfreeze}{chosen}")


@pytest.mark.parametrize(
    ("unfreeze", "joining"),
    [
        ("body.requires_grad_(True)", "body.parameters()"),
        (
            "for weight in body.parameters():\n        weight.requires_grad = True",
            "body.parameters()",
        ),
        (
            'for name, weight in body.named_parameters():\n        if "0." in name:\n'
            "            weight.requires_grad = True",
            '[weight for name, weight in body.named_parameters() if "0." in name]',
        ),
        (
            "for layer in body.children():\n        for weight in layer.parameters():\n"
            "            weight.requires_grad = True",
            "[weight for layer in body.children() for weight in layer.parameters()]",
        ),
    ],
)
def test_what_opens_later_joins_the_optimizer_that_has_state(
    tmp_path: Path, unfreeze: str, joining: str
) -> None:
    epoch = f"if epoch == 2:\n    {unfreeze}"
    joined = f'\n    optimizer.add_param_group({{"params": {joining}}})'
    done = fixed_script(tmp_path, script(FROZEN + OPTIMIZER, epoch))
    assert done.text == script(FROZEN + OPTIMIZER, epoch + joined)
    assert done.applied == ("FRZ203",)


def test_what_the_optimizer_holds_already_does_not_join_again(tmp_path: Path) -> None:
    epoch = "if epoch >= 2:\n    for weight in model.parameters():\n        weight.requires_grad = True"
    joined = """
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    added = [p for p in model.parameters() if id(p) not in held]
    if added:
        optimizer.add_param_group({"params": added})"""
    done = fixed_script(tmp_path, script(FROZEN + OPTIMIZER, epoch))
    assert done.text == script(FROZEN + OPTIMIZER, epoch + joined)
