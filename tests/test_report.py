"""What the formats say."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from freezelint.evidence import Limit, Location, Trace
from freezelint.finding import Finding, Related
from freezelint.report import Outcome, Style, formats, render
from freezelint.report._terminal import wants_color, write

SOURCE = """\
import torch


def freeze(model):
    for parameter in model.parameters():
        parameter.requires_grad = False


model = build()
freeze(model.body)
optimizer = torch.optim.SGD(
    model.parameters(),
    lr=0.1,
)
for epoch in range(3):
\tmodel.train()
\tlösung = 1; model.fc.train()
"""

FROZEN = Location("train.py", 6, 9, 6, 40, "freeze", (Location("train.py", 10),))
TRAIN = Location("train.py", 16, 2, 16, 15)


def finding(location: Location = TRAIN, *related: Related, **fields: Any) -> Finding:
    values: dict[str, Any] = {
        "code": "FRZ101",
        "name": "frozen-norm-in-train-mode",
        "severity": "error",
        "message": "`bn` is frozen (line 6) but runs in train mode; call `.eval()` on it",
        "subjects": ("model.bn",),
        "witness": "live",
    }
    return Finding(location=location, related=related, **{**values, **fields})


def outcome(
    *findings: Finding, limits: tuple[Limit, ...] = (), targets: tuple[str, ...] = ("train.py",)
) -> Outcome:
    return Outcome.of_traces(
        findings, [Trace("live", target, limits=limits, steps_done=2) for target in targets]
    )


@pytest.fixture(autouse=True)
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The findings' script, in the current directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(SOURCE, encoding="utf-8")
    return tmp_path


def full(told: Outcome, **style: bool) -> str:
    return render(told, "full", Style(**style))


def test_the_formats_are_found_by_their_names() -> None:
    assert {"full", "concise", "json"} <= set(formats())


def test_nothing_found() -> None:
    assert full(outcome()) == "No freezing bugs found in train.py (2 steps watched)\n"
    assert full(outcome(), quiet=True) == ""


def test_full() -> None:
    told = full(outcome(finding(TRAIN, Related(FROZEN, "frozen here"))))
    assert told == (
        "error[FRZ101] frozen-norm-in-train-mode\n"
        "  `bn` is frozen (line 6) but runs in train mode; call `.eval()` on it\n"
        "   --> train.py:16:2\n"
        "   |\n"
        "16 | \tmodel.train()\n"
        "   | \t^^^^^^^^^^^^^\n"
        " 6 |         parameter.requires_grad = False\n"
        "   |         ------------------------------- frozen here (called from train.py:10)\n"
        "\n"
        "May be mended: 1 with `--fix`\n"
        "Found 1 error in train.py (2 steps watched)\n"
    )


def test_a_place_in_another_file_and_a_long_label(script: Path) -> None:
    (script / "helpers.py").write_text("def step(model): model.train()\n")
    told = full(
        outcome(
            finding(
                Location(
                    "helpers.py", 1, 18, 1, 31, "step", (Location("train.py", 9), Location("train.py", 20))
                ),
                Related(
                    Location("train.py", 11, 13, 14, 2), "FRZ201: " + "SGD holds what cannot train; " * 4
                ),
            )
        )
    )
    assert told.splitlines()[2:-3] == [
        "   --> helpers.py:1:18",
        "   |",
        " 1 | def step(model): model.train()",
        "   |                  ^^^^^^^^^^^^^",
        "   ::: train.py:11:13",
        "11 | optimizer = torch.optim.SGD(",
        "   |             ----------------",
        "   = FRZ201: SGD holds what cannot train; SGD holds what cannot train; SGD holds what cannot train;",
        "     SGD holds what cannot train;",
        "   = called from train.py:9, from train.py:20",
    ]


def test_one_statement_reached_by_many_calls_is_told_once() -> None:
    places = [
        Location("train.py", 6, 9, 6, 40, "freeze", (Location("train.py", line),)) for line in range(20, 30)
    ]
    told = full(outcome(finding(TRAIN, *(Related(place, "frozen here") for place in places))))
    assert told.count("frozen here") == 1
    assert "(called from train.py:20, train.py:21, train.py:22, 7 more)" in told


def test_many_places_are_counted() -> None:
    places = [Related(Location("train.py", line), f"reason {line}") for line in range(1, 12)]
    told = full(outcome(finding(TRAIN, *places)))
    assert "reason 6" in told
    assert "reason 7" not in told
    assert "   = and 5 more places (JSON lists all)\n" in told


@pytest.mark.parametrize(
    ("location", "marked"),
    [
        (Location("train.py", 10), "freeze(model.body)"),
        (Location("train.py", 10, 8), "m"),
        (Location("train.py", 10, 8, 10, 18), "model.body"),
        (Location("train.py", 11, 13, 14, 2), "torch.optim.SGD("),
        (Location("train.py", 10, 400, 10, 500), ")"),
        (Location("train.py", 17, 14, 17, 30), "model.fc.train()"),
    ],
)
def test_what_is_marked(location: Location, marked: str) -> None:
    lines = full(outcome(finding(location))).splitlines()
    source, marks = lines[4], lines[5]
    assert set(marks) <= set("^| \t")
    assert source[marks.index("^") : marks.rindex("^") + 1] == marked


def test_wide_characters_stand_above_their_marks(script: Path) -> None:
    (script / "train.py").write_text("模型 = 1; x.train()\n", encoding="utf-8")
    lines = full(outcome(finding(Location("train.py", 1, 9, 1, 18)))).splitlines()
    assert lines[4:6] == ["1 | x.train()".replace("x", "模型 = 1; x"), "  |           ^^^^^^^^^"]


def test_a_source_that_cannot_be_shown() -> None:
    for path, line in (("gone.py", 3), ("train.py", 400), ("train.py", 2)):
        told = full(outcome(finding(Location(path, line), Related(Location(path, line), "frozen here"))))
        assert f"--> {path}:{line}:1\n" in told
        assert f"= {path}:{line}: frozen here\n" in told


def test_nothing_steers_the_terminal(script: Path) -> None:
    (script / "train.py").write_text("x = '\x1b]0;title\x07'\n")
    told = full(outcome(finding(Location("train.py", 1), message="got \x1b[31m")))
    assert "\x1b" not in told
    assert "\x07" not in told


def test_colours_change_nothing_but_the_colour() -> None:
    import re

    told = outcome(finding(TRAIN, Related(FROZEN, "frozen here")), finding(severity="warning"))
    colored = full(told, color=True)
    assert "\x1b[31;1merror[FRZ101]\x1b[0m" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == full(told)


def test_summary_counts_each_kind() -> None:
    told = outcome(
        finding(), finding(), finding(severity="warning"), finding(severity="info"), targets=("a.py", "b.py")
    )
    assert full(told).endswith("Found 2 errors, 1 warning, 1 note in 2 targets (4 steps watched)\n")
    assert full(Outcome.of_traces([finding()], [Trace("live", "a.py")])).endswith(
        "Found 1 error in a.py (no step watched)\n"
    )


@pytest.mark.parametrize(
    ("looked", "told"),
    [
        ({"read": 1}, "No freezing bugs found in train.py (1 file read)\n"),
        ({"read": 0, "passed_over": 1200}, "… in train.py (no file read, 1,200 passed over)\n"),
        ({"read": 1, "steps": 2}, "… in train.py (1 file read, 2 steps watched)\n"),
        ({"read": 3, "targets": (".",)}, "… in this directory (3 files read)\n"),
        ({"read": 1, "targets": ("-",)}, "… in standard input (1 file read)\n"),
    ],
)
def test_summary_tells_what_was_looked_at(looked: dict[str, Any], told: str) -> None:
    values = {"targets": ("train.py",), **looked}
    assert full(Outcome((), **values)) == told.replace("…", "No freezing bugs found")


def test_limits_tell_their_places_where_there_are_several_files() -> None:
    limits = (Limit("a loop", "it is endless", "a.py", 3), Limit("b.py was not read", "Python 2", "b.py"))
    assert full(Outcome((), limits, ("src",), read=2)).splitlines()[0] == (
        "Limits: a.py:3: a loop (it is endless); b.py was not read (Python 2)"
    )
    assert full(Outcome((), limits[:1], ("a.py",), read=1)).splitlines()[0] == (
        "Limits: a loop (it is endless)"
    )


def test_a_notebook_is_told_by_cells(script: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": "# Title"},
        {"cell_type": "code", "source": ["%time\n", "model.train()"]},
        {"cell_type": "code", "source": "freeze(model)"},
    ]
    (script / "nb.ipynb").write_text(json.dumps({"cells": cells}))
    found = finding(
        Location("nb.ipynb", 2, 1, 2, 14, cell=2), Related(Location("nb.ipynb", 1, cell=3), "frozen here")
    )
    assert full(outcome(found)).splitlines()[2:-3] == [
        "  --> nb.ipynb:cell 2:2:1",
        "  |",
        "2 | model.train()",
        "  | ^^^^^^^^^^^^^",
        "  ::: nb.ipynb:cell 3:1:1",
        "1 | freeze(model)",
        "  | ------------- frozen here",
    ]


def test_a_source_that_is_in_no_file() -> None:
    told = full(
        Outcome((finding(Location("train.py", 1, 1, 1, 7)),), texts={"train.py": "edited()\n"}, read=1)
    )
    assert "1 | edited()\n" in told


def test_form_feeds_end_no_line(script: Path) -> None:
    (script / "train.py").write_text("x = 1\n\x0c\ny = 2\n")
    assert "3 | y = 2\n" in full(outcome(finding(Location("train.py", 3))))


def test_limits_are_one_line() -> None:
    limits = tuple(Limit(f"thing {number}", "it did not run") for number in range(5))
    told = full(outcome(limits=limits))
    assert told.splitlines()[0] == (
        "Limits: thing 0 (it did not run); thing 1 (it did not run); thing 2 (it did not run); "
        "and 2 more (JSON lists all)"
    )
    assert full(outcome(limits=limits), quiet=True) == ""


def test_concise() -> None:
    told = render(outcome(finding(TRAIN, Related(FROZEN, "frozen here"))), "concise", Style(quiet=True))
    assert told == (
        "train.py:16:2: FRZ101 [frozen-norm-in-train-mode] "
        "`bn` is frozen (line 6) but runs in train mode; call `.eval()` on it\n"
    )


def test_paths_are_relative_to_the_current_directory(script: Path) -> None:
    inside = Location(str(script / "project" / "train.py"), 3)
    outside = Location("/elsewhere/train.py", 3)
    told = render(outcome(finding(inside), finding(outside)), "concise", Style(quiet=True))
    assert [line.split(": ")[0] for line in told.splitlines()] == [
        "project/train.py:3:1",
        "/elsewhere/train.py:3:1",
    ]


@pytest.mark.parametrize("output_format", ["full", "concise"])
def test_statistics(output_format: str) -> None:
    told = outcome(
        finding(code="FRZ201", name="frozen-param-in-optimizer", severity="warning"), finding(), finding()
    )
    assert render(told, output_format, Style(statistics=True)).splitlines() == [
        "  count  code    name                       severity",
        "-------  ------  -------------------------  ----------",
        "      2  FRZ101  frozen-norm-in-train-mode  error",
        "      1  FRZ201  frozen-param-in-optimizer  warning",
        "May be mended: 3 with `--fix`",
        "Found 2 errors, 1 warning in train.py (2 steps watched)",
    ]
    assert render(outcome(), output_format, Style(statistics=True, quiet=True)) == ""


def test_json_has_everything() -> None:
    evidence = {"layers": 40, "names": ("a", "b"), "rate": float("nan"), "kinds": {"y", "x"}}
    told = render(
        outcome(finding(FROZEN, Related(TRAIN, "train here"), evidence=evidence), limits=(Limit("x", "y"),)),
        "json",
        Style(),
    )
    assert json.loads(told) == {
        "version": 1,
        "findings": [
            {
                "code": "FRZ101",
                "name": "frozen-norm-in-train-mode",
                "severity": "error",
                "message": "`bn` is frozen (line 6) but runs in train mode; call `.eval()` on it",
                "path": "train.py",
                "cell": None,
                "line": 6,
                "column": 9,
                "end_line": 6,
                "end_column": 40,
                "subjects": ["model.bn"],
                "witness": "live",
                "calls": [
                    {
                        "path": "train.py",
                        "cell": None,
                        "line": 10,
                        "column": 1,
                        "end_line": None,
                        "end_column": None,
                    }
                ],
                "related": [
                    {
                        "path": "train.py",
                        "cell": None,
                        "line": 16,
                        "column": 2,
                        "end_line": 16,
                        "end_column": 15,
                        "message": "train here",
                    }
                ],
                "evidence": {"layers": 40, "names": ["a", "b"], "rate": "nan", "kinds": ["x", "y"]},
                "fix": None,
            }
        ],
        "limits": [{"path": None, "cell": None, "line": None, "what": "x", "why": "y"}],
        "measurements": [],
        "summary": {
            "targets": ["train.py"],
            "files_read": 0,
            "files_passed_over": 0,
            "steps": 2,
            "findings": 1,
            "errors": 1,
            "warnings": 0,
            "infos": 0,
            "rules": {"FRZ101": 1},
            "suppressed": 0,
            "in_baseline": 0,
        },
    }


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert wants_color("auto", Terminal())
    assert not wants_color("auto", io.StringIO())
    assert wants_color("always", io.StringIO())
    assert not wants_color("never", Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_color("auto", Terminal())


def test_a_narrow_encoding_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    write("`layer1`…`layer3`\n")
    narrow.seek(0)
    assert narrow.read() == "`layer1`\\u2026`layer3`\n"
