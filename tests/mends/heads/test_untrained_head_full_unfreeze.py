from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixing.mending import mended
from tests.mends.heads.networks import NETWORK, PRETRAINED, STEPS
from tests.mends.scripts import fixed_script

BACKBONE = 'backbone = [p for name, p in model.named_parameters() if not name.startswith("fc.")]\n'


def script(optimizer: str, *, before: str = "", steps: str = STEPS) -> str:
    return NETWORK + before + PRETRAINED + optimizer + steps


def test_it_is_not_safe(tmp_path: Path) -> None:
    text = script("optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n")
    done = fixed_script(tmp_path, text)
    assert done.text == text
    assert "--unsafe-fixes" in done.refused["FRZ401"]


@pytest.mark.parametrize(
    ("optimizer", "reason"),
    [
        ("rate = lambda: 0.1\noptimizer = torch.optim.SGD(model.parameters(), lr=rate())\n", "made twice"),
        (
            "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
            'optimizer.param_groups[0]["lr"] = 0.2\n',
            "by its number",
        ),
        (
            "settings = {'lr': 0.1}\noptimizer = torch.optim.SGD(model.parameters(), **settings)\n",
            "not written",
        ),
        ("if MANY: optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n", "before it on its line"),
        (
            "if torch.cuda.device_count() > 1:\n    model = nn.DataParallel(model)\n"
            "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n",
            "DataParallel",
        ),
        (
            "named = model.named_parameters\noptimizer = torch.optim.SGD(\n"
            '    [\n        {"params": [p for n, p in named() if "bias" in n], "weight_decay": 0},\n'
            '        {"params": [p for n, p in named() if "bias" not in n]},\n    ],\n    lr=0.1,\n)\n',
            "both the head and",
        ),
        ("build = lambda m: torch.optim.SGD(m.parameters(), lr=0.1)\noptimizer = build(model)\n", "inside"),
    ],
)
def test_what_cannot_be_done_well_is_left(tmp_path: Path, optimizer: str, reason: str) -> None:
    done = fixed_script(tmp_path, script(optimizer), unsafe=True)
    assert done.text == script(optimizer)
    assert reason in done.refused["FRZ401"]


def test_a_head_whose_name_a_condition_decides_is_left(tmp_path: Path) -> None:
    text = (
        NETWORK
        + "import sys\nmodel = Network()\nmodel.load_state_dict(torch.load('weights.pt'))\n"
        + "if len(sys.argv) > 1:\n    model.fc = nn.Linear(16, 2)\nelse:\n"
        + "    model = nn.Sequential(model, nn.ReLU())\n"
        + "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        + STEPS
    )
    done = fixed_script(tmp_path, text, unsafe=True)
    assert done.text == text
    assert "condition" in done.refused["FRZ401"]


@pytest.mark.parametrize(
    ("rate", "tenth", "kept"),
    [
        (", lr=0.1", "0.01", ", lr=0.1"),
        (", lr=5e-2", "5e-3", ", lr=5e-2"),
        (", 0.1", "0.01", ", 0.1"),
        (", lr=RATE", "RATE / 10", ", lr=RATE"),
        (", lr=RATE * 2", "RATE * 2 / 10", ", lr=RATE * 2"),
        (", lr=RATE + 0.1", "(RATE + 0.1) / 10", ", lr=RATE + 0.1"),
        ("", "0.0001", ""),
    ],
)
def test_the_backbone_gets_a_tenth(tmp_path: Path, rate: str, tenth: str, kept: str) -> None:
    before = "RATE = 0.1\n"
    text = script(f"optimizer = torch.optim.SGD(model.parameters(){rate})\n", before=before)
    groups = f'groups = [{{"params": backbone, "lr": {tenth}}}, {{"params": model.fc.parameters()}}]\n'
    wanted = script(f"{BACKBONE}{groups}optimizer = torch.optim.SGD(groups{kept})\n", before=before)
    done = fixed_script(tmp_path, text, unsafe=True)
    assert done.text == wanted
    assert done.applied == ("FRZ401",)


