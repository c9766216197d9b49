"""Which files to read: those that targets stand for, and of these the ones that can concern us at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import translate
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freezelint.source.files.gitignore import Ignored

SUFFIXES = (".py", ".pyi", ".ipynb")
# Directories that hold no sources of the project's own. Hidden ones are left out too.
NEVER_ENTERED = frozenset(
    {"__pycache__", "__pypackages__", "node_modules", "site-packages", "dist-packages", "venv", "env"}
    | {"virtualenv", "build", "dist", "_build", "buck-out", "htmlcov", "wandb", "mlruns"}
)

# What a file must say for any rule to find something in it: a word, and how the line around it must look
# where the word alone says too little. The first ones may be faults of their own, in helpers that nothing
# here calls; the others make a training loop, or a part of one. Words are looked for one by one because
# Python finds a plain word ten times as fast as a pattern.
_SIGNS: tuple[tuple[bytes, re.Pattern[bytes] | None], ...] = (
    (b"freez", None),
    (b"grad", re.compile(rb"re\w{2,9}grad", re.IGNORECASE)),  # requires_grad and how it is misspelt
    (b"Grad", re.compile(rb"re\w{2,9}grad", re.IGNORECASE)),
    (b"req", re.compile(rb"req\w{2,8}_gr?[ad]\w{1,3}\b")),  # the same, misspelt at its end
    # the result thrown away; in a notebook the line is a quoted one
    (b".from_pretrained(", re.compile(rb"^\s*\"?\s*[\w.\[\]()']+\.from_pretrained\(", re.MULTILINE)),
    (b".backward(", None),
    (b"zero_grad(", None),
    (b"param_group", None),
    (b"configure_optimizers", None),
    (b"training_step", re.compile(rb"def training_step\b")),
    (b".step(", re.compile(rb"opt\w*\.step\(", re.IGNORECASE)),
    (b"optim", re.compile(rb"\boptim(?:\.|\s+import\b|\s*$|\s+as\b)|optimizers?\(")),
    (b"Optimizer", re.compile(rb"Optimizers?\(")),
    (b"SGD(", None),
    (b"Adam", re.compile(rb"Adam\w*\(")),
    (b"LBFGS(", None),
    (b"RMSprop(", None),
    (b"Lion(", None),
    (b"Trainer(", None),
    (b"earner(", re.compile(rb"[Ll]earner\(")),
    (b".fine_tune(", None),
    (b".fit_one_cycle(", None),
)


def may_concern(data: bytes) -> bool:
    """Whether a file that holds these bytes can have anything in it that the rules look for.

    Necessary, not sufficient: what is passed over costs a glance instead of a reading.
    """
    return any(word in data and (line is None or _on_a_line(data, word, line)) for word, line in _SIGNS)


def _on_a_line(data: bytes, word: bytes, pattern: re.Pattern[bytes]) -> bool:
    """Whether a line with this word matches."""
    position = data.find(word)
    while position >= 0:
        end = data.find(b"\n", position)
        end = len(data) if end < 0 else end
        if pattern.search(data, data.rfind(b"\n", 0, position) + 1, end):
            return True
        position = data.find(word, end)
    return False


def discover(
    targets: Sequence[Path],
    exclude: Sequence[str] = (),
    root: Path | None = None,
    *,
    force_exclude: bool = False,
    respect_gitignore: bool = False,
) -> list[Path]:
    """The files that these targets stand for, each once: a file as it is named, a directory with all sources
    below it, in the order of their names.

    `exclude` are globs against paths relative to `root`, or against single names. They, and what git ignores,
    hold for what is found in directories; a file that is named is meant. With `force_exclude` the globs hold
    for targets, too: whoever names all files that changed does not mean each of them.
    """
    excluded = _Excluded(exclude, (root or Path()).absolute())
    found: dict[str, Path] = {}
    for target in targets:
        if force_exclude and excluded.around(target):
            continue
        files = _below(target, excluded, respect_gitignore) if target.is_dir() else [target]
        for path in files:
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def excluding(exclude: Sequence[str], root: Path | None, named: Sequence[Path]) -> Callable[[str], bool]:
    """Tells of a path whether these globs leave it out, as in `discover`; what is named is meant."""
    excluded = _Excluded(exclude, (root or Path()).absolute())
    meant = {os.path.realpath(path) for path in named}
    return lambda path: os.path.realpath(path) not in meant and excluded.around(Path(path))


def holds_sources(directory: Path) -> bool:
    """Whether there is any source below this directory."""
    return next(_below(directory, _Excluded((), directory)), None) is not None


class _Excluded:
    """What the user's globs leave out."""

    def __init__(self, globs: Sequence[str], root: Path) -> None:
        self._root = root
        self._pattern = re.compile("|".join(_translated(glob) for glob in globs)) if globs else None

    def __call__(self, name: str, path: str) -> bool:
        if self._pattern is None:
            return False
        if self._pattern.fullmatch(name):
            return True
        relative = os.path.relpath(path, self._root).replace(os.sep, "/")
        return self._pattern.fullmatch(relative) is not None

    def around(self, path: Path) -> bool:
        """Whether the path is left out, or a directory of the project that it lies in."""
        absolute = path.parent.resolve() / path.name
        root = self._root.resolve()
        places = (each for each in (absolute, *absolute.parents) if root in each.parents)
        return any(self(each.name, str(self._root / each.relative_to(root))) for each in places)


def _translated(glob: str) -> str:
    plain = glob.removeprefix("./").rstrip("/")
    plain = plain.removesuffix("/**").removesuffix("/*") or plain
    return f"(?:{translate(plain)})"


def _below(directory: Path, excluded: _Excluded, respect_gitignore: bool = False) -> Iterator[Path]:
    """All sources below a directory. Links to directories are followed, but each directory is entered once;
    what cannot be listed is left out.
    """
    entered: set[tuple[int, int]] = set()
    waiting = [(str(directory), _ignored_around(directory) if respect_gitignore else None)]
    while waiting:
        here, ignored = waiting.pop()
        try:
            status = Path(here).stat()
            with os.scandir(here) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) in entered:
            continue
        entered.add((status.st_dev, status.st_ino))
        if len(entered) > 1 and any(entry.name == "pyvenv.cfg" for entry in entries):
            continue  # a virtual environment, whatever its name
        if ignored is not None:
            git = [entry.name for entry in entries if entry.name.startswith(".git")]
            ignored = ignored.inside(os.path.abspath(here), git) if git else ignored  # noqa: PTH100
        inner = []
        for entry in entries:
            if entry.name.startswith(".") or excluded(entry.name, entry.path):
                continue
            if _is_directory(entry):
                if entry.name not in NEVER_ENTERED and not _is_ignored(entry, ignored):
                    inner.append((entry.path, ignored))
            elif entry.name.endswith(SUFFIXES) and not _is_ignored(entry, ignored):
                yield Path(entry.path)
        waiting.extend(reversed(inner))


def _ignored_around(directory: Path) -> Ignored:
    from freezelint.source.files.gitignore import around

    return around(Path(os.path.abspath(directory)))  # noqa: PTH100 - links stay as they are


def _is_ignored(entry: os.DirEntry[str], ignored: Ignored | None) -> bool:
    if not ignored:
        return False
    path = os.path.abspath(entry.path)  # noqa: PTH100 - links stay as they are
    return ignored(path, is_directory=entry.is_dir(follow_symlinks=False))


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that goes round in a circle
        return False
