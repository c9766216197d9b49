"""Sources are decoded as Python decodes them, and what cannot be read is told."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from freezelint.evidence import Location
from freezelint.source.files.notebooks import python_of
from freezelint.source.files.source_file import (
    PassedOverError,
    SourceFile,
    UnreadableError,
    decoded,
    load,
    parse,
)


def source(data: bytes | str) -> SourceFile:
    return decoded(data if isinstance(data, bytes) else data.encode(), "train.py", Path("train.py"))


def notebook(*cells: str | tuple[str, str], **metadata: object) -> bytes:
    """A notebook of these cells, code where only the source is given."""
    told = [("code", cell) if isinstance(cell, str) else cell for cell in cells]
    made = [{"cell_type": kind, "source": text.splitlines(keepends=True)} for kind, text in told]
    return json.dumps({"cells": made, "metadata": metadata, "nbformat": 4}).encode()


def book(*cells: str | tuple[str, str], **metadata: object) -> SourceFile:
    return decoded(notebook(*cells, **metadata), "nb.ipynb", Path("nb.ipynb"))


# Decoding


@pytest.mark.parametrize(
    "data",
    [
        "x = 'é'\ny = 1\n".encode(),
        b"\xef\xbb\xbf" + "x = 'é'\ny = 1\n".encode(),
        "# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"),
        "#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\nx = 'é'\n".encode("cp1252"),
    ],
)
def test_encodings(data: bytes) -> None:
    assert "x = 'é'" in source(data).lines


def test_line_ends_and_form_feeds_count_as_python_counts_them() -> None:
    file = source(b"a = 1\r\nb = 2\r\x0cc = 3\nd = '''\x0b\x0c\x1c'''\ne = 5\n")
    names = {node.targets[0].id: node.lineno for node in parse(file).body}  # type: ignore[attr-defined]
    assert names == {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}
    assert [file.lines[line - 1].strip("\x0c")[0] for line in names.values()] == list("abcde")


def test_columns_count_characters() -> None:
    file = source("größe = 1; model.train()\n")
    call = parse(file).body[1]
    assert file.location(call, "fit") == Location("train.py", 1, 12, 1, 25, "fit")


# What is no Python


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b"x = 1\nfor p in q\n    pass\n", 2, "this is not valid Python 3."),
        (b"x = (\n", 1, "this is not valid Python 3."),
        (b"x = 1\ny = '\xe9'\n", 2, "byte 0xe9 is not UTF-8 text"),
        (b"x = '\xe9'\n", 1, "byte 0xe9 is not UTF-8 text"),
        (b"# coding: klingon\n", 1, "its encoding cannot be told: unknown encoding: klingon"),
        (b"# coding: hex\nx = 1\n", 1, "it cannot be decoded as hex"),
        (b"x = 1\n\0\n", 2, "the file contains null bytes: it is a binary file"),
        ("x = 1\n".encode("utf-16"), 1, "the file contains null bytes: it is UTF-16 or UTF-32 text"),
    ],
)
def test_unreadable(data: bytes, line: int, message: str) -> None:
    with pytest.raises(UnreadableError) as raised:
        parse(source(data))
    failure = raised.value.failure
    assert failure.kind == "unreadable"
    assert failure.message.startswith(message)
    assert failure.location is not None
    assert failure.location.at() == ("train.py", line)


def test_a_file_that_the_system_does_not_give_out(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="cannot be read: No such file"):
        load(tmp_path / "gone.py")
    with pytest.raises(UnreadableError, match="cannot be read: Is a directory"):
        load(tmp_path)


# What is passed over


@pytest.mark.parametrize(
    "text",
    [
        'print "epoch", epoch\n',
        "try:\n    train()\nexcept ValueError, error:\n    pass\n",
        'exec "x = 1"\n',
        "raise ValueError, 'no'\n",
        "x = `y`\n",
        "if a <> b: pass\n",
    ],
)
def test_python_2(text: str) -> None:
    with pytest.raises(PassedOverError) as raised:
        parse(source(text))
    assert raised.value.limit.what == "train.py was not read"
    assert raised.value.limit.why == "it is written in Python 2"


@pytest.mark.parametrize("text", ["-" * 100_000 + "1", "x" + ".x" * 50_000, "[" * 90 + "-" * 50_000 + "1"])
def test_deep_nesting_never_escapes(text: str) -> None:
    with pytest.raises((PassedOverError, UnreadableError)):
        parse(source(text))


def test_stubs_and_huge_files(tmp_path: Path) -> None:
    (tmp_path / "a.pyi").write_text("def f() -> int: ...\n")
    with pytest.raises(PassedOverError, match="a type stub"):
        load(tmp_path / "a.pyi")
    (tmp_path / "data.py").write_bytes(b"x = [\n" + b"1,\n" * 2_000_000 + b"]\n")
    with pytest.raises(PassedOverError, match="larger than 4 MB"):
        load(tmp_path / "data.py")


def test_odd_escapes_warn_nobody(recwarn: pytest.WarningsRecorder) -> None:
    parse(source(r"x = '\d'" + "\n"))
    assert not recwarn.list


# Notebooks


def test_places_are_cells_and_lines() -> None:
    file = book(("markdown", "# Title\ntext"), "import torch\nx = 1", "", "model.train()\nmodel.eval()")
    places = [file.location(node) for node in parse(file).body]
    assert [(place.cell, place.line, place.column) for place in places] == [
        (2, 1, 1),
        (2, 2, 1),
        (4, 1, 1),
        (4, 2, 1),
    ]
    assert places[2].at() == ("nb.ipynb:cell 4", 1)


def test_await_at_the_top_is_fine_in_a_notebook() -> None:
    assert parse(book("await fetch()")).body


def test_other_languages_are_passed_over() -> None:
    with pytest.raises(PassedOverError, match="its language is julia"):
        book("x = 1", language_info={"name": "julia"})
    assert book("x = 1", kernelspec={"language": "python"}).lines[0] == "x = 1"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"not json", "no notebook, which is JSON"),
        (b"[1, 2]", "it has no list of cells"),
        (b'{"cells": {}}', "it has no list of cells"),
        (b'{"cells": [3]}', "its cell 1 is none"),
        (b'{"cells": [{"cell_type": "code", "source": 3}]}', "the source of its cell 1 is no text"),
        (b"[" * 100_000, "no notebook"),
        (b"\xff\xfe", "no notebook"),
    ],
)
def test_malformed_notebooks(data: bytes, message: str) -> None:
    with pytest.raises(UnreadableError, match=message):
        decoded(data, "nb.ipynb", Path("nb.ipynb"))


def test_a_broken_cell_is_told_with_its_line() -> None:
    with pytest.raises(UnreadableError) as raised:
        parse(book("x = 1", "y = 2\nfor p in q\n    pass"))
    assert raised.value.failure.location is not None
    assert raised.value.failure.location.at() == ("nb.ipynb:cell 2", 2)


@pytest.mark.parametrize(
    ("cell", "python"),
    [
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("!pip install torch\nx = 1", "pass\nx = 1"),
        ("!pip install torch \\\n  timm\nx = 1", "pass\n\nx = 1"),
        ("if gpu:\n    !nvidia-smi\n    x = 1", "if gpu:\n    pass\n    x = 1"),
        ("model?\n?model\nmodel.fit??", "pass\npass\npass"),
        ("files = !ls data", "files = get_ipython()"),
        ("%time model.train()", "True; model.train()"),
        ("%timeit model(x)", "pass"),
        ("%%time\nmodel.train()", "\nmodel.train()"),
        ("%%capture out\n!ls\nmodel.train()", "\npass\nmodel.train()"),
        ("%%bash\nls\ncd x", "\n\n"),
        ("%%javascript\nalert(1)", "\n"),
        ("%pip install x\ny = (a\n     % b)", "pass\ny = (a\n     % b)"),
        ("!ls\nx = '''\n%not a magic\n'''", "pass\nx = '''\n%not a magic\n'''"),
        ("!ls\nx = 'it\\'s' # (\n!ls", "pass\nx = 'it\\'s' # (\npass"),
        ("    x = 1\n    %matplotlib inline", "x = 1\npass"),
        ("x = a \\\n  % b\n!ls", "x = a \\\n  % b\npass"),
    ],
)
def test_what_is_ipythons_is_taken_out(cell: str, python: str) -> None:
    assert python_of(cell) == python
    ast.parse(python)
