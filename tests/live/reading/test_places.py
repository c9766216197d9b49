"""From torch's files to the user's statement."""

import linecache
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
import torch
from torch import nn

from freezelint.evidence import Location
from freezelint.live.reading.places import MOST_CALLS, Places, is_user_code, user_frame, user_location

HERE = str(Path(__file__))
KNOWS_COLUMNS = sys.version_info >= (3, 11)


def run(source: str, filename: str, root: str = "/project") -> Location | None:
    """Runs a program that calls `look()` at the statement of interest; what was found there."""
    found: list[Location | None] = []
    text = textwrap.dedent(source)
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    places = Places(root)

    def look() -> None:
        found.append(places.locate(sys._getframe(1)))

    exec(compile(text, filename, "exec"), {"look": look, "torch": torch, "nn": nn})
    del linecache.cache[filename]
    return found[0]


def expect(location: Location | None) -> Location:
    assert location is not None
    return location


def span(location: Location) -> tuple[int, int, int | None, int | None]:
    return location.line, location.column, location.end_line, location.end_column


@pytest.mark.parametrize(
    "filename",
    [
        "/project/.venv/lib/python3.11/site-packages/torch/nn/modules/module.py",
        "/usr/lib/python3/dist-packages/torch/nn/modules/module.py",
        subprocess.__file__,
        str(Path(sys.modules["freezelint"].__file__ or "").parent / "live" / "places.py"),
        "<frozen importlib._bootstrap>",
        "<string>",
        "<__array_function__ internals>",
    ],
)
def test_libraries_are_not_the_users(filename: str) -> None:
    source = "def outer(f):\n    f()\n"
    namespace: dict[str, Callable[[Callable[[], None]], None]] = {}
    exec(compile(source, filename, "exec"), namespace)
    found: list[tuple[Location | None, bool]] = []
    namespace["outer"](lambda: found.append((user_location(1), is_user_code(sys._getframe(1)))))
    ((location, users),) = found
    assert not users
    assert expect(location).function == "test_libraries_are_not_the_users"


@pytest.mark.parametrize("filename", ["<ipython-input-3-0123456789ab>", "/tmp/ipykernel_77/123.py"])
def test_a_cell_of_a_notebook_is_the_users(filename: str) -> None:
    location = expect(run("x = 1\nlook()\n", filename))
    assert (location.path, location.line, location.function) == (filename, 2, "")


def test_no_frame_is_the_users() -> None:
    assert Places("/project").locate(None) is None


def test_the_caller_is_the_place() -> None:
    location = expect(user_location())
    assert Path(location.path).name == Path(HERE).name
    assert location.function == "test_the_caller_is_the_place"
    assert "user_location" in linecache.getline(HERE, location.line)


def test_skip_leaves_out_frames() -> None:
    def helper() -> Location | None:
        return user_location(skip=1)

    assert expect(helper()).function == "test_skip_leaves_out_frames"


def test_a_call_through_torch_leads_to_the_statement_that_made_it() -> None:
    class Told(nn.Linear):
        def requires_grad_(self, requires_grad: bool = True) -> "Told":
            return super().requires_grad_(requires_grad)

    seen: list[Location | None] = []
    layer = Told(2, 2)
    layer.register_forward_hook(lambda *_: seen.append(user_location(1)))
    layer(torch.ones(2))
    assert "layer(torch.ones(2))" in linecache.getline(HERE, expect(seen[0]).line)


def test_the_frame_is_the_one_of_the_location() -> None:
    frame = user_frame()
    assert isinstance(frame, FrameType)
    assert frame.f_code.co_name == "test_the_frame_is_the_one_of_the_location"


def test_the_chain_of_calls() -> None:
    location = expect(
        run(
            """\
            def freeze(model):
                look()

            class Trainer:
                def setup(self):
                    freeze(None)

            Trainer().setup()
            """,
            "/project/train.py",
        )
    )
    assert (location.path, location.line, location.function) == ("train.py", 2, "freeze")
    assert [(call.line, call.function) for call in location.calls][:2] == [(6, "setup"), (8, "")]


def test_the_chain_has_an_end() -> None:
    location = expect(
        run("def down(n):\n    down(n - 1) if n else look()\ndown(50)\n", "/project/recursive.py")
    )
    assert len(location.calls) == MOST_CALLS


@pytest.mark.parametrize(
    "expression", ["[look() for _ in (1,)]", "list(look() for _ in (1,))", "{look() for _ in (1,)}"]
)
def test_a_comprehension_belongs_to_its_function(expression: str) -> None:
    location = expect(run(f"def freeze():\n    {expression}\n\nfreeze()\n", "/project/comprehension.py"))
    assert (location.line, location.function) == (2, "freeze")
    assert (location.calls[0].line, location.calls[0].function) == (4, "")


def test_columns_are_exact_and_count_characters() -> None:
    location = expect(run("naïveté = 'é'; look(); x = 1\n", "/project/columns.py"))
    assert span(location) == ((1, 16, 1, 22) if KNOWS_COLUMNS else (1, 1, None, None))


def test_a_statement_over_several_lines() -> None:
    location = expect(run("x = (\n    look\n    (\n    )\n)\n", "/project/lines.py"))
    assert span(location) == ((2, 5, 4, 6) if KNOWS_COLUMNS else (2, 1, None, None))


def test_paths_inside_the_directory_of_the_run_are_relative() -> None:
    assert expect(run("look()", "/project/models/net.py")).path == "models/net.py"
    assert expect(run("look()", "/project/./models/net.py")).path == "models/net.py"
    assert expect(run("look()", "train.py")).path == "train.py"
    assert expect(run("look()", "/projects/net.py")).path == "/projects/net.py"


def test_a_change_of_directory_does_not_change_paths(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "train.py").write_text(
        "import os\n"
        "from freezelint.live.reading.places import user_location\n"
        "os.chdir('elsewhere')\n"
        "print(user_location().path, user_location().line)\n"
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / "train.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.stdout == "train.py 4\n"


def test_the_same_line_reached_on_two_ways_gives_two_locations() -> None:
    def freeze() -> Location | None:
        return user_location()

    first = freeze()
    second = freeze()
    assert expect(first).at() == expect(second).at()
    assert expect(first).calls[0].line + 1 == expect(second).calls[0].line
