"""What `freezelint check` does to files (`--fix`, `--diff`), and the fixes that reports for programs hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freezelint.config import Config
from freezelint.evidence import Trace
from freezelint.finding import Finding
from freezelint.fixing.drafts import Drafts
from freezelint.fixing.fixes import Fixed, differences, fix_all, with_fixes, write_all
from freezelint.fixing.looking import RunTarget, Telling, Unit
from freezelint.fixing.planning import drafts_of, read_files, standard_input
from freezelint.fixing.proving import Prover
from freezelint.registry import Rule
from freezelint.report import _terminal
from freezelint.report._words import place
from freezelint.selection import Selection
from freezelint.source.files.judged import Judged
from freezelint.source.files.project import Sources, project_root
from freezelint.suppression.applying import Read
from freezelint.verdict import Wishes, decide


@dataclass(frozen=True)
class Wanted:
    """What is to be fixed, and how."""

    diff: bool = False
    unsafe: bool = False
    only: bool = False
    show: bool = False
    non_zero: bool = False
    fixable: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Looked:
    """What the run has looked at: files that were read, with what became of them; the source on standard
    input, with its name; targets that were run, with the way to run them again. `closed` tells which files
    must not be changed.
    """

    answers: tuple[Judged, ...] = ()
    suppressing: frozenset[str] = frozenset()
    roots: tuple[Path, ...] = ()
    standard_input: tuple[str, bytes, Path | None] | None = None
    targets: tuple[tuple[str, Callable[[Drafts], Trace]], ...] = ()
    closed: Callable[[str], bool] = lambda _: False


def wanted(config: Config, given: dict[str, Any], rules: Sequence[Rule]) -> Wanted:
    """From the options and the configuration. Raises BadInputError for a selector that selects nothing."""
    selection = Selection(config.fixable or ("ALL",), config.unfixable or ())
    return Wanted(
        diff=given["diff"],
        unsafe=bool(config.unsafe_fixes),
        only=bool(config.fix_only),
        show=bool(config.show_fixes),
        non_zero=given["exit_non_zero_on_fix"],
        fixable=selection.codes([rule for rule in rules if rule.fix != "none"]),
    )


def fixed(looked: Looked, findings: Sequence[Finding], wishes: Wishes, wants: Wanted) -> tuple[Fixed, Drafts]:
    """All that can be mended, and the files as they were. Nothing is written."""
    before, units = _units(looked, findings, wishes)
    return fix_all(_prover(units, wishes, wants, unsafe=wants.unsafe), findings, before), before


def proposed(looked: Looked, findings: Sequence[Finding], wishes: Wishes, wants: Wanted) -> list[Finding]:
    """The findings with their fixes, whatever their applicability, which each of them tells."""
    if not findings:
        return []
    before, units = _units(looked, findings, wishes)
    return with_fixes(_prover(units, wishes, wants, unsafe=True), findings, before)


def show(done: Fixed, before: Drafts, *, quiet: bool) -> None:
    """Print what would change, and beside it what would not, and why."""
    _terminal.write(differences(done, before))
    if not quiet:
        for finding, reason in done.refused:
            _terminal.say(f"{place(finding.location)}: {finding.code} stays: {reason}")


def write(done: Fixed, given: tuple[str, bytes, Path | None] | None) -> bytes | None:
    """Write the files; the source on standard input goes to standard output, fixed or not, and is returned.
    What cannot be written is told.
    """
    if given is not None:
        data = done.drafts.read(given[0])
        _terminal.write_bytes(data)
        return data
    for path, reason in write_all(done):
        _terminal.say(f"freezelint: {path} was not fixed: {reason}")
    return None


def _prover(units: Sequence[Unit], wishes: Wishes, wants: Wanted, *, unsafe: bool) -> Prover:
    rules = {rule.code: rule for rule in wishes.rules}
    return Prover(units, rules, unsafe, wants.fixable.__contains__)


def _units(looked: Looked, findings: Sequence[Finding], wishes: Wishes) -> tuple[Drafts, list[Unit]]:
    given = looked.standard_input
    before = drafts_of({given[0]: given[1]} if given is not None else {})
    reading = [finding for finding in findings if finding.witness != "live"]
    units: list[Unit] = []
    if given is not None:
        units.append(standard_input(given[0], _telling(given[0], looked, wishes), given[2]))
    elif reading:
        units += read_files(
            looked.answers, reading, looked.roots, lambda name: _telling(name, looked, wishes), looked.closed
        )
    told = _telling("", looked, wishes)
    units += [
        RunTarget(name, run, Sources(), told, lambda path: _is_own(path) and not looked.closed(path))
        for name, run in looked.targets
    ]
    return before, units


def _telling(name: str, looked: Looked, wishes: Wishes) -> Telling:
    """As the run decides what it tells; comments that are idle are told of the file itself only."""
    read = [Read(name)] if name in looked.suppressing else []

    def tell(findings: Sequence[Finding], drafts: Drafts) -> Sequence[Finding]:
        return decide(findings, drafts.texts, wishes, read=read).findings

    return tell


def _is_own(path: str) -> bool:
    """Whether a file that ran is the project's, and no library's."""
    place = Path(path).absolute()
    installed = any(part in ("site-packages", "dist-packages") for part in place.parts)
    root = project_root(Path.cwd()) or Path.cwd()
    return not installed and (place.is_relative_to(root) or place.is_relative_to(Path.cwd()))
