"""The rules: every page in `rules/` with the check of the same name in `freezelint/checks/`.

Nothing is wired by hand. A page `rules/<family>/<rule-name>.md` owns code, name, severity, witnesses,
fixability and the prose; the module `freezelint/checks/<family>/<rule_name>.py` owns `check(trace)`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, cast

from freezelint.evidence import Trace, Witness
from freezelint.finding import Fault, Severity

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Fixability = Literal["safe", "unsafe", "none"]
Check = Callable[[Trace], Iterator[Fault]]

_HEADER = "```toml\n"
_KEYS = {"code", "name", "severity", "witnesses", "fix", "yields_to"}


class PageError(ValueError):
    """A rule's page breaks the form; the message names the file and says what to do."""


@dataclass(frozen=True)
class Rule:
    """One rule. `yields_to` names the codes that explain this rule's findings away when they concern the same
    subjects.
    """

    code: str
    name: str
    severity: Severity
    witnesses: tuple[Witness, ...]
    fix: Fixability
    summary: str
    page: str
    family: str
    yields_to: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """Dotted name of the module that holds the check."""
        return f"freezelint.checks.{self.family}.{self.name.replace('-', '_')}"

    @cached_property
    def check(self) -> Check:
        return cast("Check", import_module(self.module).check)


def pages_directory() -> Path:
    """Where the pages are: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    shipped = package / "rules"
    return shipped if shipped.is_dir() else package.parent / "rules"


def read_page(path: Path) -> Rule:
    """The rule that a page describes. Raises `PageError` where the page breaks the form."""
    text = path.read_text(encoding="utf-8")
    start = text.find(_HEADER)
    end = text.find("\n```", start + len(_HEADER))
    if start < 0 or end < 0:
        raise PageError(f"{path}: no ```toml block with the rule's code; copy the block of another page")
    try:
        header: dict[str, Any] = tomllib.loads(text[start + len(_HEADER) : end])
    except tomllib.TOMLDecodeError as error:
        raise PageError(f"{path}: its ```toml block does not parse: {error}") from error
    missing = _KEYS - {"yields_to"} - header.keys()
    unknown = header.keys() - _KEYS
    if missing or unknown:
        raise PageError(
            f"{path}: missing keys {sorted(missing)}, unknown keys {sorted(unknown)} in the ```toml block"
        )
    body = text[end + len("\n```") :].strip()
    return Rule(
        code=header["code"],
        name=header["name"],
        severity=header["severity"],
        witnesses=tuple(header["witnesses"]),
        fix=header["fix"],
        summary=" ".join(body.partition("\n\n")[0].split()),
        page=body,
        family=path.parent.name,
        yields_to=tuple(header.get("yields_to", ())),
    )


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """All rules, by code."""
    found = [read_page(path) for path in sorted(pages_directory().glob("*/*.md"))]
    return tuple(sorted(found, key=lambda rule: rule.code))
