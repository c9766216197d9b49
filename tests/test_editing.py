from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezelint.editing import NotEditableError, edited, insertion
from freezelint.evidence import Location
from freezelint.finding import Edit


def edit(line: int, start: int, end: int, text: str, cell: int | None = None) -> Edit:
    return Edit(Location("train.py", line, start, line, end, cell=cell), text)


def test_without_edits_nothing_changes() -> None:
    assert edited(b"a = 1\r\nb = 2", []) == b"a = 1\r\nb = 2"


def test_edits_that_overlap_are_refused() -> None:
    with pytest.raises(NotEditableError, match="overlap"):
        edited(b"abcdef", [edit(1, 1, 4, "x"), edit(1, 3, 5, "y")])


def test_a_line_that_is_not_there_is_refused() -> None:
    with pytest.raises(NotEditableError, match="no line 3"):
        edited(b"a\nb", [edit(3, 1, 1, "x")])


def test_bytes_that_their_encoding_would_not_write_are_refused() -> None:
    with pytest.raises(NotEditableError):
        edited(b"# coding: latin-9\nx = '\xff\xfe'\n".replace(b"latin-9", b"ascii"), [edit(2, 1, 1, "y")])


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_new_lines_end_as_the_others_do(ending: str) -> None:
    before = ending.join(["a", "b", ""])
    after = ending.join(["a", "x", "y", "b", ""])
    assert edited(before.encode(), [insertion("train.py", 1, 2, "\nx\ny")]) == after.encode()


def test_byte_order_mark_and_coding_stay() -> None:
    assert edited(b"\xef\xbb\xbfa\n", [edit(1, 1, 2, "\u00e9")]) == b"\xef\xbb\xbf\xc3\xa9\n"
    cookie = b"# coding: latin-1\nx = '\xe9'"
    assert edited(cookie, [edit(2, 1, 2, "y")]) == b"# coding: latin-1\ny = '\xe9'"


def test_what_an_encoding_lacks_cannot_be_written() -> None:
    with pytest.raises(NotEditableError, match="cannot write"):
        edited(b"# coding: latin-1\nx = 1\n", [edit(2, 1, 2, "\u03b1")])


def notebook(*sources: object) -> bytes:
    cells = [{"cell_type": "code", "source": source, "outputs": [{"text": ["\u00fc"]}]} for source in sources]
    return json.dumps({"cells": cells, "metadata": {"kept": 1.50}}, indent=1).encode()


def test_a_cell_changes_and_nothing_else() -> None:
    before = notebook(["import torch\n", "model.train()\n", "step()"], "other = 1")
    after = notebook(["import torch\n", "model.train()\n", "model.bn.eval()\n", "step()"], "other = 1")
    assert edited(before, [insertion("a.ipynb", 2, 14, "\nmodel.bn.eval()", cell=1)]) == after
    in_string = notebook(["import torch\n", "model.train()\n", "step()"], "other = 2\nmore()")
    assert edited(before, [edit(1, 9, 10, "2\nmore()", cell=2)]) == in_string


def test_lines_of_a_cell_can_go() -> None:
    before = notebook(["a\n", "b\n", "c"])
    gone = Edit(Location("a.ipynb", 2, 1, 3, 1, cell=1), "")
    assert json.loads(edited(before, [gone]))["cells"][0]["source"] == ["a\n", "c"]


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\r"), max_size=30)


@given(before=TEXT, new=TEXT, after=TEXT)
def test_what_is_outside_of_an_edit_stays(before: str, new: str, after: str) -> None:
    text = f"{before}@{after}"
    line = before.count("\n") + 1
    column = len(before.rpartition("\n")[2]) + 1
    assert edited(text.encode(), [edit(line, column, column + 1, new)]).decode() == f"{before}{new}{after}"
    document = notebook(text.splitlines(keepends=True))
    found = json.loads(edited(document, [edit(line, column, column + 1, new, cell=1)]))
    assert "".join(found["cells"][0]["source"]) == f"{before}{new}{after}"
