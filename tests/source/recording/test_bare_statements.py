"""Expression statements: comparisons (FRZ503) and objects that nobody keeps (FRZ508)."""

import json
import textwrap
from pathlib import Path

import pytest

from freezelint.evidence import Event
from freezelint.source.files.project import Project
from freezelint.source.files.source_file import load
from freezelint.source.reader import read
from tests.source.reading import codes, found_in, traced

NET = "import torch\nfrom torch import nn\nnet = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))\n"


def only(kind: str, text: str) -> Event:
    (event,) = [event for event in traced(NET + textwrap.dedent(text)).events if event.kind == kind]
    return event


# --- comparisons ---


@pytest.mark.parametrize(
    "text",
    [
        "assert net[0].weight.requires_grad == False",
        "frozen = net[0].weight.requires_grad == False",
        "net[0].weight.requires_grad == False or print('trainable')",
        "0 == net[0].weight.requires_grad == 1",
        "net[0].weight.requires_grad > 0",
        "x = torch.zeros(2)\nx.requires_grad == False",
    ],
)
def test_silent_for_comparisons_with_an_answer(text: str) -> None:
    assert not traced(NET + text).events_of("compared")


@pytest.mark.parametrize(
    ("comparison", "value"),
    [
        ("p.requires_grad == False", "False"),
        ("p.requires_grad is False", "False"),
        ("p.requires_grad != True", "False"),
        ("True == p.requires_grad", "True"),
        ("p.requires_grad == wanted", ""),
    ],
)
def test_a_comparison(comparison: str, value: str) -> None:
    event = only("compared", f"wanted = False\nfor p in net[0].parameters():\n    {comparison}")
    assert (event.value, len(event.parameters), event.observed) == (value, 2, False)


def test_a_comparison_on_a_module() -> None:
    assert only("compared", "net[0].requires_grad == False").modules == ((0, "0"),)


@pytest.mark.parametrize(
    "text",
    [
        "import pytest\nwith pytest.raises(AttributeError):\n    net[0].weight.requires_grad == False",
        "try:\n    net[0].weight.requires_grad == False\nexcept AttributeError:\n    pass",
    ],
)
def test_a_comparison_that_is_waited_for(text: str) -> None:
    assert only("compared", text).observed


def test_a_comparison_deeper_in_a_try() -> None:
    event = only(
        "compared",
        """
        try:
            for p in net.parameters():
                p.requires_grad == False
        except ValueError:
            pass
        """,
    )
    assert not event.observed


def test_the_last_line_of_a_cell(tmp_path: Path) -> None:
    cells = [NET, "net[0].weight.requires_grad == False", "net[2].weight.requires_grad == False\nprint(net)"]
    notebook = {
        "cells": [{"cell_type": "code", "source": text, "metadata": {}, "outputs": []} for text in cells],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = tmp_path / "train.ipynb"
    path.write_text(json.dumps(notebook))
    file = load(path, "train.ipynb")
    ((run, *_), *_) = read(file, Project(file)).entries
    compared = run.trace.events_of("compared")
    assert [(event.location.cell, event.observed) for event in compared if event.location] == [
        (2, True),
        (3, False),
    ]


def test_a_helper_that_nothing_calls() -> None:
    text = "def freeze(model):\n    for p in model.parameters():\n        p.requires_grad == False\n"
    assert codes(found_in(text)) == ["FRZ503"]


# --- objects that nobody keeps ---

CLASSES = """
from elsewhere import Base

class Own(nn.Module):
    def from_pretrained(self, vectors):
        return self

class Open(Base):
    pass

class Words(nn.Embedding):
    pass

vectors = torch.randn(5, 2)
"""


@pytest.mark.parametrize(
    "text",
    [
        "kept = nn.Embedding.from_pretrained(vectors)",
        "Own().from_pretrained(vectors)",
        "Open().from_pretrained(vectors)",
        "unknown.from_pretrained(vectors)",
        "from transformers import BertModel\nBertModel.from_pretrained('x')",
        "from transformers import BertTokenizer\nBertTokenizer.from_pretrained('x')",
    ],
)
def test_silent_where_something_else_may_be_meant(text: str) -> None:
    assert not traced(NET + CLASSES + text).events_of("discarded")


def test_an_embedding() -> None:
    event = only("discarded", CLASSES + "words = nn.Embedding(5, 2)\nwords.from_pretrained(vectors)")
    assert (event.name, event.value, event.class_name) == ("from_pretrained", "words", "Embedding")
    assert len(event.modules) == 1


def test_a_class_that_inherits_it() -> None:
    event = only("discarded", CLASSES + "words = Words(5, 2)\nwords.from_pretrained(vectors)")
    assert event.class_name == "Words"


def test_the_class_itself() -> None:
    event = only("discarded", CLASSES + "nn.Embedding.from_pretrained(vectors)")
    assert (event.value, event.class_name, event.modules) == ("nn.Embedding", "Embedding", ())


def test_a_class_that_nothing_here_makes() -> None:
    text = """
    from torch import nn
    class Net(nn.Module):
        def __init__(self, vectors):
            super().__init__()
            self.words = nn.Embedding(*vectors.shape)
            self.words.from_pretrained(vectors)
    """
    assert codes(found_in(text)) == ["FRZ508"]
