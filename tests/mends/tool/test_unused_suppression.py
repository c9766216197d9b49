from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.scripts import fixed_script

SCRIPT = """\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1){comment}
model(torch.randn(16, 4)).sum().backward()
optimizer.step()
"""


def test_words_behind_the_codes_are_not_thrown_away(tmp_path: Path) -> None:
    script = SCRIPT.format(comment="  # noqa: FRZ201 - all of them on purpose")
    done = fixed_script(tmp_path, script)
    assert done.text == script
    assert done.refused == {"FRZ001": "words follow the codes: whether they still hold is yours to say"}


@pytest.mark.parametrize(
    ("comment", "fixed"),
    [
        ("  # noqa: FRZ201", ""),
        ("  # noqa: FRZ201, E501", "  # noqa: E501"),
        ("  # noqa:E501,FRZ201", "  # noqa:E501"),
        ("  # noqa: FRZ201  # all of them", "  # all of them"),
        ("  # all of them  # noqa: FRZ201", "  # all of them"),
    ],
)
def test_only_the_idle_codes_go(tmp_path: Path, comment: str, fixed: str) -> None:
    done = fixed_script(tmp_path, SCRIPT.format(comment=comment))
    assert done.text == SCRIPT.format(comment=fixed)
    assert done.applied == ("FRZ001",)


@pytest.mark.parametrize(("before", "after"), [("x = 1\n# noqa: FRZ201", "x = 1"), ("# noqa: FRZ201", "")])
def test_a_comment_that_ends_the_file(tmp_path: Path, before: str, after: str) -> None:
    assert fixed_script(tmp_path, before).text == after
