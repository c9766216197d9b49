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


NEW_ONLY = """
{indent}held = {{id(p) for group in {optimizer}.param_groups for p in group["params"]}}
{indent}added = [p for p in {taken} if {trains}id(p) not in held]
{indent}if added:
{indent}    {optimizer}.add_param_group({{"params": added}})"""
HELPER = (
    "def thaw(net, flag=True):\n    for weight in net.parameters():\n        weight.requires_grad = {flag}"
    "\n\n\n"
)


def test_a_helper_is_told_nothing_of_the_optimizer_of_its_caller(tmp_path: Path) -> None:
    helper = HELPER.format(flag="True")
    epoch = "if epoch == 2:\n    thaw(body)"
    joined = '\n    optimizer.add_param_group({"params": body.parameters()})'
    done = fixed_script(tmp_path, script(helper + FROZEN + OPTIMIZER, epoch))
    assert done.text == script(helper + FROZEN + OPTIMIZER, epoch + joined)


def test_a_helper_that_is_called_for_this_and_that(tmp_path: Path) -> None:
    """Each call gets its group; what the helper freezes stays out."""
    helper = HELPER.format(flag="flag")
    calls = ("if epoch == 1:\n    thaw(body[0])", "\nif epoch == 2:\n    thaw(body, True)")
    joined = tuple(
        NEW_ONLY.format(
            indent="    ", optimizer="optimizer", taken=f"{net}.parameters()", trains="p.requires_grad and "
        )
        for net in ("body[0]", "body")
    )
    setup = f"{helper}body.append(nn.Linear(8, 8))\nthaw(body, False)\n{OPTIMIZER}"
    done = fixed_script(tmp_path, script(setup, "".join(calls)))
    assert done.text == script(setup, calls[0] + joined[0] + calls[1] + joined[1])


def test_what_is_decided_anew_in_each_epoch_joins_once(tmp_path: Path) -> None:
    epoch = "for weight in body.parameters():\n    weight.requires_grad = epoch >= 2"
    joined = NEW_ONLY.format(
        indent="", optimizer="optimizer", taken="body.parameters()", trains="p.requires_grad and "
    )
    done = fixed_script(tmp_path, script(FROZEN + OPTIMIZER, epoch))
    assert done.text == script(FROZEN + OPTIMIZER, epoch + joined)


def test_a_loop_that_does_more_is_asked_for_the_module_it_goes_through(tmp_path: Path) -> None:
    epoch = (
        "if epoch == 2:\n    for weight in body.parameters():\n        print(weight.shape)\n"
        "        weight.requires_grad = True"
    )
    joined = NEW_ONLY.format(
        indent="    ", optimizer="optimizer", taken="body.parameters()", trains="p.requires_grad and "
    )
    done = fixed_script(tmp_path, script(FROZEN + OPTIMIZER, epoch))
    assert done.text == script(FROZEN + OPTIMIZER, epoch + joined)


def test_of_two_optimizers_the_one_that_holds_its_neighbours(tmp_path: Path) -> None:
    setup = (
        "body.append(nn.Linear(8, 8))\nbody[0].requires_grad_(False)\n"
        "optimizer = torch.optim.SGD(body[2].parameters(), lr=0.1)\n"
        "other = torch.optim.SGD(head.parameters(), lr=0.1)\n"
    )
    epoch = "other.step()\nif epoch == 2:\n    body[0].requires_grad_(True)"
    joined = '\n    optimizer.add_param_group({"params": body[0].parameters()})'
    assert fixed_script(tmp_path, script(setup, epoch)).text == script(setup, epoch + joined)
