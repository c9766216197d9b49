"""Taking items out of lists, and adding one."""

from __future__ import annotations

import ast

import pytest

from freezelint.editing import edited
from freezelint.fixing.lists import with_one_more, without
from freezelint.fixing.script import NoPlaceError, Script
from freezelint.source.files.source_file import SourceFile


def listed(text: str) -> tuple[Script, ast.List]:
    script = Script(SourceFile("train.py", text), ast.parse(text))
    return script, next(node for node in ast.walk(script.tree) if isinstance(node, ast.List))


LONG = "x = [\n    # one\n    1,  # uno\n    2,  # due\n    # three\n    3  # tre\n]\n"


@pytest.mark.parametrize(
    ("before", "numbers", "after"),
    [
        ("x = [1, 2, 3]\n", [0], "x = [2, 3]\n"),
        ("x = [1, 2, 3]\n", [1], "x = [1, 3]\n"),
        ("x = [1, 2, 3]\n", [2], "x = [1, 2]\n"),
        ("x = [1, 2, 3]\n", [1, 2], "x = [1]\n"),
        ("x = [1, 2, 3,]\n", [0, 1], "x = [3,]\n"),
        ("x = [1, 2, 3, 4]\n", [0, 2], "x = [2, 4]\n"),
        (LONG, [0], "x = [\n    2,  # due\n    # three\n    3  # tre\n]\n"),
        (LONG, [2], "x = [\n    # one\n    1,  # uno\n    2,  # due\n]\n"),
        (LONG, [1, 2], "x = [\n    # one\n    1,  # uno\n]\n"),
    ],
)
def test_items_go_with_their_commas_and_comments(before: str, numbers: list[int], after: str) -> None:
    script, group = listed(before)
    assert edited(before.encode(), without(script, group, numbers)).decode() == after


@pytest.mark.parametrize(("text", "numbers"), [("x = [1]\n", [0]), ("x = [1,  # one\n  2]\n", [1])])
def test_no_list_is_emptied_and_no_comment_changes_sides(text: str, numbers: list[int]) -> None:
    script, group = listed(text)
    with pytest.raises(NoPlaceError):
        without(script, group, numbers)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = [1, 2]\n", "x = [1, 2, 9]\n"),
        ("x = [1, 2,]\n", "x = [1, 2, 9,]\n"),
        ("x = [\n    1,\n    2,  # due\n]\n", "x = [\n    1,\n    2,  # due\n    9,\n]\n"),
        ("x = [\n\t1,\n\t2  # due\n]\n", "x = [\n\t1,\n\t2,  # due\n\t9\n]\n"),
    ],
)
def test_one_more_item(before: str, after: str) -> None:
    script, group = listed(before)
    assert edited(before.encode(), [with_one_more(script, group, "9")]).decode() == after
