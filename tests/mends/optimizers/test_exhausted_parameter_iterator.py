from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.optimizers.scripts import script
from tests.mends.scripts import fixed_script

USES = "optimizer = torch.optim.SGD(weights, lr=0.1)"
CLIP = "torch.nn.utils.clip_grad_norm_(weights, 1.0)"


@pytest.mark.parametrize(
    ("iterator", "fixed"),
    [
        ("model.parameters()", "list(model.parameters())"),
        (
            "itertools.chain(body.parameters(), head.parameters())",
            "list(itertools.chain(body.parameters(), head.parameters()))",
        ),
        ("(p for p in model.parameters())", "[p for p in model.parameters()]"),
        (
            "filter(lambda w: w.requires_grad, model.parameters())",
            "[w for w in model.parameters() if w.requires_grad]",
        ),
        (
            "filter(lambda w: w.requires_grad if model else True, model.parameters())",
            "[w for w in model.parameters() if (w.requires_grad if model else True)]",
        ),
        (
            "filter(*(None, model.parameters()))",
            "list(filter(*(None, model.parameters())))",
        ),
        (
            "map(lambda pair: pair[1], model.named_parameters())",
            "list(map(lambda pair: pair[1], model.named_parameters()))",
        ),
    ],
)
def test_an_iterator_becomes_a_list(tmp_path: Path, iterator: str, fixed: str) -> None:
    done = fixed_script(tmp_path, script(f"weights = {iterator}\n{USES}", CLIP))
    assert done.text == script(f"weights = {fixed}\n{USES}", CLIP)
    assert done.applied == ("FRZ206",)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            f"weights: Iterator[nn.Parameter] = model.parameters()\n{USES}",
            f"weights: list[nn.Parameter] = list(model.parameters())\n{USES}",
        ),
        (
            f"rate, weights = 0.1, model.parameters()\n{USES}",
            f"rate, weights = 0.1, list(model.parameters())\n{USES}",
        ),
        (
            "optimizer = torch.optim.SGD(weights := model.parameters(), lr=0.1)",
            "optimizer = torch.optim.SGD(weights := list(model.parameters()), lr=0.1)",
        ),
    ],
)
def test_wherever_the_variable_gets_it(tmp_path: Path, before: str, after: str) -> None:
    assert fixed_script(tmp_path, script(before, CLIP)).text == script(after, CLIP)


def test_an_argument_becomes_a_list_where_the_function_begins(tmp_path: Path) -> None:
    before = (
        'def fit(weights):\n    """Fit."""\n    optimizer = torch.optim.SGD(weights, lr=0.1)\n'
        f"    model(torch.randn(16, 4)).sum().backward()\n    {CLIP}\n    optimizer.step()\n\n\n"
        "fit(model.parameters())\noptimizer = torch.optim.SGD(model.parameters(), lr=0.1)"
    )
    after = before.replace('"""Fit."""\n', '"""Fit."""\n    weights = list(weights)\n')
    assert fixed_script(tmp_path, script(before)).text == script(after)


def test_what_holds_iterators_is_no_iterator(tmp_path: Path) -> None:
    text = script(
        'parts = {"all": model.parameters()}\noptimizer = torch.optim.SGD(parts["all"], lr=0.1)',
        'torch.nn.utils.clip_grad_norm_(parts["all"], 1.0)',
    )
    done = fixed_script(tmp_path, text)
    assert done.text == text
    assert set(done.refused) == {"FRZ206"}
