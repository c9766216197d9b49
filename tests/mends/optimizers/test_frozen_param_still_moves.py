from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.optimizers.scripts import script
from tests.mends.scripts import fixed_script

OPTIMIZER = "optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)"


def zeroed(epoch: str) -> str:
    """The gradients are set to zero, so that momentum carries on what was frozen."""
    return script(OPTIMIZER, epoch).replace(
        "zero_grad()\n    model", "zero_grad(set_to_none=False)\n    model"
    )


@pytest.mark.parametrize(
    ("freeze", "dropped"),
    [
        (
            "for weight in body.parameters():\n        weight.requires_grad = False",
            "\n        weight.grad = None",
        ),
        (
            "for weight in body.parameters():\n        weight.requires_grad_(False)",
            "\n        weight.grad = None",
        ),
        ("body.requires_grad_(False)", "\n    body.zero_grad(set_to_none=True)"),
    ],
)
def test_the_freeze_drops_the_gradient(tmp_path: Path, freeze: str, dropped: str) -> None:
    head = "if epoch == 2:\n    "
    done = fixed_script(tmp_path, zeroed(head + freeze))
    assert done.applied[0] == "FRZ202"
    assert zeroed(head + freeze + dropped).partition("optimizer.zero_grad")[0] in done.text


@pytest.mark.parametrize(
    ("freeze", "dropped"),
    [
        (
            "for weight in body.parameters():\n    weight.requires_grad = epoch < 2",
            "\n    if not weight.requires_grad:\n        weight.grad = None",
        ),
        (
            "body.requires_grad_(epoch < 2)",
            "\nif not epoch < 2:\n    body.zero_grad(set_to_none=True)",
        ),
    ],
)
def test_who_also_unfreezes_keeps_gradients_then(tmp_path: Path, freeze: str, dropped: str) -> None:
    done = fixed_script(tmp_path, zeroed(freeze))
    assert zeroed(freeze + dropped).partition("optimizer.zero_grad")[0] in done.text
