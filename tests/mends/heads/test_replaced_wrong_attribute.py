from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.scripts import fixed_script

HEAD = "import torch\nfrom torch import nn\nfrom torchvision import models\n\n"
STEPS = """\
for _ in range(2):
    optimizer.zero_grad()
    model(torch.randn(4, 3, 64, 64)).square().mean().backward()
    optimizer.step()
"""


def script(architecture: str, assigned: str, trained: str) -> str:
    return (
        f'{HEAD}model = models.{architecture}(weights="DEFAULT")\n{assigned}'
        f"optimizer = torch.optim.Adam({trained}, lr=1e-4)\n{STEPS}"
    )


def test_an_attribute_that_is_set_by_name_is_left(tmp_path: Path) -> None:
    text = script("resnet18", 'setattr(model, "head", nn.Linear(512, 4))\n', "model.parameters()")
    assert fixed_script(tmp_path, text, unsafe=True).text == text


def test_a_name_that_is_right_for_another_model_is_left(tmp_path: Path) -> None:
    branches = (
        "if len(HEAD) < 9:\n    {made}    model.classifier = nn.Linear(512, 4)\n"
        'else:\n    model = models.densenet121(weights="DEFAULT")\n'
        "    model.classifier = nn.Linear(1024, 4)\n"
    ).format(made='model = models.resnet18(weights="DEFAULT")\n')
    text = HEAD + 'HEAD = "fc"\n' + branches
    text += f"optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)\n{STEPS}"
    done = fixed_script(tmp_path, text, unsafe=True)
    assert done.text == text
    assert "several models" in done.refused["FRZ408"]


def test_a_head_of_another_kind_is_left(tmp_path: Path) -> None:
    text = script("squeezenet1_1", "model.fc = nn.Linear(512, 4)\n", "model.parameters()")
    assert fixed_script(tmp_path, text, unsafe=True).text == text


@pytest.mark.parametrize(
    ("architecture", "before", "after"),
    [
        ("resnet18", "model.head = nn.Linear(512, 4)\n", "model.fc = nn.Linear(512, 4)\n"),
        (
            "resnet18",
            "model.classifier = nn.Linear(model.fc.in_features, 4)\n",
            "model.fc = nn.Linear(model.fc.in_features, 4)\n",
        ),
        ("resnet50", "model.head = nn.Linear(512, 4)\n", "model.fc = nn.Linear(model.fc.in_features, 4)\n"),
        ("vgg16", "model.fc = nn.Linear(4096, 4)\n", "model.classifier[6] = nn.Linear(4096, 4)\n"),
        ("mobilenet_v2", "model.fc = nn.Linear(1280, 4)\n", "model.classifier[1] = nn.Linear(1280, 4)\n"),
        (
            "mobilenet_v2",
            "model.fc = nn.Sequential(nn.Linear(1280, 9), nn.ReLU(), nn.Linear(9, 4))\n",
            "model.classifier = nn.Sequential(nn.Linear(1280, 9), nn.ReLU(), nn.Linear(9, 4))\n",
        ),
    ],
)
def test_the_head_gets_its_own_name(tmp_path: Path, architecture: str, before: str, after: str) -> None:
    done = fixed_script(tmp_path, script(architecture, before, "model.parameters()"), unsafe=True)
    assert done.text == script(architecture, after, "model.parameters()")
    assert done.applied == ("FRZ408",)


def test_so_does_what_refers_to_it(tmp_path: Path) -> None:
    text = (
        "model.{name} = nn.Linear(512, 4)\n"
        "for name, p in model.named_parameters():\n"
        '    if not name.startswith("{name}"):\n'
        "        p.requires_grad = False\n"
        "model.eval()\n"
    )
    before = script("resnet18", text.replace("{name}", "head"), "model.head.parameters()")
    after = script("resnet18", text.replace("{name}", "fc"), "model.fc.parameters()")
    assert fixed_script(tmp_path, before, unsafe=True).text == after


def test_a_model_without_a_head_is_followed_by_it(tmp_path: Path) -> None:
    text = """\
import torch
from torch import nn

model = nn.TransformerEncoderLayer(8, 2, 16)
model.load_state_dict(torch.load("weights.pt"))
{assigned}
optimizer = torch.optim.Adam({trained}.parameters(), lr=1e-4)
model(torch.randn(5, 4, 8)).square().mean().backward()
optimizer.step()
"""
    before = text.format(assigned="model.head = nn.Linear(8, 2)", trained="model")
    after = text.format(assigned="model = nn.Sequential(model, nn.Linear(8, 2))", trained="model")
    assert fixed_script(tmp_path, before, unsafe=True).text == after
