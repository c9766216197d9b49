from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.scripts import fixed_script

BEFORE = """\
import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.1))
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.backbone(x))
{code}

optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
model(torch.randn(16, 4)).sum().backward()
optimizer.step()
"""
METHOD = "\n    def freeze_backbone(self):\n        {}\n\n\nmodel = Classifier()\nmodel.freeze_backbone()"
FUNCTION = "\n\ndef freeze(module):\n    {}\n\n\nmodel = Classifier()\nfreeze(model.backbone)"


def test_it_is_an_unsafe_fix(tmp_path: Path) -> None:
    code = METHOD.format("self.backbone.eval()")
    done = fixed_script(tmp_path, BEFORE.format(code=code))
    assert done.text == BEFORE.format(code=code)


@pytest.mark.parametrize(
    ("code", "fixed"),
    [
        (
            METHOD.format("self.backbone.eval()"),
            METHOD.format("self.backbone.eval()\n        self.backbone.requires_grad_(False)"),
        ),
        (
            METHOD.format("return self.backbone.eval()"),
            METHOD.format("return self.backbone.eval().requires_grad_(False)"),
        ),
        (
            METHOD.format("self.backbone.train(False)"),
            METHOD.format("self.backbone.train(False)\n        self.backbone.requires_grad_(False)"),
        ),
        (
            FUNCTION.format("for layer in module:\n        layer.eval()"),
            FUNCTION.format(
                "for layer in module:\n        layer.eval()\n        layer.requires_grad_(False)"
            ),
        ),
        (
            FUNCTION.format("if module: module.eval()"),
            FUNCTION.format("if module: module.eval().requires_grad_(False)"),
        ),
        (
            FUNCTION.format("frozen = module.eval()\n    return frozen"),
            FUNCTION.format("frozen = module.eval().requires_grad_(False)\n    return frozen"),
        ),
        (
            "\n\nmodel = Classifier()\n# freeze the backbone\nmodel.backbone.eval()",
            "\n\nmodel = Classifier()\n# freeze the backbone\nmodel.backbone.eval()\n"
            "model.backbone.requires_grad_(False)",
        ),
    ],
)
def test_it_is_frozen_as_well(tmp_path: Path, code: str, fixed: str) -> None:
    done = fixed_script(tmp_path, BEFORE.format(code=code), unsafe=True)
    assert done.text == BEFORE.format(code=fixed)
    assert done.applied == ("FRZ506",)


def test_in_a_method_that_calls_that_of_its_base(tmp_path: Path) -> None:
    code = "\n    def freeze(self):\n        super().eval()\n{}"
    code += "\n\nmodel = nn.Sequential(Classifier(), nn.Linear(2, 2))"
    code += "\nmodel[0].freeze()"
    done = fixed_script(tmp_path, BEFORE.format(code=code.format("")), unsafe=True)
    assert done.text == BEFORE.format(code=code.format("        self.requires_grad_(False)\n"))


def test_a_freeze_in_every_epoch_comes_before_the_optimizer_too(tmp_path: Path) -> None:
    code = """\
import torch
from torch import nn


def freeze(module):
    module.eval()


def main():
    backbone, head = nn.Sequential(nn.Linear(4, 8), nn.Dropout()), nn.Linear(8, 2)
    model = nn.Sequential(backbone, head)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        model.train()
        freeze(backbone)
        optimizer.zero_grad()
        model(torch.randn(16, 4)).sum().backward()
        optimizer.step()


main()
"""
    done = fixed_script(tmp_path, code, unsafe=True)
    assert done.text == code  # `backbone` is not built in a statement of its own
    code = code.replace("backbone, head = ", "backbone = ").replace(
        ", nn.Linear(8, 2)", "\n    head = nn.Linear(8, 2)"
    )
    done = fixed_script(tmp_path, code, unsafe=True)
    assert done.applied == ("FRZ506", "FRZ201")
    assert done.text == code.replace(
        "    module.eval()\n", "    module.eval()\n    module.requires_grad_(False)\n"
    ).replace("    head =", "    freeze(backbone)\n    head =").replace(
        "model.parameters()", "[p for p in model.parameters() if p.requires_grad]"
    )
