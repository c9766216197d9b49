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
            "map(lambda pair: pair[1], model.named_parameters())",
            "list(map(lambda pair: pair[1], model.named_parameters()))",
        ),
    ],
)
def test_an_iterator_becomes_a_list(tmp_path: Path, iterator: str, fixed: str) -> None:
    done = fixed_script(tmp_path, script(f"weights = {iterator}\n{USES}", CLIP))
    assert done.text == script(f"weights = {fixed}\n{USES}", CLIP)
    assert done.applied == ("FRZ206",)
