"""Modules that nobody knows: what is known of what they return."""

from __future__ import annotations

from tests.source.reading import codes, found_in

_TRAINING = """
    import torch
    from adapters_of_somebody import Adapted
    from torch import nn

    model = Adapted("a-large-one")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    for batch in loader:
        optimizer.zero_grad()
        {forward}
        loss = nn.functional.cross_entropy(outputs.float(), torch.tensor([1]))
        loss.requires_grad = True
        loss.backward()
        optimizer.step()
"""


def test_what_something_unknown_computes_may_have_a_graph() -> None:
    for forward in (
        "outputs = model(batch)",
        "outputs = model(torch.ones(2, 3))",
        "outputs = model.generate(batch)",
    ):
        assert found_in(_TRAINING.format(forward=forward)) == []


def test_generated_text_has_none() -> None:
    found = found_in(_TRAINING.format(forward="outputs = model.generate(**batch, max_new_tokens=190)"))
    assert codes(found) == ["FRZ305"]
    assert "backward reaches no parameter" in found[0].message
