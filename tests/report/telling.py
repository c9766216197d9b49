"""Findings and outcomes for the tests of the formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from freezelint.evidence import Limit, Location
from freezelint.finding import Finding, Related
from freezelint.report import Outcome, Style, render

SCRIPT = """\
def fit(model):
    for epoch in range(3):
        model.train()


fit(build())
"""
CELLS = [["# Title\n"], ["import torch\n", "model.train()\n"]]


def write_files() -> None:
    """What the findings point into, in the current directory."""
    Path("train.py").write_text(SCRIPT)
    kinds = ("markdown", "code")
    cells = [{"cell_type": kind, "source": source} for kind, source in zip(kinds, CELLS, strict=True)]
    Path("book.ipynb").write_text(json.dumps({"cells": cells}, indent=1))


TRAIN = Location("train.py", 3, 9, 3, 22)
IN_CELL = Location("book.ipynb", 2, 1, 2, 14, cell=2)


def finding(location: Location = TRAIN, *related: Related, **fields: Any) -> Finding:
    values: dict[str, Any] = {
        "code": "FRZ101",
        "name": "frozen-norm-in-train-mode",
        "severity": "error",
        "message": "`bn` is frozen (line 6) but runs in train mode; call `.eval()` on it",
        "subjects": ("model.bn",),
        "witness": "both",
    }
    return Finding(location=location, related=related, **{**values, **fields})


def told(output_format: str, *findings: Finding, limits: tuple[Limit, ...] = (), quiet: bool = False) -> str:
    """The report of a run over `train.py`."""
    outcome = Outcome(findings, limits, ("train.py",), read=1)
    return render(outcome, output_format, Style(quiet=quiet))
