"""The programs on the rules' pages are judged: Bad shows the fault and nothing else, Good shows nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from freezelint.judge import judge
from freezelint.registry import Rule, rules
from tests.warm import run_warm

_BLOCK = re.compile(r"^## (Bad|Good)[^\n]*\n+```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(rule: Rule) -> dict[str, str]:
    return dict(_BLOCK.findall(rule.page))


LIVE = [rule for rule in rules() if "live" in rule.witnesses]
CASES = [pytest.param(rule, kind, id=f"{rule.code}-{kind}") for rule in LIVE for kind in ("Bad", "Good")]


@pytest.mark.parametrize(("rule", "kind"), CASES)
def test_program(rule: Rule, kind: str, tmp_path: Path) -> None:
    programs = blocks(rule)
    assert kind in programs, f"the page of {rule.code} needs a section `## {kind}` with a python block"
    (tmp_path / "train.py").write_text(programs[kind], encoding="utf-8")
    ran = run_warm("train.py", tmp_path)
    selected = {other.code for other in rules() if other.severity != "info"} | {rule.code}
    found = {finding.code for finding in judge([ran.trace]) if finding.code in selected}
    assert found == ({rule.code} if kind == "Bad" else set()), ran.output
