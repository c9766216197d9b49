"""How much of what the stories expect is found, and how much of what is found is expected, for each code and
witness.

    scores = tally([Judged("fresh_head", "live", expected=…, missed=…, found=…), …])
    print(table(scores))
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from freezelint.evidence import Witness
from freezelint.finding import Finding
from tests.stories import Place, expected, missed, places

ALL = "all"  # the row that sums up
_COLUMNS: tuple[Witness, ...] = ("live", "source")


@dataclass(frozen=True)
class Judged:
    """One story by one witness: what it must report, what it is known to miss, and what it reported."""

    story: str
    witness: Witness
    expected: set[Place]
    missed: set[Place]
    found: set[Place]


@dataclass
class Score:
    """One code for one witness: how many faults there are and were found, and how much was reported. `misses`
    and `wrong` say where.
    """

    faults: int = 0
    hits: int = 0
    reported: int = 0
    misses: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float | None:
        """The share of the faults that was found; None where there is no fault."""
        return self.hits / self.faults if self.faults else None

    @property
    def precision(self) -> float | None:
        """The share of the reports that is right; None where nothing was reported."""
        return self.hits / self.reported if self.reported else None


Scores = dict[tuple[str, Witness], Score]


def judged_story(directory: Path, witness: Witness, findings: list[Finding]) -> Judged:
    """The findings of one witness against the comments of the story."""
    return Judged(
        directory.name, witness, expected(directory, witness), missed(directory, witness), places(findings)
    )


def tally(stories: Iterable[Judged]) -> Scores:
    """The scores of every code that is expected, missed or reported, and those of all codes together."""
    scores: Scores = {}
    for story in stories:
        faults = story.expected | story.missed
        for place in sorted(faults | story.found):
            where = f"{story.story}/{place[0]}:{place[1]}"
            for code in (place[2], ALL):
                score = scores.setdefault((code, story.witness), Score())
                score.faults += place in faults
                score.reported += place in story.found
                score.hits += place in faults and place in story.found
                if place not in story.found:
                    score.misses.append(where)
                elif place not in faults:
                    score.wrong.append(where)
    return scores


def table(scores: Scores) -> str:
    """The scores as a Markdown table: a row for each code, then all codes. A dash: nothing to measure."""
    codes = sorted({code for code, _ in scores if code != ALL})
    head = " | ".join(f"{witness} recall | {witness} precision" for witness in _COLUMNS)
    rows = [f"| code | {head} | misses |", "|---|" + "---:|" * 2 * len(_COLUMNS) + "---|"]
    rows += [_row(scores, code, code, places_too=True) for code in codes]
    rows.append(_row(scores, ALL, "**all**", places_too=False))
    return "\n".join(rows) + "\n"


def _row(scores: Scores, code: str, name: str, *, places_too: bool) -> str:
    cells = [name]
    misses = []
    for witness in _COLUMNS:
        score = scores.get((code, witness), Score())
        cells += [_share(score.recall, score.hits, score.faults)]
        cells += [_share(score.precision, score.hits, score.reported)]
        if places_too:
            misses += [f"`{where}` ({witness})" for where in score.misses]
        elif score.misses:
            misses.append(f"{len(score.misses)} ({witness})")
    return f"| {' | '.join([*cells, ', '.join(misses) or '–'])} |"


def _share(value: float | None, part: int, whole: int) -> str:
    return "–" if value is None else f"{value:.2f} ({part}/{whole})"
