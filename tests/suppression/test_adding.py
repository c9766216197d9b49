"""`--add-noqa`: comments at the ends of lines, and every other byte as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from freezelint.evidence import Location
from freezelint.finding import Finding
from freezelint.suppression.adding import Added, add_noqa


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def finding(line: int, code: str = "FRZ101", path: str = "train.py", cell: int | None = None) -> Finding:
    return Finding(code, "name", "error", "m", Location(path, line, cell=cell), (), "source")


def after(before: bytes, *findings: Finding) -> bytes:
    """What `train.py` with these bytes holds afterwards."""
    Path("train.py").write_bytes(before)
    assert not add_noqa(findings).refused
    return Path("train.py").read_bytes()


def test_nothing_found_nothing_written(directory: Path) -> None:
    assert add_noqa([]) == Added()
    assert not list(directory.iterdir())


def test_what_was_not_checked_stays() -> None:
    Path("train.py").write_text("x = (\n")
    added = add_noqa([finding(1, "FRZ002")])
    assert (added.findings, added.files) == (0, ())
    assert [why for _, why in added.refused] == ["no comment suppresses what was not checked"]
    assert Path("train.py").read_text() == "x = (\n"


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (b"a = 1\nb = 2\n", b"a = 1  # noqa: FRZ101\nb = 2\n"),
        (b"a = 1", b"a = 1  # noqa: FRZ101"),
        (b"a = 1\r\nb = 2\r\n", b"a = 1  # noqa: FRZ101\r\nb = 2\r\n"),
        (b"\xef\xbb\xbfa = 1\n", b"\xef\xbb\xbfa = 1  # noqa: FRZ101\n"),
        (b"a = 1  # why\n", b"a = 1  # why  # noqa: FRZ101\n"),
        (b"a = 1  # noqa: E501\n", b"a = 1  # noqa: E501, FRZ101\n"),
        (b"a = 1  # noqa: FRZ2 - meant\n", b"a = 1  # noqa: FRZ2, FRZ101 - meant\n"),
        (b"a = f(\n  1,\n)\n", b"a = f(  # noqa: FRZ101\n  1,\n)\n"),
        (b"a = 1 + \\\n  2\n", b"a = 1 + \\\n  2  # noqa: FRZ101\n"),
        (b'a = """x\ny"""\n', b'a = """x\ny"""  # noqa: FRZ101\n'),
        (b"a = '# noqa: E501'\n", b"a = '# noqa: E501'  # noqa: FRZ101\n"),
    ],
)
def test_the_end_of_the_line(before: bytes, expected: bytes) -> None:
    assert after(before, finding(1)) == expected


def test_the_encoding_of_the_file_is_kept() -> None:
    before = "# coding: latin-1\ngröße = 1\n".encode("latin-1")
    assert after(before, finding(2)) == before.replace(b"= 1", b"= 1  # noqa: FRZ101")


def test_several_findings_share_a_comment() -> None:
    found = [finding(2, "FRZ201"), finding(2, "FRZ101"), finding(1, "FRZ402")]
    assert after(b"a = 1\nb = 2\n", *found) == b"a = 1  # noqa: FRZ402\nb = 2  # noqa: FRZ101, FRZ201\n"


def test_permissions_and_links_are_kept(directory: Path) -> None:
    real = directory / "real.py"
    real.write_text("a = 1\n")
    real.chmod(0o754)
    Path("train.py").symlink_to(real)
    add_noqa([finding(1)])
    assert Path("train.py").is_symlink()
    assert real.read_text() == "a = 1  # noqa: FRZ101\n"
    assert real.stat().st_mode & 0o777 == 0o754
    assert sorted(path.name for path in directory.iterdir()) == ["real.py", "train.py"]


def test_a_file_that_cannot_be_written_is_told() -> None:
    added = add_noqa([finding(1, path="gone.py")])
    assert added.findings == 0
    assert [why for _, why in added.refused] == ["its line has no place for a comment"]


@pytest.mark.parametrize("indent", [None, 1])
def test_a_notebook_keeps_its_outputs_and_its_form(indent: int | None) -> None:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# ümlaut\n"]},
        {
            "cell_type": "code",
            "execution_count": 3,
            "metadata": {"tags": ["a"]},
            "outputs": [{"output_type": "stream", "text": ["x # noqa\n"]}],
            "source": ["%time\n", "text = '\"\\U0001f600\\t'  # é\n", "model.train()"],
        },
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": "a = 1\nb = 2\n"},
    ]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}, indent=indent) + "\n"
    Path("book.ipynb").write_text(text)
    found = [finding(2, path="book.ipynb", cell=2), finding(3, path="book.ipynb", cell=2)]
    assert not add_noqa([*found, finding(1, "FRZ201", "book.ipynb", 3)]).refused
    expected = text.replace("\\u00e9\\n", "\\u00e9  # noqa: FRZ101\\n")
    expected = expected.replace("model.train()", "model.train()  # noqa: FRZ101")
    assert Path("book.ipynb").read_text() == expected.replace("a = 1\\n", "a = 1  # noqa: FRZ201\\n")
