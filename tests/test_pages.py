"""The programs on the rules' pages are judged: Bad shows the fault and nothing else, Good shows nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from freezelint.evidence import Witness
from freezelint.finding import Finding
from freezelint.judge import judge
from freezelint.registry import Rule, rules
from freezelint.source.files.checking import check_text
from freezelint.suppression.applying import Read, suppress
from freezelint.texts import Texts
from tests.warm import run_warm

_BLOCK = re.compile(r"^## (Bad|Good)[^\n]*\n+```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(rule: Rule) -> dict[str, str]:
    return dict(_BLOCK.findall(rule.page))


def cases(witness: Witness) -> list[Any]:
    """Bad and Good of every rule that this witness sees."""
    seen = [rule for rule in rules() if witness in rule.witnesses]
    return [pytest.param(rule, kind, id=f"{rule.code}-{kind}") for rule in seen for kind in ("Bad", "Good")]


def program(rule: Rule, kind: str) -> str:
    programs = blocks(rule)
    assert kind in programs, f"the page of {rule.code} needs a section `## {kind}` with a python block"
    return programs[kind]


def selected(findings: list[Finding], rule: Rule) -> set[str]:
    """The codes that are reported when this rule is selected beside the usual ones."""
    codes = {other.code for other in rules() if other.severity != "info"} | {rule.code}
    return {finding.code for finding in findings if finding.code in codes}


@pytest.mark.parametrize(("rule", "kind"), cases("live"))
def test_the_program_runs_and_is_judged_live(rule: Rule, kind: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(program(rule, kind), encoding="utf-8")
    ran = run_warm("train.py", tmp_path)
    assert selected(judge([ran.trace]), rule) == ({rule.code} if kind == "Bad" else set()), ran.output


@pytest.mark.parametrize(("rule", "kind"), cases("source"))
def test_the_program_is_judged_from_its_source(rule: Rule, kind: str) -> None:
    checked, texts = check_text(program(rule, kind).encode(), "train.py")
    read = [Read(path, alone=True) for path in checked.suppressing]
    findings = suppress(checked.findings, Texts(texts), read, rules()).findings
    told = "\n".join(finding.message for finding in findings)
    assert selected(list(findings), rule) == ({rule.code} if kind == "Bad" else set()), told
