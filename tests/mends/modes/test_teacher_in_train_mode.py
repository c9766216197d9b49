from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.scripts import fixed_script

HEAD = """\
import torch
from torch import nn


def network(width):
    return nn.Sequential(nn.Linear(4, width), nn.Dropout(0.5), nn.Linear(width, 2))


"""

LOOP = """\
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
for _ in range(3):
{}    inputs = torch.randn(8, 4)
    with torch.no_grad():
        target = teacher(inputs).softmax(1)
    optimizer.zero_grad()
    nn.functional.cross_entropy(student(inputs), target).backward()
    optimizer.step()
"""

STUDENT = "student = nn.Sequential(nn.Linear(4, 2))\n"


def text(setup: str, epoch: str = "") -> str:
    return HEAD + setup + LOOP.format(epoch)


def test_a_teacher_in_eval_stays_as_it_is(tmp_path: Path) -> None:
    same = text(f"teacher = network(16).eval()\n{STUDENT}", "    student.train()\n")
    assert fixed_script(tmp_path, same).text == same


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"teacher = network(16)\n{STUDENT}", f"teacher = network(16)\nteacher.eval()\n{STUDENT}"),
        (  # after it is loaded, moved and frozen
            f'teacher = network(16)\n{STUDENT}teacher.load_state_dict(torch.load("t.pt"))\n'
            'teacher = teacher.to("cpu")\nfor p in teacher.parameters():\n    p.requires_grad = False\n',
            f'teacher = network(16)\n{STUDENT}teacher.load_state_dict(torch.load("t.pt"))\n'
            'teacher = teacher.to("cpu")\nfor p in teacher.parameters():\n    p.requires_grad = False\n'
            "teacher.eval()\n",
        ),
        (
            "teacher, student = network(16), nn.Linear(4, 2)\n",
            "teacher, student = network(16), nn.Linear(4, 2)\nteacher.eval()\n",
        ),
    ],
)
def test_what_nobody_sets_is_set_where_it_is_built(tmp_path: Path, before: str, after: str) -> None:
    assert fixed_script(tmp_path, text(before)).text == text(after)


def test_a_train_of_its_own_becomes_eval(tmp_path: Path) -> None:
    setup = f"teacher = network(16)\n{STUDENT}"
    done = fixed_script(tmp_path, text(setup, "    teacher.train()\n    student.train()\n"))
    assert done.text == text(setup, "    teacher.eval()\n    student.train()\n")


def test_a_train_that_is_called_on_others_too_is_left_alone(tmp_path: Path) -> None:
    setup = f"teacher = network(16)\n{STUDENT}"
    same = text(setup, "    for each in (teacher, student):\n        each.train()\n")
    done = fixed_script(tmp_path, same)
    assert done.text == same
    assert done.refused == {"FRZ107": "line 14 sets the mode of other models, too"}


HOLDER = """\
import torch
from torch import nn


def network(width):
    return nn.Sequential(nn.Linear(4, width), nn.Dropout(0.5), nn.Linear(width, 2))


class Student(nn.Module):
    def __init__(self, teacher):
        super().__init__()
        self.teacher = teacher
        self.net = nn.Linear(4, 2)
{override}
    def forward(self, x):
        with torch.no_grad():
            target = self.teacher(x).softmax(1)
        return nn.functional.cross_entropy(self.net(x), target)


student = Student(network(16))
optimizer = torch.optim.SGD(student.net.parameters(), lr=0.1)
for _ in range(3):
    student.train()
    optimizer.zero_grad()
    student(torch.randn(8, 4)).backward()
    optimizer.step()
"""


def test_the_class_that_holds_the_teacher_keeps_it_in_eval(tmp_path: Path) -> None:
    override = """
    def train(self, mode=True):
        super().train(mode)
        self.teacher.eval()
        return self
"""
    done = fixed_script(tmp_path, HOLDER.format(override=""))
    assert done.text == HOLDER.format(override=override)
