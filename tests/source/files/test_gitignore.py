"""What git ignores is left out of directories: as git itself says it, pattern by pattern."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freezelint.source.files.discovery import discover

# Every test has directories and names that patterns like to confuse.
NAMES = ("a.py", "ab.py", "b.py", "[a].py", "a b.py", "a.py .py", "#a.py", "!a.py", "é.py", "A-1.py", "*.py")
PLACES = ("", "a", "b", "a/a", "a/b", "b/a", "a/b/a", "b/[a]", "a/a b", "b/!a")


class Repository:
    """A repository of a few directories with all the names in each."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        self.environment |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        self.environment |= {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com"}
        self.environment |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com"}
        root.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q")
        self.git("config", "core.ignorecase", "false")
        self.files = [f"{place}/{name}".lstrip("/") for place in PLACES for name in NAMES]
        for file in self.files:
            path = root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
        self._lists: list[Path] = []

    def git(self, *arguments: str, given: bytes = b"") -> bytes:
        """What git answers."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env=self.environment,
            input=given,
            capture_output=True,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr
        return done.stdout

    def ignore(self, lists: dict[str, bytes]) -> None:
        """Have these lists of patterns and no others, by directory; `.git/info` is the repository's own."""
        for file in self._lists:
            file.unlink()
        self._lists = [
            self.root / place / ("exclude" if place == ".git/info" else ".gitignore") for place in lists
        ]
        for file, patterns in zip(self._lists, lists.values(), strict=True):
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(patterns)

    def kept_by_git(self) -> set[str]:
        """The files that git does not ignore."""
        asked = "\0".join(self.files).encode()
        said = self.git("check-ignore", "--no-index", "--stdin", "-z", given=asked)
        return set(self.files) - set(said.decode().split("\0"))

    def kept(self, below: str = "", **options: bool) -> set[str]:
        """The files that discovery finds."""
        options = {"respect_gitignore": True, **options}
        return {path.relative_to(self.root).as_posix() for path in discover([self.root / below], **options)}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def repository(shared: Repository) -> Iterator[Repository]:
    shared.ignore({})
    yield shared
    shared.ignore({})


def test_nothing_is_ignored_unless_somebody_says_so(repository: Repository) -> None:
    assert repository.kept() == set(repository.files) == repository.kept_by_git()


def test_it_can_be_left_aside(repository: Repository) -> None:
    repository.ignore({"": b"a/\n", ".git/info": b"b.py\n"})
    assert repository.kept(respect_gitignore=False) == set(repository.files)


def test_what_is_named_is_read(repository: Repository) -> None:
    repository.ignore({"": b"a/\nb/**/b.py\n"})
    assert discover([repository.root / "a/b.py"], respect_gitignore=True) == [repository.root / "a/b.py"]
    assert repository.kept("a") == {file for file in repository.files if file.startswith("a/")} - {
        file for file in repository.files if file.startswith(("a/a/", "a/b/a/"))
    }
    assert "b/a/b.py" not in repository.kept("b/a"), "of what is in a directory, the lists above it decide"


# Each kind of pattern, as gitignore(5) describes them; git is the judge.
LISTS: list[dict[str, bytes]] = [
    {"": b"a.py\n"},
    {"": b"/a.py\n"},
    {"": b"a\n"},
    {"": b"a/\n"},
    {"": b"/a/\n"},
    {"": b"a/b\n"},
    {"": b"a/b/\n"},
    {"": b"/a/b\n"},
    {"": b"a.py/\n"},
    {"": b"*.py\n!a.py\n"},
    {"": b"!a.py\n*.py\n"},
    {"": b"a/\n!a/b/\n"},
    {"": b"a/*\n!a/b/\na/b/*\n!a/b/ab.py\n"},
    {"": b"/*\n!/b/\n"},
    {"": b"**/b.py\n"},
    {"": b"a/**\n"},
    {"": b"a/**/a\n"},
    {"": b"a/**/b.py\n"},
    {"": b"a**/b.py\n"},
    {"": b"**a/b.py\n"},
    {"": b"a/***/b.py\n"},
    {"": b"**\n!b.py\n"},
    {"": b"*/b.py\n"},
    {"": b"?/a/*\n"},
    {"": b"?.py\n"},
    {"": b"??.py\n"},
    {"": b"[ab].py\n"},
    {"": b"[!a].py\n"},
    {"": b"[^a].py\n"},
    {"": b"[]a].py\n[a.py\n"},
    {"": b"[]-b].py\n"},
    {"": b"[[:alpha:]].py\n"},
    {"": b"[[:upper:]]-[0-9].py\n"},
    {"": b"[[:nothing:]].py\n"},
    {"": b"[[:alpha].py\n"},
    {"": b"[a\\]].py\n"},
    {"": b"[\\[]a].py\n"},
    {"": b"\\[a].py\n"},
    {"": b"[[]a].py\n"},
    {"": b"a[/]b\n"},
    {"": b"\\a.py\n"},
    {"": b"a.py\\\n"},
    {"": b"\\#a.py\n#a.py\n"},
    {"": b"\\!a.py\n!a.py\n"},
    {"": b"\\*.py\n"},
    {"": b"a.py \n"},
    {"": b"a.py\t\n"},
    {"": b"a.py\\ .py\n"},
    {"": b"a\\ b\\  \n"},
    {"": b"a b.py\r\nb.py\r\n"},
    {"": b"\xef\xbb\xbfa.py\nb.py"},
    {"": b"\n\n   \n/\n//a\na//\n!\n!!a.py\n"},
    {"": "é.py\n".encode()},
    {"": b"*.py\n", "a": b"!a.py\n"},
    {"": b"!a.py\n", "a": b"*.py\n", "a/b": b"!/b.py\n"},
    {"a": b"/b/a.py\n", "a/b": b"!a.py\n"},
    {"a": b"b/\n", "a/b": b"!*\n"},
    {".git/info": b"*.py\n", "": b"!b.py\n"},
    {".git/info": b"!b.py\n/a/b\n", "": b"*.py\n"},
    {"": b"*a*a*a*a*b\n"},
]


