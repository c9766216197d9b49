"""What git ignores: the .gitignore files of a repository and its .git/info/exclude, read as git reads them.

    ignored = around(directory)                     # what holds in it from further up
    ignored = ignored.inside(directory, names)      # and what its own .gitignore adds
    ignored("/project/data/x.py", is_directory=False)

Places are absolute paths. Patterns are compared byte by byte, as git does. What a user has in a global file
of their own is left aside: it would make the report differ from machine to machine.
"""

from __future__ import annotations

import os
import re
import string
from collections.abc import Collection, Sequence
from pathlib import Path

FILE = ".gitignore"
REPOSITORY = ".git"

_NEVER = "(?!)"
_BOM = b"\xef\xbb\xbf"
_SPECIAL = re.compile(rb"[*?\[\\]")
_CLASSES = {
    b"alnum": string.ascii_letters + string.digits,
    b"alpha": string.ascii_letters,
    b"blank": " \t",
    b"cntrl": "".join(map(chr, [*range(32), 127])),
    b"digit": string.digits,
    b"graph": "".join(map(chr, range(33, 127))),
    b"lower": string.ascii_lowercase,
    b"print": "".join(map(chr, range(32, 127))),
    b"punct": string.punctuation,
    b"space": string.whitespace,
    b"upper": string.ascii_uppercase,
    b"xdigit": string.hexdigits,
}


class Ignored:
    """What is ignored below a directory: files of patterns, the innermost first."""

    def __init__(self, files: tuple[_Patterns, ...] = ()) -> None:
        self._files = files

    def __bool__(self) -> bool:
        return bool(self._files)

    def __call__(self, path: str, *, is_directory: bool) -> bool:
        """Whether this path itself is; whether a directory above it is, is asked on the way down."""
        for patterns in self._files:
            decided = patterns.decide(path, is_directory)
            if decided is not None:
                return decided
        return False

    def inside(self, directory: str, names: Collection[str]) -> Ignored:
        """What is ignored in this directory, which has these names in it. A repository in a repository has
        only its own patterns.
        """
        ignored = self
        if REPOSITORY in names:
            ignored = Ignored(_read(directory, _info(Path(directory))))
        if FILE in names:
            ignored = Ignored((*_read(directory, Path(directory, FILE)), *ignored._files))
        return ignored


def around(directory: Path) -> Ignored:
    """What is ignored in this directory because of those above it, up to the root of the repository; nothing
    where it is in none.
    """
    places = (directory, *directory.parents)
    depth = next((depth for depth, each in enumerate(places) if os.path.lexists(each / REPOSITORY)), 0)
    ignored = Ignored()
    for each in reversed(places[1 : depth + 1]):
        names = [name for name in (REPOSITORY, FILE) if os.path.lexists(each / name)]
        ignored = ignored.inside(str(each), names)
    return ignored


class _Patterns:
    """The patterns of one file, the last one that matches decides; paths are relative to `base`."""

    def __init__(self, base: str, lines: Sequence[bytes]) -> None:
        self._start = len(base.rstrip(os.sep)) + 1
        self._keeps = [line.startswith(b"!") for line in lines]
        by_name: list[tuple[int, str]] = []
        by_path: list[tuple[int, str]] = []
        for number, line in enumerate(lines):
            found = _expression(line[1:] if self._keeps[number] else line)
            if found is not None:
                (by_path if found[1] else by_name).append((number, found[0]))
        self._by_name, self._by_path = _Alternatives(by_name), _Alternatives(by_path)

    def decide(self, path: str, is_directory: bool) -> bool | None:
        """Whether the path is ignored; None where nothing is said about it."""
        relative = os.fsencode(path[self._start :].replace(os.sep, "/"))
        mark = b"/" if is_directory else b""
        name = relative.rpartition(b"/")[2]
        last = max(self._by_name.last(mark + name), self._by_path.last(mark + relative))
        return None if last < 0 else not self._keeps[last]


class _Alternatives:
    """Numbered expressions, tried at once: one call for each pattern and path would take far longer."""

    def __init__(self, numbered: Sequence[tuple[int, str]]) -> None:
        # The last pattern comes first, and the first alternative that matches wins.
        self._numbers = [number for number, _ in reversed(numbered)]
        text = "|".join(f"({expression})" for _, expression in reversed(numbered))
        self._expression = re.compile(text.encode("latin-1"), re.DOTALL) if numbered else None

    def last(self, subject: bytes) -> int:
        """The number of the last one that matches; -1 where none does."""
        found = self._expression.fullmatch(subject) if self._expression is not None else None
        return -1 if found is None or found.lastindex is None else self._numbers[found.lastindex - 1]


