from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.optimizers.scripts import script
from tests.mends.scripts import fixed_script

OPEN = "model.requires_grad_(False)\nmodel[1].requires_grad_(True)\nmodel[0][0].requires_grad_(True)\n"


@pytest.mark.parametrize(
    ("built", "fixed"),
    [
        (
            "SGD(model[1].parameters(), lr=0.1)",
            "SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)",
        ),
        (
            'SGD([{"params": model[1].parameters()}], lr=0.1)',
            'SGD([{"params": model[1].parameters()}, {"params": model[0][0].parameters()}], lr=0.1)',
        ),
    ],
)
def test_all_that_is_trainable_is_trained(tmp_path: Path, built: str, fixed: str) -> None:
    text = script(f"{OPEN}optimizer = torch.optim.{built}")
    assert fixed_script(tmp_path, text).text == text, "whether it was forgotten is for the author to say"
    done = fixed_script(tmp_path, text, unsafe=True)
    assert done.text == script(f"{OPEN}optimizer = torch.optim.{fixed}")


def test_what_a_helper_opens_is_called_as_its_caller_calls_it(tmp_path: Path) -> None:
    helper = "def thaw(net):\n    net[0][0].requires_grad_(True)\n\n\n"
    opened = f"{helper}model.requires_grad_(False)\nmodel[1].requires_grad_(True)\nthaw(model)\n"
    groups = 'groups = [\n    {"params": model[1].parameters()},  # head\n]\n'
    before = f"{groups}optimizer = torch.optim.SGD(groups, lr=0.1)"
    after = before.replace("# head\n", '# head\n    {"params": model[0][0].parameters()},\n')
    assert fixed_script(tmp_path, script(opened + before), unsafe=True).text == script(opened + after)
