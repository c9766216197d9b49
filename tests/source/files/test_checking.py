"""Many files to findings: the same for any number of processes, whatever the files do."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from freezelint.evidence import Limit, Location
from freezelint.finding import Finding, Related
from freezelint.source.files import workers
from freezelint.source.files.checking import check_files, check_text
from freezelint.source.files.project import Project
from freezelint.source.files.source_file import SourceFile

Judgement = tuple[tuple[Finding, ...], tuple[Limit, ...]]


def finding(path: str, line: int = 1, *subjects: str, code: str = "FRZ101") -> Finding:
    location = Location(path, line)
    return Finding(code, "name", "error", f"{len(subjects)} layers", location, subjects, "source")


def judge(file: SourceFile, project: Project) -> Judgement:  # noqa: ARG001 - the form of a judge
    """Does what the first line says."""
    word, _, rest = file.lines[0].removeprefix("#").strip().partition(" ")
    if word == "crash":
        os._exit(7)
    if word == "hang":
        time.sleep(60)
    if word == "raise":
        raise RecursionError("too deep")
    if word == "limit":
        return (), (Limit("a loop", "it is endless", file.path),)
    if word == "uses":
        names = rest.split()
        return (finding("helper.py", 4, *names),), ()
    return (finding(file.path),), ()


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(**files: str) -> list[Path]:
    paths = []
    for name, text in files.items():
        path = Path(f"{name}.py")
        path.write_text(f"# {text}\nloss.backward()\n")
        paths.append(path)
    return paths


def test_the_order_is_that_of_the_places_whatever_the_processes() -> None:
    paths = write(**{f"f{number:02}": "fault " + "x" * (number * 37 % 11) for number in range(20)})
    alone = check_files(paths, jobs=1, judge=judge)
    assert [found.path for found in alone.findings] == [str(path) for path in paths]
    assert alone.read == 20
    for jobs in (2, 5):
        assert check_files(paths, jobs=jobs, judge=judge) == alone


def test_a_process_that_falls_takes_one_file_with_it() -> None:
    paths = write(a="fault", b="crash", c="fault", d="crash", e="fault", f="crash")
    checked = check_files(paths, jobs=2, judge=judge)
    assert [found.path for found in checked.findings] == ["a.py", "c.py", "e.py"]
    assert [(limit.what, limit.path) for limit in checked.limits] == [
        (f"{name}.py was not read to its end", f"{name}.py") for name in "bdf"
    ]
    assert "ended with status 7" in checked.limits[0].why


def test_a_file_that_takes_for_ever() -> None:
    paths = write(a="hang", b="fault", c="fault", d="fault")
    answers = dict(workers.judge_in_parallel(paths, 2, (), judge, most_seconds=0.5))
    assert [len(answers[number].findings) for number in range(4)] == [0, 1, 1, 1]
    assert "took longer than" in answers[0].limits[0].why


def test_a_judge_that_raises_is_a_limit() -> None:
    checked = check_files(write(a="raise", b="fault"), judge=judge)
    assert len(checked.findings) == 1
    assert "RecursionError: too deep" in checked.limits[0].why


def test_what_cannot_be_read_is_told_and_the_run_goes_on() -> None:
    paths = write(a="fault", b="fault", c="limit")
    Path("b.py").write_text("loss.backward(\n")
    Path("d.pyi").write_text("def backward(): ...\n")
    Path("e.py").write_text("print 'loss.backward()'\n")
    Path("f.ipynb").write_text("no notebook")
    paths += [Path("d.pyi"), Path("e.py"), Path("f.ipynb"), Path("gone.py")]
    checked = check_files(paths, named=frozenset(paths), judge=judge)
    assert [(found.code, found.path) for found in checked.findings] == [
        ("FRZ101", "a.py"),
        ("FRZ002", "b.py"),
        ("FRZ002", "f.ipynb"),
        ("FRZ002", "gone.py"),
    ]
    assert [limit.path for limit in checked.limits] == ["c.py", "d.pyi", "e.py"]
    assert (checked.read, checked.passed_over) == (2, 2)


def test_files_that_cannot_concern_us_are_passed_over_unless_they_are_named() -> None:
    Path("a.py").write_text("import torch\n")
    Path("broken.py").write_text("import torch (\n")
    paths = [Path("a.py"), Path("broken.py")]
    checked = check_files(paths, judge=judge)
    assert (checked.findings, checked.read, checked.passed_over) == ((), 0, 2)
    checked = check_files(paths, named=frozenset(paths), judge=judge)
    assert [found.code for found in checked.findings] == ["FRZ101", "FRZ002"]


def test_a_fault_in_a_helper_is_told_once_by_whoever_knows_most() -> None:
    paths = write(a="uses model.fc", b="uses model.fc model.layer4", c="uses x")
    (found,) = check_files(paths, judge=judge).findings
    assert found.subjects == ("model.fc", "model.layer4")


def test_faults_of_one_file_on_one_line_stay() -> None:
    def two(file: SourceFile, project: Project) -> Judgement:  # noqa: ARG001 - the form of a judge
        return (finding("helper.py", 4, "model.fc"), finding("helper.py", 4, "other.fc")), ()

    assert len(check_files(write(a="", b=""), judge=two).findings) == 2


def test_the_places_of_all_of_its_users_are_kept() -> None:
    def used(file: SourceFile, project: Project) -> Judgement:  # noqa: ARG001 - the form of a judge
        here = Related(Location(file.path, 2), "frozen here")
        return (replace(finding("helper.py", 4, "model.fc"), related=(here,)),), ()

    (found,) = check_files(write(a="", b=""), judge=used).findings
    assert [place.location.path for place in found.related] == ["a.py", "b.py"]


def test_standard_input() -> None:
    checked, texts = check_text(b"# fault\n", None, judge=judge)
    assert [found.path for found in checked.findings] == ["-"]
    assert texts == {"-": "# fault\n"}
    checked, texts = check_text(b"# fault\n", "src/train.py", judge=judge)
    assert [found.path for found in checked.findings] == ["src/train.py"]
    checked, texts = check_text(b"x = (\n", "train.py", judge=judge)
    assert [found.code for found in checked.findings] == ["FRZ002"]
    checked, _ = check_text(b"x: int\n", "train.pyi", judge=judge)
    assert checked.passed_over == 1


def test_ten_thousand_files(project: Path) -> None:
    from freezelint.source.files.discovery import discover

    for number in range(100):
        (project / f"package{number}").mkdir()
        for module in range(100):
            (project / f"package{number}" / f"module{module}.py").write_text("x = 1\n")
    begin = time.perf_counter()
    checked = check_files(discover([Path()]), judge=judge)
    assert checked.passed_over == 10_000
    assert time.perf_counter() - begin < 10
