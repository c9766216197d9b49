"""Guards over pages and checks. A failure here tells a contributor what is missing."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import freezelint
from freezelint.registry import PageError, pages_directory, read_page, rules

CHECKS = Path(freezelint.__file__).parent / "checks"
TESTS = Path(__file__).parent / "checks"
PAGES = sorted(pages_directory().glob("*/*.md"))
MODULES = sorted(path for path in CHECKS.glob("*/*.py") if path.name != "__init__.py")
HEADINGS = ["Why it hurts", "Bad", "Good", "When to ignore it"]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)


@each_page
def test_every_page_has_its_check(page: Path) -> None:
    module = CHECKS / page.parent.name / f"{page.stem.replace('-', '_')}.py"
    assert module.is_file(), (
        f"{page.name} has no check: write `check(trace)` in {module}, with an __init__.py beside it"
    )
    assert (module.parent / "__init__.py").is_file(), (
        f"add {module.parent}/__init__.py with a docstring of one line"
    )


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_every_check_has_its_page(module: Path) -> None:
    page = pages_directory() / module.parent.name / f"{module.stem.replace('_', '-')}.md"
    assert page.is_file(), f"{module.name} has no page: copy the form of another page to {page}"


@each_page
def test_every_check_has_its_tests(page: Path) -> None:
    tests = TESTS / f"test_{page.stem.replace('-', '_')}.py"
    assert tests.is_file(), f"{page.stem} has no unit tests: write {tests} on traces from tests/story.py"


@each_page
def test_the_check_is_a_function_of_the_trace(page: Path) -> None:
    rule = read_page(page)
    parameters = list(inspect.signature(rule.check).parameters)
    assert parameters == ["trace"], f"{rule.module}: write it as `def check(trace: Trace) -> Iterator[Fault]`"


@each_page
def test_the_header_is_legal(page: Path) -> None:
    rule = read_page(page)
    assert re.fullmatch(r"FRZ\d{3}", rule.code), (
        f"{page.name}: the code is FRZ and three digits, as in the catalogue"
    )
    assert rule.name == page.stem, f"{page.name}: `name` is the name of the file without .md"
    assert rule.severity in ("error", "warning", "info"), f"{page.name}: severity is error, warning or info"
    assert rule.fix in ("safe", "unsafe", "none"), f"{page.name}: fix is safe, unsafe or none"
    legal = {("source",), ("live",), ("source", "live")}
    assert rule.witnesses in legal, f'{page.name}: witnesses is ["source", "live"] or one of the two'
    for code in rule.yields_to:
        assert re.fullmatch(r"FRZ\d{3}", code), f"{page.name}: yields_to lists codes; {code!r} is none"
        assert code != rule.code, f"{page.name}: a rule cannot yield to itself"


@each_page
def test_the_page_is_complete(page: Path) -> None:
    rule = read_page(page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {rule.name}\n"), f"{page.name}: the first line is `# {rule.name}`"
    found = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    missing = [heading for heading in HEADINGS if heading not in found]
    assert not missing, f"{page.name}: add the headings {missing}"
    assert rule.summary.endswith("."), f"{page.name}: the first paragraph says the rule in one sentence"
    assert len(rule.summary) <= 200, (
        f"{page.name}: the first paragraph is the summary: keep it to one sentence"
    )


def test_codes_and_names_are_unique() -> None:
    for kind, values in (("code", [r.code for r in rules()]), ("name", [r.name for r in rules()])):
        twice = sorted({value for value in values if values.count(value) > 1})
        assert not twice, f"two pages have the same {kind}: {twice}; take the next free one"


def test_no_two_rules_yield_to_each_other() -> None:
    """Each would explain the other away, and nothing would be reported."""
    yields = {rule.code: set(rule.yields_to) for rule in rules()}
    mutual = sorted({code for code in yields for other in yields[code] if code in yields.get(other, ())})
    assert not mutual, f"these rules yield to each other: {mutual}; decide which one is the cause"


def test_families_are_ranges_of_codes() -> None:
    """FRZ1xx is one family, FRZ2xx the next."""
    families: dict[str, set[str]] = {}
    for rule in rules():
        families.setdefault(rule.code[3], set()).add(rule.family)
    mixed = {f"FRZ{digit}xx": sorted(names) for digit, names in families.items() if len(names) > 1}
    assert not mixed, f"move the pages so that each hundred has one folder: {mixed}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("# name\n\nno block\n", "no ```toml block"),
        ("```toml\ncode = \n```\n", "does not parse"),
        ('```toml\ncode = "FRZ999"\n```\n', "missing keys"),
    ],
)
def test_a_page_out_of_form_says_so(tmp_path: Path, text: str, complaint: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(PageError, match=complaint) as raised:
        read_page(page)
    assert "page.md" in str(raised.value)
