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
            "torch.optim.Adam(p for p in model.parameters())",
            "torch.optim.Adam([p for p in model.parameters() if p.requires_grad])",
        ),
        (
            'torch.optim.Adam([w for n, w in model.named_parameters() if "x" not in n])',
            'torch.optim.Adam([w for n, w in model.named_parameters() if "x" not in n and w.requires_grad])',
        ),
        (
            'torch.optim.Adam([w for n, w in model.named_parameters() if "0" in n or "1" in n])',
            'torch.optim.Adam([w for n, w in model.named_parameters() if "0" in n or "1" in n '
            "if w.requires_grad])",
        ),
        (
            "torch.optim.Adam(list(model.parameters()))",
            "torch.optim.Adam([p for p in model.parameters() if p.requires_grad])",
        ),
        (
            "torch.optim.Adam(model.named_parameters())",
            "torch.optim.Adam([(name, p) for name, p in model.named_parameters() if p.requires_grad])",
        ),
        (
            "torch.optim.Adam(model.parameters() if model else head.parameters())",
            "torch.optim.Adam([p for p in (model.parameters() if model else head.parameters()) "
            "if p.requires_grad])",
        ),
        (
            "torch.optim.Adam(weights := list(model.parameters()))",
            "torch.optim.Adam(weights := [p for p in model.parameters() if p.requires_grad])",
        ),
        (
            'torch.optim.SGD([{"params": body.parameters()}, {"params": head.parameters()}], lr=0.1)',
            'torch.optim.SGD([{"params": head.parameters()}], lr=0.1)',
        ),
        (
            'torch.optim.SGD([{"params": head.parameters()}, {"params": body[0].weight}, '
            '{"params": body[0].bias}], lr=0.1)',
            'torch.optim.SGD([{"params": head.parameters()}], lr=0.1)',
        ),
        (
            'torch.optim.SGD([{"params": part.parameters()} for part in model], lr=0.1)',
            'torch.optim.SGD([{"params": [p for p in part.parameters() if p.requires_grad]} '
            "for part in model], lr=0.1)",
        ),
        (
            "torch.optim.SGD([dict(params=part.parameters()) for part in model], lr=0.1)",
            "torch.optim.SGD([dict(params=[p for p in part.parameters() if p.requires_grad]) "
            "for part in model], lr=0.1)",
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


@pytest.mark.parametrize(
    ("setup", "reason"),
    [
        ("given = (model.parameters(), 0.1)\noptimizer = torch.optim.SGD(*given)", "unpacked"),
        (
            'optimizer = torch.optim.SGD([{"params": [p]} for p in model.parameters()], lr=0.1)',
            "one parameter each",
        ),
    ],
)
def test_what_cannot_be_said_well_is_left_to_the_author(tmp_path: Path, setup: str, reason: str) -> None:
    text = script(FREEZE + setup)
    done = fixed_script(tmp_path, text)
    assert done.text == text
    assert reason in done.refused["FRZ201"]


@pytest.mark.parametrize(
    "made",
    [
        'groups = []\nfor part in model:\n    groups.append({"params": part.parameters()})\n',
        'groups = []\nfor part in model:\n    groups += [{"params": part.parameters()}]\n',
        'def groups_of(net):\n    return [{"params": part.parameters()} for part in net]\n\n\n'
        "groups = groups_of(model)\n",
        "def learner(groups):\n    return torch.optim.SGD(groups, lr=0.1)\n\n\n"
        'optimizer = learner([{"params": part.parameters()} for part in model])\n',
    ],
)
def test_groups_are_chosen_where_they_are_made(tmp_path: Path, made: str) -> None:
    built = "" if "learner" in made else "optimizer = torch.optim.SGD(groups, lr=0.1)"
    done = fixed_script(tmp_path, script(f"{FREEZE}{made}{built}"))
    chosen = made.replace("part.parameters()", "[p for p in part.parameters() if p.requires_grad]")
    assert done.text == script(f"{FREEZE}{chosen}{built}")
    assert done.applied == ("FRZ201",)


def test_an_optimizer_of_groups_is_built_after_two_freezes(tmp_path: Path) -> None:
    optimizer = (
        'optimizer = torch.optim.SGD([{"params": body.parameters()}, {"params": head.parameters()}], lr=1)\n'
    )
    freezes = "body[0].weight.requires_grad_(False)\nbody[0].bias.requires_grad_(False)\n"
    fixed = optimizer.replace('{"params": body.parameters()}, ', "")
    assert fixed_script(tmp_path, script(f"{optimizer}{freezes}")).text == script(f"{freezes}{fixed}")


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