def test_a_choice_of_trainable_parameters_stays_one(tmp_path: Path) -> None:
    text = script(
        "chosen = [p for p in model.parameters() if p.requires_grad]\n"
        "optimizer = torch.optim.SGD(chosen, lr=0.1)\n"
    )
    wanted = script("""\
backbone = [
    p
    for name, p in model.named_parameters()
    if p.requires_grad and not name.startswith("fc.")
]
groups = [{"params": backbone, "lr": 0.01}, {"params": model.fc.parameters()}]
optimizer = torch.optim.SGD(groups, lr=0.1)
""")
    assert fixed_script(tmp_path, text, unsafe=True).text == wanted


def test_groups_that_are_there_get_rates(tmp_path: Path) -> None:
    text = """\
optimizer = torch.optim.SGD(
    [
        {"params": model.stem.parameters()},
        {"params": model.last.parameters(), "lr": LAST},
        {"params": model.fc.parameters()},
    ],
    lr=0.1,
)
"""
    before = script(text.replace("LAST", "1e-1"))
    after = script(text.replace("LAST", "1e-2").replace("stem.parameters()", 'stem.parameters(), "lr": 0.01'))
    assert fixed_script(tmp_path, before, unsafe=True).text == after


def test_a_module_that_builds_its_optimizer(tmp_path: Path) -> None:
    text = (
        NETWORK
        + """\
class Learner(nn.Module):
    def __init__(self, lr=0.1):
        super().__init__()
        self.lr = lr
        self.body = Network()
        self.body.load_state_dict(torch.load("weights.pt"))
        self.body.fc = nn.Identity()
        self.head = nn.Linear(16, 2)

    def forward(self, x):
        return self.head(self.body(x))

    def configure(self):
        {build}


model = Learner()
optimizer = model.configure()
"""
        + STEPS
    )
    before = text.replace("{build}", "return torch.optim.SGD(self.parameters(), lr=self.lr)")
    groups = """\
groups = [
            {"params": self.body.parameters(), "lr": self.lr / 10},
            {"params": self.head.parameters()},
        ]
        return torch.optim.SGD(groups, lr=self.lr)"""
    assert fixed_script(tmp_path, before, unsafe=True).text == text.replace("{build}", groups)


def test_a_rate_that_is_written_by_hand_is_scaled_then(tmp_path: Path) -> None:
    steps = """\
for epoch in range(2):
    for group in optimizer.param_groups:
        group["lr"] = 0.1 * 0.5**epoch
"""
    rest = STEPS.partition("\n")[2]
    text = script("optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n", steps=steps + rest)
    done = fixed_script(tmp_path, text, unsafe=True)
    assert done.applied == ("FRZ401", "FRZ404")
    assert '(0.1 * 0.5**epoch) * group["initial_lr"] / highest' in done.text


def test_modules_that_are_handed_over_one_by_one(tmp_path: Path) -> None:
    every = " + ".join(f"list(model.{name}.parameters())" for name in ("stem", "last", "fc"))
    before = script(f"optimizer = torch.optim.SGD({every}, lr=0.1)\n")
    after = script("""\
groups = [
    {"params": [*model.stem.parameters(), *model.last.parameters()], "lr": 0.01},
    {"params": model.fc.parameters()},
]
optimizer = torch.optim.SGD(groups, lr=0.1)
""")
    assert fixed_script(tmp_path, before, unsafe=True).text == after


def test_the_names_of_a_compiled_models_parameters_are_others(tmp_path: Path) -> None:
    compiled = "model = torch.compile(model)\n"
    before = script(compiled + "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n")
    after = script(
        compiled
        + """\
head = set(model.fc.parameters())
backbone = [p for p in model.parameters() if p not in head]
groups = [{"params": backbone, "lr": 0.01}, {"params": model.fc.parameters()}]
optimizer = torch.optim.SGD(groups, lr=0.1)
"""
    )
    assert fixed_script(tmp_path, before, unsafe=True).text == after


def test_in_a_notebook_the_cell_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "finetune.ipynb"
    code = script("optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n")
    lines = [{"cell_type": "markdown", "metadata": {}, "source": "# Fine-tuning"}]
    cell = {"cell_type": "code", "metadata": {}, "execution_count": 1, "outputs": [], "source": code}
    book = {"cells": [*lines, cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(book))
    after = json.loads(mended(tmp_path, path.name, unsafe=True).text)
    source = "".join(after["cells"][1]["source"])
    assert "optimizer = torch.optim.SGD(groups, lr=0.1)" in source
    assert after["cells"][0] == lines[0]
