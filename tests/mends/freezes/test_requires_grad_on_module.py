from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixing.mending import mended
from tests.mends.scripts import fixed_script

BEFORE = """\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 2))
{freeze}
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
model(torch.randn(16, 4)).sum().backward()
optimizer.step()
"""


@pytest.mark.parametrize(
    ("freeze", "reason"),
    [
        ("model[0].requires_grad = None", "None is no value of a flag"),
        ("if model: model[0].requires_grad = model[2].requires_grad = False", "another statement stands on"),
        ("model[0].requires_grad, model[2].requires_grad = [False] * 2", "is not written out"),
        ("for name in ['requires_grad']:\n    setattr(model[0], name, False)", "set in another way"),
    ],
)
def test_what_cannot_be_said_as_a_call_stays(tmp_path: Path, freeze: str, reason: str) -> None:
    done = fixed_script(tmp_path, BEFORE.format(freeze=freeze))
    assert done.text == BEFORE.format(freeze=freeze)
    assert reason in done.refused["FRZ501"]


@pytest.mark.parametrize(
    ("freeze", "fixed"),
    [
        ("model[0].requires_grad = False", "model[0].requires_grad_(False)"),
        ("model[0].requires_grad = False  # not trained", "model[0].requires_grad_(False)  # not trained"),
        ("model[0].requires_grad = 0", "model[0].requires_grad_(False)"),
        ("model[0].requires_grad_ = False", "model[0].requires_grad_(False)"),
        ("setattr(model[0], 'requires_grad', False)", "model[0].requires_grad_(False)"),
        (
            "(model[0] if model else model[2]).requires_grad = False",
            "(model[0] if model else model[2]).requires_grad_(False)",
        ),
        (
            "model.requires_grad_(False)\nmodel[3].requires_grad = True",
            "model.requires_grad_(False)\nmodel[3].requires_grad_(True)",
        ),
        (
            "TRAIN = False\nfor layer in model[:2]:\n\tlayer.requires_grad = TRAIN",
            "TRAIN = False\nfor layer in model[:2]:\n\tlayer.requires_grad_(TRAIN)",
        ),
        (
            "for layer in model[:2]: layer.requires_grad = False",
            "for layer in model[:2]: layer.requires_grad_(False)",
        ),
        (
            "first = model[0]; first.requires_grad = False; print(first)",
            "first = model[0]; first.requires_grad_(False); print(first)",
        ),
        (
            "if True:\n    model[0].requires_grad = model[2].requires_grad = False",
            "if True:\n    model[0].requires_grad_(False)\n    model[2].requires_grad_(False)",
        ),
        (
            "model[0].requires_grad = frozen = False",
            "model[0].requires_grad_(False)\nfrozen = False",
        ),
        (
            "model[0].requires_grad, model[2].requires_grad = False, False",
            "model[0].requires_grad_(False)\nmodel[2].requires_grad_(False)",
        ),
        (
            "list(map(lambda m: setattr(m, 'requires_grad', False), model[:2]))",
            "list(map(lambda m: m.requires_grad_(False), model[:2]))",
        ),
    ],
)
def test_the_method_is_called(tmp_path: Path, freeze: str, fixed: str) -> None:
    done = fixed_script(tmp_path, BEFORE.format(freeze=freeze))
    assert done.text == BEFORE.format(freeze=fixed)
    assert done.applied == ("FRZ501",)


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    freeze = "model[0].requires_grad = model[2].requires_grad = False"
    fixed = "model[0].requires_grad_(False)\nmodel[2].requires_grad_(False)"
    done = fixed_script(tmp_path, BEFORE.format(freeze=freeze).replace("\n", "\r\n"))
    assert done.text == BEFORE.format(freeze=fixed).replace("\n", "\r\n")


def test_a_helper_in_another_module_is_mended_and_what_follows_from_it(tmp_path: Path) -> None:
    helper = "def freeze(module):\n    module.requires_grad = False\n"
    script = BEFORE.format(freeze="from helpers import freeze\n\nfreeze(model[0])")
    (tmp_path / "helpers.py").write_text(helper)
    (tmp_path / "train.py").write_text(
        script.replace("[p for p in model.parameters() if p.requires_grad]", "model.parameters()")
    )
    done = mended(tmp_path, "train.py", "helpers.py")
    assert done.texts["helpers.py"] == "def freeze(module):\n    module.requires_grad_(False)\n"
    assert done.texts["train.py"] == script
    assert done.applied == ("FRZ501", "FRZ201")


def test_in_the_cell_of_a_notebook(tmp_path: Path) -> None:
    first, last = BEFORE.split("{freeze}\n")
    cells = [first, "model[0].requires_grad = model[2].requires_grad = False", last]
    shown = [{"cell_type": "code", "source": text.splitlines(keepends=True)} for text in cells]
    (tmp_path / "train.ipynb").write_text(json.dumps({"cells": shown}, indent=1))
    done = mended(tmp_path, "train.ipynb")
    told = ["".join(cell["source"]) for cell in json.loads(done.text)["cells"]]
    assert told == [first, "model[0].requires_grad_(False)\nmodel[2].requires_grad_(False)", last]
