from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.scripts import fixed_script

HEAD = """\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


"""

VALIDATE = """\
def validate(net):
    net.eval()
    with torch.no_grad():
        return net(torch.randn(4, 4)).argmax(1)


"""

TRAIN = """\
def train_epoch(net, batches):
    \"\"\"One epoch.\"\"\"
{}    for batch in batches:
        optimizer.zero_grad()
        net(batch).sum().backward()
        optimizer.step()


"""

STEP = """\
    optimizer.zero_grad()
    model(torch.randn(4, 4)).sum().backward()
    optimizer.step()
"""


def test_eval_from_start_to_end_is_a_decision(tmp_path: Path) -> None:
    text = f"{HEAD}model.eval()\nfor epoch in range(3):\n{STEP}"
    assert fixed_script(tmp_path, text).text == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (  # what stands right before the loop moves into it
            f"{VALIDATE}model.train()\nfor epoch in range(3):\n{STEP}    validate(model)\n",
            f"{VALIDATE}for epoch in range(3):\n    model.train()\n{STEP}    validate(model)\n",
        ),
        (
            f"model.train()\nprint(1)\nfor epoch in range(3):\n{STEP}    model.eval()\n    print(2)\n",
            f"model.train()\nprint(1)\nfor epoch in range(3):\n    model.train()\n{STEP}    model.eval()\n"
            "    print(2)\n",
        ),
        (  # the validation comes first
            f"{VALIDATE}model.train()\nfor epoch in range(3):\n    validate(model)\n{STEP}",
            f"{VALIDATE}for epoch in range(3):\n    validate(model)\n    model.train()\n{STEP}",
        ),
        (  # between two epochs, in a loop over batches
            f"{VALIDATE}model.train()\nfor step in range(9):\n{STEP}"
            "    if step % 3 == 2:\n        validate(model)\n",
            f"{VALIDATE}model.train()\nfor step in range(9):\n{STEP}"
            "    if step % 3 == 2:\n        validate(model)\n        model.train()\n",
        ),
        (  # a function that trains, and is handed the model
            f"{VALIDATE}{TRAIN.format('')}model.train()\nfor epoch in range(3):\n"
            "    train_epoch(model, [torch.randn(4, 4)])\n    validate(model)\n",
            f"{VALIDATE}{TRAIN.format('    net.train()' + chr(10))}model.train()\nfor epoch in range(3):\n"
            "    train_epoch(model, [torch.randn(4, 4)])\n    validate(model)\n",
        ),
    ],
)
def test_train_is_called_where_the_training_goes_on(tmp_path: Path, before: str, after: str) -> None:
    done = fixed_script(tmp_path, HEAD + before)
    assert done.text == HEAD + after
    assert done.applied == ("FRZ105",)


def test_a_trainer_calls_it_on_its_own_model(tmp_path: Path) -> None:
    def text(inner: str) -> str:
        return (
            f"{HEAD}class Loop:\n    def __init__(self, model):\n        self.model = model\n"
            "        self.model.train()\n\n    def check(self):\n        self.model.eval()\n"
            "        self.model(torch.randn(4, 4))\n\n    def run(self):\n        for epoch in range(3):\n"
            f"{inner}            optimizer.zero_grad()\n"
            "            self.model(torch.randn(4, 4)).sum().backward()\n"
            "            optimizer.step()\n            self.check()\n\n\nLoop(model).run()\n"
        )

    assert fixed_script(tmp_path, text("")).text == text("            self.model.train()\n")


PRETRAINED = """\
import torch
from transformers import AutoModelForSequenceClassification

model = AutoModelForSequenceClassification.from_pretrained("bert-base-uncased")
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("for batch in data:\n{}", "model.train()\nfor batch in data:\n{}"),
        (
            "for epoch in range(3):\n    for batch in data:\n    {}",
            "for epoch in range(3):\n    model.train()\n    for batch in data:\n    {}",
        ),
    ],
)
def test_what_came_in_eval_is_put_in_train_mode_before_the_loop(
    tmp_path: Path, before: str, after: str
) -> None:
    step = "    optimizer.zero_grad()\n    model(**batch).loss.backward()\n    optimizer.step()\n"
    step = step.replace("\n    ", "\n        ") if "    {}" in before else step
    done = fixed_script(tmp_path, PRETRAINED + before.format(step))
    assert done.text == PRETRAINED + after.format(step)
