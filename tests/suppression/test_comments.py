"""Which comments suppress findings, what they cover, and where they hold."""

from __future__ import annotations

import textwrap

import pytest

from freezelint.suppression.comments import Suppression, may_suppress, read_comments


def only(text: str) -> Suppression:
    (suppression,) = read_comments(text).all()
    return suppression


@pytest.mark.parametrize(
    "text",
    [
        "x = 1",
        "x = 1  # no qa",
        "x = '# noqa: FRZ101'",
        '"""\nx  # noqa: FRZ101\n"""',
        "x = 1  # noqa: because it is meant",  # a colon promises codes
        "x = 1  # ruff: noqa",
        "x = 1  # noqas",
        "x = 1  # freezelint: ignore-file",  # not at the head of the file, and not on a line of its own
        "import torch\n# freezelint: ignore-file",
        "# freezelint: ignore-files",
        "# freezelint: ignore-file-not",
        "# freezelint: ignore-file: all of it",
    ],
)
def test_what_suppresses_nothing(text: str) -> None:
    assert not read_comments(text).all()


def test_a_bare_comment_covers_everything() -> None:
    for text in ("x = 1  # noqa", "x = 1 #NOQA", "x = 1  # type: ignore # noqa - it is meant"):
        assert only(text).codes is None
        assert only(text).covers("FRZ101")


@pytest.mark.parametrize(
    ("comment", "codes"),
    [
        ("# noqa: FRZ101", ("FRZ101",)),
        ("#noqa:frz101", ("FRZ101",)),
        ("# noqa : FRZ101,FRZ201", ("FRZ101", "FRZ201")),
        ("# noqa: FRZ101, E501 FRZ2", ("FRZ101", "E501", "FRZ2")),
        ("# noqa: FRZ101 - the statistics are meant to drift", ("FRZ101",)),
        ("# noqa: FRZ101 # pragma: no cover", ("FRZ101",)),
        ("# pragma: no cover # noqa: FRZ101", ("FRZ101",)),
    ],
)
def test_codes(comment: str, codes: tuple[str, ...]) -> None:
    assert only(f"x = 1  {comment}\n").codes == codes


def test_codes_cover_what_begins_with_them() -> None:
    suppression = only("x = 1  # noqa: E501, FRZ2")
    assert suppression.own == ("FRZ2",)
    assert suppression.covers("FRZ201")
    assert not suppression.covers("FRZ101")
    assert not only("x = 1  # noqa: E501").covers("FRZ101")


def test_the_place_is_that_of_the_words_that_count() -> None:
    suppression = only("x = 1  # noqa: FRZ101 - meant\n")
    assert (suppression.line, suppression.column, suppression.end_column) == (1, 8, 22)
    assert suppression.text == "# noqa: FRZ101"


def test_a_comment_holds_on_its_line_and_for_the_statement_that_it_ends() -> None:
    text = """\
    optimizer = SGD(
        model.parameters(),
        lr=0.1,  # noqa: FRZ402
    )  # noqa: FRZ201
    model.train()
    for epoch in range(3):  # noqa: FRZ102
        step()
    """
    comments = read_comments(textwrap.dedent(text))
    codes = {line: [each.codes for each in comments.on(line)] for line in range(1, 8)}
    assert codes == {
        1: [("FRZ201",)],
        2: [("FRZ201",)],
        3: [("FRZ402",), ("FRZ201",)],
        4: [("FRZ201",)],
        5: [],
        6: [("FRZ102",)],
        7: [],
    }


@pytest.mark.parametrize(
    "head",
    [
        "# freezelint: ignore-file\n",
        "#!/usr/bin/env python\n# coding: utf-8\n\n#freezelint:ignore-file\n",
        '"""A docstring,\nlong."""\n\n# freezelint: ignore-file\n',
    ],
)
def test_a_file_is_ignored_from_its_head(head: str) -> None:
    (suppression,) = read_comments(f"{head}import torch\n").on(6)
    assert suppression.whole_file
    assert suppression.codes is None


def test_a_file_is_ignored_for_some_rules() -> None:
    (suppression,) = read_comments("# freezelint: ignore-file: FRZ101, FRZ2\nimport torch\n").on(2)
    assert suppression.codes == ("FRZ101", "FRZ2")
    assert not suppression.covers("FRZ102")


def test_lines_on_which_a_comment_may_stand() -> None:
    text = 'a = (1,\n  2)\nb = 1 + \\\n  2\nc = """x\ny"""\n\n# d\ne = 1'
    assert read_comments(text).open_lines == {1, 2, 4, 6, 7, 8, 9}


def test_what_stands_before_the_place_that_is_no_python_counts() -> None:
    assert read_comments("# freezelint: ignore-file\nx = (\n").whole_file


def test_a_glance() -> None:
    assert not may_suppress(["import torch", "x = 1"])
    assert may_suppress(["x = 1  # NoQA"])
    assert may_suppress(["# freezelint: ignore-file"])
