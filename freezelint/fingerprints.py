"""Names for findings that stay the same while the code around them moves."""

from __future__ import annotations

import hashlib
import os
import tokenize
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from freezelint.finding import Finding
from freezelint.suppression.comments import tokens
from freezelint.texts import Texts


@dataclass(frozen=True)
class Fingerprint:
    """What a finding is recognised by: its rule, its file, the function around it, its line of source without
    blanks and comments, and its number among those that have all this in common. Neither line numbers nor
    the words of the message, which tell line numbers too.
    """

    code: str
    path: str
    function: str
    source: str
    ordinal: int = 0

    @cached_property
    def digest(self) -> str:
        """All of it in 32 hexadecimal digits."""
        told = "\0".join((self.code, self.path, self.function, self.source, str(self.ordinal)))
        return hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def fingerprints(findings: Sequence[Finding], texts: Texts, base: Path) -> list[Fingerprint]:
    """One for each finding, no two alike. Paths are relative to `base`, with slashes."""
    counted: Counter[Fingerprint] = Counter()
    found = []
    for finding in findings:
        where = finding.location
        first = Fingerprint(
            finding.code,
            relative(where.path, base),
            texts.enclosing(where),
            _normalised(texts.line(where)),
        )
        found.append(Fingerprint(first.code, first.path, first.function, first.source, counted[first]))
        counted[first] += 1
    return found


def relative(path: str, base: Path) -> str:
    """The path as it is told from a directory, with slashes on any system."""
    try:
        told = os.path.relpath(os.path.realpath(path), os.path.realpath(base))
    except ValueError:  # on another drive
        told = path
    return told.replace(os.sep, "/")


def _normalised(line: str) -> str:
    """The line without its comment, its blanks as one each."""
    text = line.strip()
    if "#" in text:
        comment = next((token for token in tokens(f"{text}\n") if token.type == tokenize.COMMENT), None)
        text = text[: comment.start[1]] if comment else text
    return " ".join(text.split())