def _read(base: str, file: Path | None) -> tuple[_Patterns, ...]:
    """The patterns in this file; none where it is not there or cannot be read."""
    try:
        data = b"" if file is None else file.read_bytes()
    except (OSError, ValueError):
        return ()
    lines = [line.removesuffix(b"\r").partition(b"\0")[0] for line in data.removeprefix(_BOM).split(b"\n")]
    wanted = [_trimmed(line) for line in lines if line and not line.startswith(b"#")]
    return (_Patterns(base, wanted),) if wanted else ()


def _info(repository: Path) -> Path | None:
    """The repository's own list. In a worktree or a submodule `.git` is a file that tells where that lies."""
    git = repository / REPOSITORY
    try:
        if git.is_file():
            git = repository / os.fsdecode(git.read_bytes().partition(b":")[2].strip())
        common = git / "commondir"
        if common.is_file():
            git = git / os.fsdecode(common.read_bytes().strip())
    except (OSError, ValueError):
        return None
    return git / "info" / "exclude"


def _trimmed(line: bytes) -> bytes:
    """Without the spaces at its end that no backslash protects."""
    end = len(line.rstrip(b" "))
    protected = (len(line[:end]) - len(line[:end].rstrip(b"\\"))) % 2 == 1
    return line[: end + 1] if protected and end < len(line) else line[:end]


def _expression(pattern: bytes) -> tuple[str, bool] | None:
    """What the pattern matches, directories being marked by a slash before them, and whether it is about
    whole paths, not names alone. None where git takes it for malformed, which matches nothing.
    """
    only_directories = pattern.endswith(b"/")
    pattern = pattern.removesuffix(b"/")
    about_paths = b"/" in pattern
    text = _translated(pattern.removeprefix(b"/"), about_paths)
    mark = "/" if only_directories else "/?"
    return (f"{mark}(?!/){text}", about_paths) if text else None


def _translated(pattern: bytes, about_paths: bool) -> str | None:
    first = _SPECIAL.search(pattern)
    if first is None:
        return _literal(pattern)
    # git compares what stands before the first special character by itself, so that `**` begins anew there.
    position = begin = first.start()
    text = _literal(pattern[:begin])
    while position < len(pattern):
        here = pattern[position : position + 1]
        if here == b"*":
            end = position + len(pattern[position:]) - len(pattern[position:].lstrip(b"*"))
            alone = position == begin or pattern[position - 1 : position] == b"/"
            rest = pattern[end:]
            if end - position > 1 and about_paths and alone and rest[:1] in (b"", b"/"):
                text += "(?:.*/)?" if rest else ".*"
                end += 1
            elif end - position > 1 and about_paths and alone and rest.startswith(b"\\/"):
                text += ".*"
            else:
                text += "[^/]*"
            position = end
        elif here == b"?":
            text += "[^/]"
            position += 1
        elif here == b"[":
            found = _bracket(pattern, position + 1)
            if found is None:
                return None
            members, position = found
            text += f"[{_literal(bytes(sorted(members)))}]" if members else _NEVER
        else:
            position += here == b"\\"
            if position == len(pattern):
                return None
            text += _literal(pattern[position : position + 1])
            position += 1
    return text


def _literal(text: bytes) -> str:
    return re.escape(text.decode("latin-1"))


def _bracket(pattern: bytes, position: int) -> tuple[set[int], int] | None:
    """The bytes that `[…]` takes, and where it ends; None where it does not end or names an unknown class."""
    negated = pattern[position : position + 1] in (b"!", b"^")
    position += negated
    members: set[int] = set()
    before: int | None = None  # what a range may begin with
    begin = position
    while position == begin or pattern[position : position + 1] != b"]":
        here = pattern[position : position + 1]
        if here == b"-" and before is not None and pattern[position + 1 : position + 2] not in (b"", b"]"):
            position += 1 + (pattern[position + 1 : position + 2] == b"\\")
            if position >= len(pattern):
                return None
            members.update(range(before, pattern[position] + 1))
            before = None
        elif here == b"[" and pattern[position + 1 : position + 2] == b":":
            end = pattern.find(b"]", position + 2)
            if end < 0:
                return None
            name = pattern[position + 2 : end]
            if name.endswith(b":"):
                if name[:-1] not in _CLASSES:
                    return None
                members.update(map(ord, _CLASSES[name[:-1]]))
                before, position = None, end
            else:
                before = ord("[")
                members.add(before)
        else:
            position += here == b"\\"
            if position >= len(pattern):
                return None
            before = pattern[position]
            members.add(before)
        position += 1
        if position >= len(pattern):
            return None
    taken = set(range(1, 256)) - members if negated else members
    return taken - {ord("/")}, position + 1
