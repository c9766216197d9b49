"""Programs with expectations in comments: which code must be reported on which line.

`# expect: FRZ101` (or several codes, with commas) stands at the end of the line that the finding points to;
`# todo: FRZ101` marks a fault that is known to be missed. A line `# freezelint: --hermetic --steps 4 --
--epochs 1` holds options for the run.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from freezelint.finding import Finding
from freezelint.judge import judge
from freezelint.registry import rules
from freezelint.selection import Selection
from tests.warm import run_warm

_EXPECT = re.compile(r"#\s*expect:\s*((?:FRZ\d{3}[,\s]*)+)")
_OPTIONS = re.compile(r"^# freezelint:(.*)$", re.MULTILINE)

FIXTURES = Path(__file__).parents[1] / "fixtures"

Place = tuple[str, int, str]  # file beside the script, line, code


@dataclass
class Options:
    """How a story wants to be run."""

    arguments: list[str] = field(default_factory=list)
    select: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


def expected(directory: Path) -> set[Place]:
    """All expectations in the Python files of a story."""
    return {
        (str(path.relative_to(directory)), number, code)
        for path in sorted(directory.rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in _EXPECT.finditer(line)
        for code in re.findall(r"FRZ\d{3}", match[1])
    }


def options(source: str) -> Options:
    """The options in a story's header."""
    found = Options()
    header = _OPTIONS.search(source)
    if header is None:
        return found
    given, _, arguments = header[1].partition(" -- ")
    found.arguments = shlex.split(arguments)
    words = iter(shlex.split(given))
    for word in words:
        if word == "--hermetic":
            found.settings["hermetic"] = True
        elif word == "--steps":
            found.settings["steps"] = int(next(words))
        elif word == "--device":
            found.settings["device"] = next(words)
        elif word == "--extend-select":
            found.select = tuple(next(words).split(","))
        else:
            raise ValueError(f"unknown option {word!r} in a story's header")
    return found


def judged(directory: Path, script: str = "train.py") -> tuple[list[Finding], str]:
    """The findings of a live run of a story at default selection, and what it printed."""
    wanted = options(Path(directory, script).read_text(encoding="utf-8"))
    ran = run_warm(script, directory, *wanted.arguments, **wanted.settings)
    codes = Selection(extend_select=wanted.select).codes(rules())
    return [finding for finding in judge([ran.trace]) if finding.code in codes], ran.output


def places(findings: list[Finding]) -> set[Place]:
    """Where the findings are, as expectations have it."""
    return {(finding.path, finding.line, finding.code) for finding in findings}
