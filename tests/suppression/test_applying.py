"""Which findings the comments suppress, and which comments are told to suppress nothing."""

from __future__ import annotations

import json
from typing import Any

from freezelint.evidence import Location
from freezelint.finding import Finding, Related
from freezelint.merging import FOUND_IN_SOURCE
from freezelint.registry import rules
from freezelint.suppression.applying import Read, Suppressed, suppress
from freezelint.texts import Texts


def finding(line: int, code: str = "FRZ101", path: str = "train.py", **fields: Any) -> Finding:
    cell = fields.pop("cell", None)
    return Finding(code, "name", "error", "m", Location(path, line, cell=cell), (), "source", **fields)


def applied(text: str, *findings: Finding, read: bool = True, **fields: Any) -> Suppressed:
    """The outcome for a file `train.py` with this text."""
    files = [Read("train.py", **fields)] if read else []
    return suppress(findings, Texts({"train.py": text}), files, rules())


def told(outcome: Suppressed) -> list[tuple[str, int]]:
    return [(each.code, each.line) for each in outcome.findings]


def test_without_comments_everything_stays() -> None:
    assert told(applied("x = 1\n", finding(1))) == [("FRZ101", 1)]


def test_other_lines_other_codes_and_other_tools_suppress_nothing() -> None:
    text = "a = 1  # noqa: E501\nb = 2  # noqa: FRZ201\n\nc = 3\n"
    outcome = applied(text, finding(1), finding(2), finding(4), read=False)
    assert told(outcome) == [("FRZ101", 1), ("FRZ101", 2), ("FRZ101", 4)]


def test_suppressed() -> None:
    text = "a = 1  # noqa\nb = 2  # noqa: FRZ101, FRZ201\nc = f(\n    1\n)  # noqa: FRZ1\n"
    outcome = applied(text, finding(1), finding(2), finding(2, "FRZ201"), finding(3))
    assert told(outcome) == []
    assert len(outcome.suppressed) == 4


def test_a_whole_file() -> None:
    text = "# freezelint: ignore-file: FRZ1\nimport torch\n\na = 1\n"
    assert told(applied(text, finding(4), finding(4, "FRZ201"))) == [("FRZ201", 4)]
    assert told(applied("# freezelint: ignore-file\na = 1\n", finding(2), finding(2, "FRZ002"))) == []


def test_where_either_witness_saw_it() -> None:
    """The live audit may place it elsewhere than the source reader, for which the comment was written."""
    text = "model.train()\nstep()  # noqa: FRZ101\n"
    elsewhere = Related(Location("train.py", 2), FOUND_IN_SOURCE)
    assert told(applied(text, finding(1, related=(elsewhere,)))) == []
    frozen = Related(Location("train.py", 2), "frozen here")
    assert ("FRZ101", 1) in told(applied(text, finding(1, related=(frozen,))))


def test_in_notebooks_each_cell_is_a_text_of_its_own() -> None:
    sources = ["# freezelint: ignore-file\n%matplotlib inline\na = 1", "!ls\nb = 2  # noqa: FRZ101", "c = 3"]
    cells = [{"cell_type": "code", "source": source} for source in sources]
    texts = Texts({"book.ipynb": json.dumps({"cells": cells})})
    found = [finding(line, path="book.ipynb", cell=cell) for cell, line in ((1, 3), (2, 2), (3, 1))]
    outcome = suppress(found, texts, [Read("book.ipynb")], rules())
    assert [each.location.cell for each in outcome.findings] == [3]


# FRZ001


def test_used_bare_and_foreign_comments_are_not_told() -> None:
    text = "a = 1  # noqa: FRZ101, FRZ2\nb = 2  # noqa\nc = 3  # noqa: E501\n"
    assert told(applied(text, finding(1), finding(1, "FRZ203"))) == []


def test_files_that_were_not_read_to_their_end_are_not_told() -> None:
    assert told(applied("a = 1  # noqa: FRZ101\n", read=False)) == []


def test_what_only_the_live_audit_sees_is_not_told() -> None:
    live_only = next(rule.code for rule in rules() if rule.witnesses == ("live",))
    assert told(applied(f"a = 1  # noqa: {live_only}\n")) == []


def test_a_file_that_is_ignored_for_good_is_not_told() -> None:
    assert told(applied("# freezelint: ignore-file: FRZ101\na = 1\n")) == []


def test_inside_of_a_function_only_with_the_code_that_may_call_it() -> None:
    text = "def freeze(model):\n    model.train()  # noqa: FRZ101\n"
    assert told(applied(text, alone=True)) == []
    assert told(applied(text)) == [("FRZ001", 2)]


def test_unused() -> None:
    (found,) = applied("a = 1  # noqa: FRZ101\n").findings
    assert (found.code, found.line, found.location.column) == ("FRZ001", 1, 8)
    assert found.message == (
        "`# noqa: FRZ101`: it suppresses nothing: `FRZ101` is not found here; "
        "remove the code, or the comment if nothing else is in it"
    )


def test_unused_among_used_ones() -> None:
    (found,) = applied("a = 1  # noqa: FRZ101, FRZ201, E501\n", finding(1)).findings
    assert "`FRZ201` is not found here" in found.message
    assert found.evidence == {"codes": ["FRZ201"]}


def test_a_rule_that_does_not_exist() -> None:
    for text in ("a = 1  # noqa: FRZ999\n", "# freezelint: ignore-file: FRZ999\n"):
        (found,) = applied(text, alone=True).findings
        assert "there is no rule `FRZ999`" in found.message


def test_it_can_be_suppressed_itself() -> None:
    assert told(applied("a = 1  # noqa: FRZ101, FRZ001\n")) == []
