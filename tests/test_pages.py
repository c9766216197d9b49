"""The programs on the rules' pages are judged: Bad shows the fault and nothing else, Good and Fixed show
nothing, and Fixed (or Good, where there is none) is what `--fix` makes of Bad."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from freezelint.evidence import Witness
from freezelint.finding import Finding
from freezelint.fixing.scene import mender
from freezelint.judge import judge
from freezelint.registry import Rule, rules
from freezelint.source.files.checking import check_text
from freezelint.suppression.applying import Read, suppress
from freezelint.texts import Texts
from tests.fixing.mending import mended
from tests.warm import run_warm

_BLOCK = re.compile(r"^## (Bad|Good|Fixed)[^\n]*\n+```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(rule: Rule) -> dict[str, str]:
    return dict(_BLOCK.findall(rule.page))


def cases(witness: Witness) -> list[Any]:
    """Bad and Good of every rule that this witness sees."""
    seen = [rule for rule in rules() if witness in rule.witnesses]
    return [
        pytest.param(rule, kind, id=f"{rule.code}-{kind}")
        for rule in seen
        for kind in dict.fromkeys(("Bad", "Good", *blocks(rule)))
    ]


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


@pytest.mark.parametrize("rule", [rule for rule in rules() if rule.fix != "none"], ids=lambda rule: rule.code)
def test_the_fix_of_bad_is_what_the_page_shows(rule: Rule, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(program(rule, "Bad"), encoding="utf-8")
    done = mended(tmp_path, "train.py", unsafe=rule.fix == "unsafe", extend=(rule.code,))
    assert done.text == blocks(rule).get("Fixed", program(rule, "Good")), done.refused


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.code)
def test_there_is_a_mend_where_the_page_says_so(rule: Rule) -> None:
    if rule.fix == "none":
        assert mender(rule) is None, f"{rule.code} has a mend: its page must say whether it is safe"
    else:
        assert mender(rule) is not None, (
            f"write freezelint/mends/{rule.family}/{rule.name.replace('-', '_')}.py"
        )
