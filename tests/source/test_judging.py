"""What several paths show, told once: on which conditions a finding depends, and how these are worded."""

from __future__ import annotations

import pytest

from tests.source.reading import found_in

_SCRIPT = """
    import argparse
    import os
    import sys
    import torch
    from torch import nn

    parser = argparse.ArgumentParser()
    parser.add_argument("--freeze", action="store_true")
    parser.add_argument("--optimizer", default="sgd")
    parser.add_argument("--print-freq", type=int, default=10)
    args = parser.parse_args()
    rank = int(os.environ["RANK"])
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2))
    {freeze}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step, (inputs, labels) in enumerate(loader):
        loss = nn.functional.cross_entropy(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        if step % args.print_freq == 0:
            print(loss.item(), [p.requires_grad for p in model.parameters()])
        optimizer.step()
"""


def told(freeze: str) -> str:
    (finding,) = found_in(_SCRIPT.format(freeze=freeze))
    assert finding.code == "FRZ201"
    return finding.message


def test_what_holds_on_every_path_has_no_condition() -> None:
    assert told("model[0].requires_grad_(False)").startswith("SGD holds `model.0`")


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        ("args.freeze", "`args.freeze`"),
        ("args.optimizer == 'sgd'", "`args.optimizer == 'sgd'`"),
        ("args.optimizer != 'adam'", "`args.optimizer != 'adam'`"),
        ("not sys.argv[1:]", "not `sys.argv[1:]`"),
        (
            "settings(sys.argv, 'stage') == measure(loader)",
            "`settings(sys.argv, 'stage') == measure(loader)`",
        ),
    ],
)
def test_the_condition_that_decides(condition: str, shown: str) -> None:
    assert told(f"if {condition}: model[0].requires_grad_(False)").startswith(f"when {shown}: SGD holds")


def test_of_two_conditions_those_that_decide() -> None:
    message = told("if args.freeze and rank >= 0: model[0].requires_grad_(False)")
    assert message.startswith("when `args.freeze`: SGD holds"), "on which rank it runs is no matter"


def test_a_long_condition_is_cut_short() -> None:
    condition = " + ".join(f"number_of_layers_{n}(sys.argv)" for n in range(5))
    message = told(f"if {condition} == 7: model[0].requires_grad_(False)")
    shown = message.partition("`")[2].partition("`")[0]
    assert condition.startswith(shown[:-1])
    assert shown.endswith("…")
    assert len(shown) == 60
