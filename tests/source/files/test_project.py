"""Imports of the checked project are found; installed libraries never are."""

from __future__ import annotations

from pathlib import Path

import pytest

from freezelint.source.files.project import Project, Sources
from freezelint.source.files.source_file import SourceFile, load


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project; the current directory lies elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    project = tmp_path / "project"
    write(project, "pyproject.toml", "train.py")
    return project


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def found(
    root: Path, importing: str, module: str, level: int = 0, entry: str = "", **more: object
) -> str | None:
    """Where a module is found, relative to the project."""
    project = Project(load(root / (entry or importing)), **more)  # type: ignore[arg-type]
    file = project.find(load(root / importing), module, level)
    return None if file is None or file.place is None else file.place.relative_to(root).as_posix()


def test_libraries_are_not_found(root: Path) -> None:
    write(root, ".venv/lib/site-packages/torch/__init__.py", "utils.py")
    for module in ("torch", "torch.nn", "os", "numpy", "train.x", "not-a-name", ""):
        assert found(root, "train.py", module) is None


def test_beside_the_script(root: Path) -> None:
    write(root, "utils.py", "models/__init__.py", "models/net.py", "engine/loop.py")
    assert found(root, "train.py", "utils") == "utils.py"
    assert found(root, "train.py", "models") == "models/__init__.py"
    assert found(root, "train.py", "models.net") == "models/net.py"
    assert found(root, "train.py", "engine.loop") == "engine/loop.py"
    assert found(root, "train.py", "models.gone") is None


def test_a_directory_of_modules_is_an_empty_package(root: Path) -> None:
    write(root, "engine/loop.py", "data/picture.png")
    project = Project(load(root / "train.py"))
    package = project.find(load(root / "train.py"), "engine", 0)
    assert package is not None
    assert (package.text, package.is_package) == ("", True)
    loop = project.find(package, "loop", 1)
    assert loop is not None
    assert loop.place == root / "engine/loop.py"
    assert found(root, "train.py", "data") is None, "a directory of pictures"


def test_relative_imports(root: Path) -> None:
    write(root, "pkg/__init__.py", "pkg/a.py", "pkg/sub/__init__.py", "pkg/sub/b.py", "pkg/sub/c.py")
    assert found(root, "pkg/sub/b.py", "c", 1) == "pkg/sub/c.py"
    assert found(root, "pkg/sub/b.py", "", 1) == "pkg/sub/__init__.py"
    assert found(root, "pkg/sub/__init__.py", "b", 1) == "pkg/sub/b.py"
    assert found(root, "pkg/sub/b.py", "a", 2) == "pkg/a.py"
    assert found(root, "pkg/sub/b.py", "a", 9) is None


def test_from_the_roots(root: Path) -> None:
    write(root, "src/pkg/__init__.py", "src/pkg/models.py", "scripts/run/train.py", "common.py")
    assert found(root, "scripts/run/train.py", "pkg.models") == "src/pkg/models.py"
    assert found(root, "scripts/run/train.py", "common") == "common.py"
    assert found(root, "src/pkg/models.py", "pkg") == "src/pkg/__init__.py"


def test_the_directory_of_the_script_comes_first(root: Path) -> None:
    write(root, "tools/train.py", "tools/utils.py", "utils.py", "pkg/__init__.py", "pkg/a.py", "pkg/utils.py")
    assert found(root, "tools/train.py", "utils") == "tools/utils.py"
    assert found(root, "pkg/a.py", "utils", entry="train.py") == "utils.py"


def test_nothing_outside_of_the_project(root: Path) -> None:
    write(root.parent, "outside.py")
    (root / "pkg").mkdir()
    write(root, "a.py")
    assert found(root, "a.py", "outside", 2) is None


def test_directories_that_were_named_belong_to_it(root: Path) -> None:
    write(root.parent, "library/helpers.py")
    assert found(root, "train.py", "helpers") is None
    project = Project(load(root / "train.py"), [root.parent / "library"])
    assert project.find(load(root / "train.py"), "helpers", 0) is not None


def test_an_installed_library_is_its_own_project(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "site-packages"
    write(packages, "vision/__init__.py", "vision/ops.py", "torch/__init__.py")
    assert found(packages, "vision/ops.py", "vision") == "vision/__init__.py"
    assert found(packages, "vision/ops.py", "torch") is None


def test_standard_input_without_a_name_has_no_project() -> None:
    assert Project(SourceFile("-", "")).find(SourceFile("-", ""), "utils", 0) is None
    assert Project(SourceFile("-", "")).find(SourceFile("-", ""), "utils", 1) is None


def test_the_script_itself_is_the_file_that_was_given(root: Path) -> None:
    entry = SourceFile("train.py", "x = 1\n", root / "train.py")  # as an editor has it
    assert Project(entry).find(load(root / "train.py"), "train", 0) is entry


def test_what_does_not_parse_is_a_limit(root: Path) -> None:
    (root / "broken.py").write_text("def f(:\n")
    (root / "latin.py").write_bytes(b"x = '\xe9'\n")
    train = load(root / "train.py")
    project = Project(train)
    broken = project.find(train, "broken", 0)
    assert broken is not None
    assert project.tree(broken) is None
    assert project.find(train, "latin", 0) is None
    assert [limit.line for limit in project.limits.values()] == [1, 1]


def test_everything_that_was_asked_for_is_remembered(root: Path) -> None:
    write(root, "utils.py")
    train = load(root / "train.py")
    project = Project(train)
    for module in ("utils", "torch", "utils"):
        project.find(train, module, 0)
    assert [(each.module, each.found) for each in project.asked] == [
        ("utils", str(root / "utils.py")),
        ("torch", None),
    ]


def test_sources_are_kept_until_they_change(root: Path) -> None:
    sources = Sources()
    first = sources.load(root / "train.py")
    tree = sources.tree(first)
    assert sources.load(root / "train.py") is first
    assert sources.tree(first) is tree
    (root / "train.py").write_text("x = 1\n")
    assert sources.load(root / "train.py").text == "x = 1\n"
