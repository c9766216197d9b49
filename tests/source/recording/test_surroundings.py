"""What conditions, loops and words around a write of `requires_grad` say, as the source reader records it."""

import textwrap

import pytest

from freezelint.evidence import Event
from tests.source.reading import traced

NET = """
import argparse
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--prefix", default="0.")
options = parser.parse_args()
net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
"""


def frozen(text: str) -> Event:
    (event,) = traced(NET + textwrap.dedent(text)).events_of("frozen")
    return event


def test_nothing_is_said() -> None:
    event = frozen("net.requires_grad_(False)")
    assert (event.patterns, event.zipped, event.says, event.only_writes) == ((), False, None, None)
    assert event.value == "False"


@pytest.mark.parametrize(
    ("test", "patterns"),
    [
        ('name.startswith("0.")', ("0.",)),
        ('any(word in name for word in ["0.", "x"])', ("0.", "x")),
        ("name.startswith(options.prefix)", ("0.",)),
        ("any(name.startswith(word) for word in Setting.words)", ("0.", "1.b")),
        ("any(name.startswith(word) for word in setting.more)", ("1.",)),
    ],
)
def test_what_conditions_look_for(test: str, patterns: tuple[str, ...]) -> None:
    event = frozen(f"""
        class Setting:
            words = ["0.", "1.b"]
            def __init__(self):
                self.more = ("1.",)
        setting = Setting()
        for name, p in net.named_parameters():
            if {test}:
                p.requires_grad = False
    """)
    assert event.patterns == patterns


def test_what_a_method_holds() -> None:
    event = frozen("""
        class Trainer:
            def __init__(self, model, words):
                self.model, self.words = model, words
            def freeze(self):
                for name, p in self.model.named_parameters():
                    if any(name.startswith(word) for word in self.words):
                        p.requires_grad = False
        Trainer(net, ["0."]).freeze()
    """)
    assert event.patterns == ("0.",)
    assert (event.says, event.says_where, event.only_writes) == ("freeze", "function `freeze`", False)


def test_a_comment() -> None:
    event = frozen("net[0].requires_grad_(False)  # freeze the first layer")
    assert (event.says, event.says_where) == (
        "freeze",
        f'the comment "freeze the first layer" on line {LINE}',
    )


LINE = NET.count("\n") + 1


def test_modules_paired_with_parameters() -> None:
    event = frozen("for m, p in zip(net.modules(), net.parameters()):\n    p.requires_grad = False")
    assert event.zipped
