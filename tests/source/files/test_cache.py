"""What was found is found again, as long as nothing that it rests on has changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from freezelint.evidence import Limit, Location
from freezelint.finding import Finding, Related
from freezelint.source.files.cache import Cache, clean
from freezelint.source.files.checking import Checked, check_files
from freezelint.source.files.project import Project
from freezelint.source.files.source_file import SourceFile

Judgement = tuple[tuple[Finding, ...], tuple[Limit, ...]]


class Judge:
    """Finds one fault in each file, in the words of the file and of the module `utils`."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, file: SourceFile, project: Project) -> Judgement:
        self.read.append(file.path)
        helper = project.find(file, "utils", 0)
        location = Location(file.path, 1, 1, 1, 5, "f", (Location(file.path, 3),))
        finding = Finding(
            "FRZ501",
            "requires-grad-on-module",
            "error",
            f"{file.text!r} {helper.text if helper else None!r}",
            location,
            ("model.fc",),
            "source",
            (Related(location, "here"),),
            {"names": ["a"], "count": 3, "rate": 0.1},
        )
        return (finding,), (Limit("a loop", "it is endless", file.path, 2),)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text("")
    Path("train.py").write_text("loss.backward()\n")
    Path("other.py").write_text("import torch\n")
    return tmp_path


CACHE = Path(".freezelint_cache")
PATHS = (Path("train.py"), Path("other.py"))


def run(paths: Sequence[Path] = PATHS) -> tuple[Checked, list[str]]:
    """What is found, and which files had to be read for it."""
    judge = Judge()
    return check_files(paths, cache=Cache(CACHE), jobs=1, judge=judge), judge.read


def test_a_second_run_reads_nothing() -> None:
    first, read = run()
    assert read == ["train.py"]
    second, read = run()
    assert read == []
    assert second == first
    assert (second.read, second.passed_over) == (1, 1)


def test_a_file_that_changed_is_read_again() -> None:
    run()
    Path("train.py").write_text("loss.backward()  # now\n")
    checked, read = run()
    assert read == ["train.py"]
    assert "# now" in checked.findings[0].message


def test_so_is_one_whose_module_changed_appeared_or_went() -> None:
    run()
    for text in ("x = 1\n", "x = 2\n", None):
        if text is None:
            Path("utils.py").unlink()
        else:
            Path("utils.py").write_text(text)
        checked, read = run()
        assert read == ["train.py"]
        assert checked.findings[0].message.endswith(repr(text))
        assert run()[1] == []


def test_the_same_bytes_elsewhere_are_another_file() -> None:
    run()
    Path("copy.py").write_bytes(Path("train.py").read_bytes())
    checked, read = run((Path("copy.py"),))
    assert read == ["copy.py"]
    assert checked.findings[0].path == "copy.py"
    assert run()[1] == [], "and the first is not forgotten"


def test_a_file_that_was_passed_over_is_read_when_it_is_named() -> None:
    run()
    judge = Judge()
    check_files(PATHS, named=frozenset({Path("other.py")}), cache=Cache(CACHE), jobs=1, judge=judge)
    assert judge.read == ["other.py"]


@pytest.mark.parametrize(
    "text", ["", "not json", "[1]", "{", '{"%s": 3}', '{"%s": {"findings": [{"code": 1}]}}', "[" * 99_999]
)
def test_a_spoilt_index_is_ignored(text: str) -> None:
    first, _ = run()
    (index,) = CACHE.glob("index-*.json")
    key = next(key for key in json.loads(index.read_text()) if key.startswith("train.py"))
    index.write_text(text.replace("%s", key))
    checked, read = run()
    assert (checked, read) == (first, ["train.py"])
    assert run()[1] == []


def test_runs_at_the_same_time_keep_what_the_other_found() -> None:
    Path("second.py").write_text("loss.backward()\n")
    one, two = Cache(CACHE), Cache(CACHE)
    check_files([Path("train.py")], cache=one, jobs=1, judge=Judge())
    check_files([Path("second.py")], cache=two, jobs=1, judge=Judge())
    assert run((Path("train.py"), Path("second.py")))[1] == []


def test_a_place_that_cannot_be_written_costs_nothing_but_time() -> None:
    CACHE.write_text("a file")
    checked, read = run()
    assert (len(checked.findings), read) == (1, ["train.py"])


def test_version_control_and_backups_leave_it_out() -> None:
    run()
    assert (CACHE / ".gitignore").read_text() == "*\n"
    assert (CACHE / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")


def test_clean_removes_a_cache_and_nothing_else() -> None:
    assert not clean(CACHE)
    run()
    assert clean(CACHE)
    assert not CACHE.exists()
    Path("precious").mkdir()
    assert not clean(Path("precious"))
    assert Path("precious").is_dir()
