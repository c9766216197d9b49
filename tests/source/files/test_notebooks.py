"""Notebooks in `fixtures/` are read, not run: their comments expect findings by cell and line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from freezelint.registry import rules
from freezelint.selection import Selection
from freezelint.source.files.project import Project
from freezelint.source.files.source_file import load
from freezelint.source.judging import findings_of
from freezelint.source.reader import read
from tests.stories import FIXTURES

NOTEBOOKS = sorted(FIXTURES.glob("*/*.ipynb"))

Place = tuple[int, int, str]  # cell, line in the cell, code


def expected(notebook: Path) -> set[Place]:
    """What the comments expect; cells are numbered from 1, those with text included."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return {
        (number, line, code)
        for number, cell in enumerate(cells, 1)
        for line, text in enumerate(cell["source"], 1)
        for mark in re.finditer(r"# expect: (FRZ\d{3}(?:, FRZ\d{3})*)", text)
        for code in mark[1].split(", ")
    }


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.parent.name)
def test_the_source_reader_reports_what_the_notebook_expects(notebook: Path) -> None:
    file = load(notebook, str(notebook.relative_to(FIXTURES)))
    found = findings_of(read(file, Project(file)))
    usual = Selection().codes(rules())
    places = {(f.location.cell, f.location.line, f.code) for f in found if f.code in usual}
    assert places == expected(notebook), "\n".join(f.message for f in found)


def test_there_are_notebooks_with_and_without_faults() -> None:
    assert {bool(expected(notebook)) for notebook in NOTEBOOKS} == {True, False}
