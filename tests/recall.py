"""How much of what the stories expect is found, and how much of what is found is expected, for each code and
witness.

    scores = tally([Judged("fresh_head", "live", expected=…, missed=…, found=…), …])
    print(table(scores))

`python -m tests.recall` writes the table of all stories into README.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from freezelint.evidence import Witness
from freezelint.finding import Finding
from tests.stories import FIXTURES, Place, expected, missed, places

ALL = "all"  # the row that sums up
README = Path(__file__).parents[1] / "README.md"
_COLUMNS: tuple[Witness, ...] = ("live", "source")
_IN_README = re.compile(r"<details><summary>[^\n]*</summary>\n\n[^<]*</details>\n")


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


def scores_by_comments() -> Scores:
    """The scores of all stories. What is reported is what the comments expect: `test_fixtures.py` sees to
    that, for every story and both witnesses.
    """
    stories = sorted(path.parent for path in FIXTURES.glob("*/train.py"))
    return tally(
        Judged(story.name, witness, found := expected(story, witness), missed(story, witness), found)
        for story in stories
        for witness in _COLUMNS
    )


def section(scores: Scores) -> str:
    """What the README says: the totals, and the table to unfold."""
    live, source = (scores[ALL, witness] for witness in _COLUMNS)
    total = (
        f"found: {live.hits} of {live.faults} by the live audit, "
        f"{source.hits} of {source.faults} from the source; "
        f"false alarms: {live.reported - live.hits} and {source.reported - source.hits}; by rule"
    )
    return f"<details><summary>{total}</summary>\n\n{table(scores)}\n</details>\n"


def main() -> None:
    """Bring the README up to date."""
    text = README.read_text(encoding="utf-8")
    changed = _IN_README.sub(lambda _: section(scores_by_comments()), text)
    README.write_text(changed, encoding="utf-8")


if __name__ == "__main__":
    main()
