"""What a fragment calls in other modules, with arguments that nobody knows."""

from __future__ import annotations

from pathlib import Path

from freezelint.source.files.project import Project
from freezelint.source.files.source_file import load
from freezelint.source.judging import findings_of
from freezelint.source.reader import read
from tests.source.reading import value_of

BASE = """
from torch import nn
class Base(nn.Module):
    def __init__(self, config):
        super().__init__()
        {begin}
"""
NET = """
from torch import nn
from base import Base
class Net(Base):
    def __init__(self, config):
        super().__init__(config)
        self.encoder = nn.Linear(2, 2)
        self.encoder.requires_grad = False
    def forward(self, x):
        return self.encoder(x)
"""


def _read(tmp_path: Path, begin: str) -> tuple[list[str], list[str]]:
    """The codes that are found in a library's class, and why anything else may have been missed."""
    (tmp_path / "base.py").write_text(BASE.format(begin=begin))
    (tmp_path / "net.py").write_text(NET)
    file = load(tmp_path / "net.py")
    reading = read(file, Project(file, [tmp_path]))
    return [finding.code for finding in findings_of(reading)], [limit.why for limit in reading.limits]


def test_a_base_class_of_another_module(tmp_path: Path) -> None:
    assert _read(tmp_path, "self.config = config") == (["FRZ501"], [])


def test_a_base_class_that_refuses_what_nobody_knows(tmp_path: Path) -> None:
    begin = "raise ValueError(config)"
    assert _read(tmp_path, begin) == (["FRZ501"], [])


def test_a_base_class_that_goes_far(tmp_path: Path) -> None:
    begin = "self.table = [i * j for i in range(100) for j in range(100)]"
    assert _read(tmp_path, begin) == (["FRZ501"], ["what it calls in other modules is too long to follow"])


def test_a_function_that_keeps_its_results_runs_once() -> None:
    text = """
        import functools
        runs = []

        @functools.lru_cache
        def is_there(name):
            runs.append(name)
            return name == "torch"

        answers = [is_there("torch"), is_there("torch"), is_there("jax")]
        result = (runs, answers)
    """
    assert value_of(text) == (["torch", "jax"], [True, True, False])


def test_a_method_that_keeps_its_results_is_not_mixed_up_with_another_object() -> None:
    text = """
        from functools import lru_cache

        class Size:
            def __init__(self, size):
                self.size = size

            @lru_cache(maxsize=None)
            def double(self):
                return 2 * self.size

        result = [Size(1).double(), Size(2).double()]
    """
    assert value_of(text) == [2, 4]
