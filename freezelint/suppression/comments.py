"""The comments of one text, a file or a cell of a notebook, that suppress findings."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field

PREFIX = "FRZ"
_CODES = r"(?P<codes>[A-Za-z]+\d+\b(?:(?:\s*,\s*|\s+)[A-Za-z]+\d+\b)*)"
NOQA = re.compile(rf"#\s*noqa\b(?P<listed>\s*:\s*(?:{_CODES})?)?", re.IGNORECASE)
_IGNORE_FILE = re.compile(
    rf"#\s*freezelint:\s*ignore-file\b(?!-)(?P<listed>\s*:\s*(?:{_CODES})?)?", re.IGNORECASE
)
_SIGN = re.compile(r"noqa|freezelint:", re.IGNORECASE)
_CODE = re.compile(r"[A-Za-z]+\d+")
# Tokens that stand between statements.
_BETWEEN = {tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}


@dataclass(frozen=True)
class Suppression:
    """One comment. `codes` None stands for all; other tools' codes are among them. Columns count from 1, the
    span is that of the words which count, without an explanation behind them.
    """

    line: int
    column: int
    end_column: int
    text: str
    codes: tuple[str, ...] | None
    whole_file: bool = False

    def covers(self, code: str) -> bool:
        """Whether it suppresses findings with this code."""
        return self.codes is None or any(code.startswith(own) for own in self.own)

    @property
    def own(self) -> tuple[str, ...]:
        """The codes that are ours: a prefix such as FRZ1 stands for all that begin with it."""
        return tuple(code for code in self.codes or () if code.startswith(PREFIX))


@dataclass(frozen=True)
class Comments:
    """What the comments of a text say. `ends` tells for each line the last line of the statement on it;
    `open_lines` are those that end in a place where a comment may stand.
    """

    by_line: dict[int, list[Suppression]] = field(default_factory=dict)
    whole_file: list[Suppression] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)
    open_lines: frozenset[int] = frozenset()

    def on(self, line: int) -> list[Suppression]:
        """The suppressions that hold for a finding on this line: its own, and those on the last line of its
        statement.
        """
        lines = dict.fromkeys((line, self.ends.get(line, line)))
        return [*self.whole_file, *(each for number in lines for each in self.by_line.get(number, ()))]

    def all(self) -> list[Suppression]:
        """All suppressions, in their order; those of the whole file first."""
        return [*self.whole_file, *(each for line in sorted(self.by_line) for each in self.by_line[line])]


def may_suppress(lines: list[str]) -> bool:
    """Whether there can be any suppression in these lines: a glance instead of a reading."""
    return any(_SIGN.search(line) for line in lines)


def read_comments(text: str) -> Comments:
    """The comments of a text. Where it is no Python, those before the place where that shows."""
    found = _Found(text.split("\n"))
    for token in tokens(text):
        found.feed(token)
    return Comments(found.by_line, found.whole_file, found.ends, frozenset(found.open_lines))


def tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    """The tokens of a text, up to where it stops being Python."""
    try:
        yield from tokenize.generate_tokens(io.StringIO(text).readline)
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError):
        return


class _Found:
    """What has been read so far."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._first: int | None = None  # the first line of the statement that is being read
        self._only_string = True
        self._statements = 0
        self.by_line: dict[int, list[Suppression]] = {}
        self.whole_file: list[Suppression] = []
        self.ends: dict[int, int] = {}
        self.open_lines: set[int] = set()

    def feed(self, token: tokenize.TokenInfo) -> None:
        line = token.start[0]
        if token.type in (tokenize.NL, tokenize.NEWLINE):
            self.open_lines.add(line)
        if token.type == tokenize.COMMENT:
            self._comment(token)
        elif token.type == tokenize.NEWLINE and self._first is not None:
            self.ends.update(dict.fromkeys(range(self._first, line + 1), line))
            self._statements += not (self._only_string and self._statements == 0)
            self._first, self._only_string = None, True
        elif token.type not in _BETWEEN and token.type != tokenize.ENDMARKER:
            self._first = line if self._first is None else self._first
            self._only_string = self._only_string and token.type == tokenize.STRING

    def _comment(self, token: tokenize.TokenInfo) -> None:
        line, column = token.start
        at_head = self._statements == 0 and self._first is None
        if at_head and not self._lines[line - 1][:column].strip():
            found = _IGNORE_FILE.search(token.string)
            if found and (suppression := _suppression(found, line, column, whole_file=True)):
                self.whole_file.append(suppression)
        for found in NOQA.finditer(token.string):
            if suppression := _suppression(found, line, column):
                self.by_line.setdefault(line, []).append(suppression)


def _suppression(
    found: re.Match[str], line: int, column: int, *, whole_file: bool = False
) -> Suppression | None:
    """None where a colon is followed by no code: that cannot be meant for everything."""
    if found["listed"] is not None and found["codes"] is None:
        return None
    codes = None if found["codes"] is None else tuple(code.upper() for code in _CODE.findall(found["codes"]))
    return Suppression(
        line, column + found.start() + 1, column + found.end() + 1, found[0].rstrip(), codes, whole_file
    )