@pytest.mark.parametrize("lists", LISTS, ids=[str(lists) for lists in LISTS])
def test_as_git_says(repository: Repository, lists: dict[str, bytes]) -> None:
    repository.ignore(lists)
    assert repository.kept() == repository.kept_by_git()


PLAIN = [b"a", b"b", b"ab", b".py", b"/", b"*", b"**", b"/**/", b"**/", b"?", b"-", b"#", b"!", b" ", b"\t"]
BRACKETS = [b"[ab]", b"[!a]", b"[a-b]", b"[]-a]", b"[^[:alpha:]]", b"[[:digit:]-a]", b"[", b"]"]
PIECES = st.sampled_from([*PLAIN, *BRACKETS, b"\\", b"\xc3\xa9"])
USUAL = st.lists(st.sampled_from([b"a", b"b", b"/", b"*", b"**", b".py"]), min_size=1, max_size=5)
ODD = st.lists(PIECES, max_size=5)
PATTERN = st.tuples(st.sampled_from([b"", b"", b"!", b"/"]), (USUAL | ODD).map(b"".join)).map(b"".join)
PATTERNS = st.tuples(st.lists(PATTERN, min_size=1, max_size=5), st.sampled_from([b"\n", b"\r\n"])).map(
    lambda made: made[1].join(made[0])
)
SOME = st.dictionaries(st.sampled_from([".git/info", "", "", "a", "a/b", "b"]), PATTERNS, max_size=4)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lists=SOME)
def test_as_git_says_whatever_the_patterns(repository: Repository, lists: dict[str, bytes]) -> None:
    repository.ignore(lists)
    assert repository.kept() == repository.kept_by_git()


# Where lists are looked for


def test_up_to_the_root_of_the_repository_and_no_further(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*\n")
    repository = Repository(tmp_path / "inner")
    repository.ignore({"": b"b.py\n", "a": b"/b\n"})
    assert repository.kept("a/b/a") == repository.kept("a/b/a") - {"a/b/a/b.py"} != set()
    assert "a/b/a/a.py" in repository.kept("a/b")


def test_a_repository_in_a_repository_has_its_own(tmp_path: Path) -> None:
    outer, inner = Repository(tmp_path), Repository(tmp_path / "vendored")
    outer.ignore({"": b"a.py\n"})
    inner.ignore({"": b"b.py\n"})
    kept = outer.kept()
    assert {"b.py", "vendored/a.py"} <= kept
    assert not {"a.py", "vendored/b.py"} & kept


def test_without_a_repository_the_lists_in_the_directory_hold(tmp_path: Path) -> None:
    for name in ("a.py", "b.py", "sub/a.py", "sub/b.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".gitignore").write_text("/b.py\n")
    (tmp_path / "sub" / ".gitignore").write_text("a.py\n")
    found = discover([tmp_path], respect_gitignore=True)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["a.py", "sub/b.py"]


def test_the_list_of_a_worktree_is_that_of_its_repository(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "main")
    repository.git("add", "a.py")
    repository.git("commit", "-q", "-m", "A file")
    repository.git("worktree", "add", "-q", "../other")
    repository.ignore({".git/info": b"ignored.py\n"})
    (tmp_path / "other" / "ignored.py").write_text("")
    assert discover([tmp_path / "other"], respect_gitignore=True) == [tmp_path / "other/a.py"]


def test_a_link_to_a_directory_is_no_directory_to_git(repository: Repository) -> None:
    repository.ignore({"": b"link/\n"})
    (repository.root / "link").symlink_to("a")
    try:
        assert discover([repository.root / "link"], respect_gitignore=True)
        # The target itself comes first, so that its files are told by their own names.
        assert repository.kept() == set(repository.files)
    finally:
        (repository.root / "link").unlink()


@pytest.mark.parametrize("made", ["directory", "unreadable", "link"])
def test_a_list_that_cannot_be_read_says_nothing(tmp_path: Path, made: str) -> None:
    (tmp_path / "a.py").write_text("")
    file = tmp_path / ".gitignore"
    if made == "directory":
        file.mkdir()
    elif made == "link":
        file.symlink_to("nowhere")
    else:
        file.write_bytes(b"\x00\xff\n[\n\\\n")
    (tmp_path / ".git").write_text("gitdir: \0\n")
    assert discover([tmp_path], respect_gitignore=True) == [tmp_path / "a.py"]
