from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.scripts import fixed_script

BEFORE = """\
import torch
from torch import nn

vectors = torch.randn(20, 4)
{code}
model = nn.Sequential(embedding, nn.Flatten(), nn.Linear(12, 2))
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
model(torch.randint(20, (16, 3))).sum().backward()
optimizer.step()
"""
BUILT = "embedding = nn.Embedding(20, 4)\n"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (BUILT + "nn.Embedding.from_pretrained(vectors)", "nothing tells which module"),
        (
            "def fill(e):\n    e.from_pretrained(vectors)\n\n\n" + BUILT + "fill(embedding)",
            "may hold `e` already",
        ),
        (BUILT + "tied = [embedding]\nembedding.from_pretrained(vectors)", "may hold `embedding` already"),
    ],
)
def test_where_the_model_would_keep_the_old_one_it_stays(tmp_path: Path, code: str, reason: str) -> None:
    done = fixed_script(tmp_path, BEFORE.format(code=code), unsafe=True)
    assert done.text == BEFORE.format(code=code)
    assert reason in done.refused["FRZ508"]


@pytest.mark.parametrize(
    ("code", "fixed"),
    [
        (
            BUILT + "embedding.from_pretrained(vectors)  # GloVe",
            "embedding = nn.Embedding.from_pretrained(vectors)  # GloVe",
        ),
        (
            "embedding = nn.Embedding(20, 4, padding_idx=0)\n"
            "embedding.from_pretrained(vectors, freeze=False)",
            "embedding = nn.Embedding.from_pretrained(vectors, freeze=False, padding_idx=0)",
        ),
        (
            "embedding = nn.Embedding(20, 4, padding_idx=0)\n"
            "embedding.from_pretrained(vectors, padding_idx=0)",
            "embedding = nn.Embedding.from_pretrained(vectors, padding_idx=0)",
        ),
        (
            "embedding = nn.Embedding(20, 4, device='cpu')\nembedding.from_pretrained(vectors)",
            "embedding = nn.Embedding(20, 4, device='cpu')\n"
            "embedding = nn.Embedding.from_pretrained(vectors)",
        ),
        (
            "from torch.nn import Embedding\nembedding = Embedding(20, 4)\n"
            "embedding.from_pretrained(vectors)",
            "from torch.nn import Embedding\nembedding = Embedding.from_pretrained(vectors)",
        ),
        (
            "layers = [nn.Embedding(20, 4)]\nlayers[0].from_pretrained(vectors)\nembedding = layers[0]",
            "layers = [nn.Embedding(20, 4)]\n"
            "layers[0] = nn.Embedding.from_pretrained(vectors)\n"
            "embedding = layers[0]",
        ),
    ],
)
def test_the_result_is_assigned(tmp_path: Path, code: str, fixed: str) -> None:
    done = fixed_script(tmp_path, BEFORE.format(code=code), unsafe=True)
    assert done.text == BEFORE.format(code=fixed)
    assert done.applied == ("FRZ508",)
