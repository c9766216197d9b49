"""The lines that findings point to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from freezelint.evidence import Location
from freezelint.texts import Texts

SCRIPT = '''\
import torch

class Net(Module):
    """Words
at the margin."""

    def __init__(self):
        # a comment
        if True:
            self.conv = Conv(
                3,
            )

        self.fc = Linear(1)
    size = 3

async def fit(
    model,
):
\tmodel.train()
model = Net()
'''


def enclosing(line: int) -> str:
    return Texts({"train.py": SCRIPT}).enclosing(Location("train.py", line))


def test_what_cannot_be_read_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    for path in (str(tmp_path / "gone.py"), str(tmp_path), str(tmp_path / "binary.py")):
        assert Texts().line(Location(path, 1)) == ""
        assert Texts().enclosing(Location(path, 1)) == ""
        assert Texts().line_in_file(Location(path, 1, cell=1)) == 1


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (1, ""),
        (3, ""),
        (7, "Net"),
        (10, "Net.__init__"),
        (11, "Net.__init__"),
        (14, "Net.__init__"),
        (15, "Net"),
        (17, ""),
        (20, "fit"),
        (21, ""),
        (99, ""),
    ],
)
def test_the_functions_and_classes_around_a_line(line: int, name: str) -> None:
    assert enclosing(line) == name


@pytest.mark.parametrize("indent", [None, 1, 4])
def test_notebooks_by_cell(tmp_path: Path, indent: int | None) -> None:
    cells = [
        {"cell_type": "markdown", "source": "# Title"},
        {
            "cell_type": "code",
            "source": ["a = 1\n", "b = '\\u00e9'\n", "\n", "c = 3"],
            "outputs": [{"x": [1, {}]}],
        },
        {"cell_type": "code", "source": "d = 4\ne = 5"},
        {"cell_type": "code", "source": []},
    ]
    path = tmp_path / "book.ipynb"
    path.write_text(json.dumps({"metadata": {"a": None}, "cells": cells}, indent=indent))
    texts = Texts()
    assert texts.cells(str(path)) == [2, 3, 4]
    assert texts.line(Location(str(path), 4, cell=2)) == "c = 3"
    lines = path.read_text().split("\n")
    for cell, line, text in (
        (2, 1, "a = 1"),
        (2, 2, "b = "),
        (2, 4, "c = 3"),
        (3, 1, "d = 4"),
        (3, 2, "e = 5"),
    ):
        assert text in lines[texts.line_in_file(Location(str(path), line, cell=cell)) - 1]
