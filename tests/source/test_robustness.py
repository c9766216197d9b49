"""Whatever the text, a reading ends: in findings, a limit, or FRZ002, never in a fault of the reader."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezelint.source.files.checking import check_text
from tests.stories import FIXTURES

STORIES = sorted(FIXTURES.glob("*/train.py"))

HOSTILE = {
    "deep nesting": "x = " + "(" * 3000 + "1" + ")" * 3000,
    "deep calls": "f = lambda n: f(n + 1)\nf(0)",
    "mutual recursion": "def a(n): return b(n)\ndef b(n): return a(n)\na(1)",
    "a loop without end": "while True:\n    x = 1",
    "a generator without end": "def g():\n    while True:\n        yield 1\nlist(g())",
    "an exponential comprehension": "[1 for a in range(10**6) for b in range(10**6) for c in range(10**6)]",
    "a huge power": "x = 10 ** 10 ** 10\ny = x ** x",
    "a huge text": "x = 'a' * 10 ** 12\nprint(x * 10)",
    "a huge literal": "x = " + "9" * 4000,
    "a list that holds itself": "x = []\nx.append(x)\nprint(x == x, x)",
    "a class that is its own base": "class A(A): pass\nA()",
    "getattr without end": "class A:\n    def __getattr__(self, n): return getattr(self, n + 'x')\nA().y",
    "a property that reads itself": "class A:\n    @property\n    def x(self): return self.x\nA().x",
    "builtins renamed": "len = range = print = isinstance = None\nfor i in range(3): len(i)",
    "a module inside itself": "from torch import nn\nm = nn.Sequential()\nm.m = m\nm.eval()\nm(1)",
    "odd unpacking": "a, (b, *c), d = 1\n(x, y), z = [1]",
    "odd arguments": "def f(a, /, b, *c, d=1, **e): return a\nf(*f, **f)\nf()",
    "a decorator that returns nothing": "def d(f): return None\n@d\nclass A: pass\nA()",
}


def read(text: str) -> None:
    """Read it, and complain of a fault of the reader's own."""
    checked, _ = check_text(text.encode("utf-8", "surrogatepass"), "train.py")
    faults = [limit.why for limit in checked.limits if "freezelint" in limit.why]
    assert not faults, faults


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_sources_come_to_an_end(name: str) -> None:
    read(HOSTILE[name])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from(STORIES), st.floats(0, 1))
def test_a_truncated_story_is_read(story: Path, share: float) -> None:
    text = story.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    read("".join(lines[: int(share * len(lines))]))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.sampled_from(STORIES), st.randoms(use_true_random=False))
def test_a_mutated_story_is_read(story: Path, random: object) -> None:
    lines = story.read_text(encoding="utf-8").splitlines(keepends=True)
    for _ in range(3):
        position = random.randrange(len(lines))  # type: ignore[attr-defined]
        other = random.randrange(len(lines))  # type: ignore[attr-defined]
        change = random.randrange(4)  # type: ignore[attr-defined]
        if change == 0:
            del lines[position]
        elif change == 1:
            lines[position], lines[other] = lines[other], lines[position]
        elif change == 2:
            lines[position] = lines[position].replace("(", "(*", 1)
        else:
            lines[position] = lines[position].replace("model", "None").replace("0", "None")
    read("".join(lines))
