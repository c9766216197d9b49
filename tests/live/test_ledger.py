"""The ledger gives each parameter one number, for the whole trace."""

from __future__ import annotations

import gc

import torch
from torch import nn

from freezelint.live.ledger import Ledger


def test_a_tensor_keeps_its_number() -> None:
    ledger = Ledger()
    one, other = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))
    assert ledger.ids([one, other, one]) == [0, 1, 0]


def test_a_number_is_never_given_twice_though_python_gives_an_id_twice() -> None:
    ledger = Ledger()
    numbers = []
    for _ in range(50):
        parameter = nn.Parameter(torch.zeros(2))
        numbers += ledger.ids([parameter])
        del parameter
        gc.collect()
    assert numbers == list(range(50))


def test_a_tensor_is_held_weakly_and_its_evidence_stays() -> None:
    ledger = Ledger()
    parameter = nn.Parameter(torch.zeros(2, 3, dtype=torch.bfloat16))
    entry = ledger.entry(parameter)
    del parameter
    gc.collect()
    assert entry.reference() is None
    assert (entry.evidence().shape, entry.evidence().dtype, entry.evidence().bytes) == (
        (2, 3),
        "bfloat16",
        12,
    )


def test_find_makes_no_entry() -> None:
    ledger = Ledger()
    assert ledger.find(nn.Parameter(torch.zeros(1))) is None
    assert ledger.entries == []


def test_a_lazy_parameter_gets_its_shape_when_it_has_one() -> None:
    ledger, layer = Ledger(), nn.LazyLinear(3)
    entry = ledger.entry(layer.weight)
    assert entry.evidence().shape == ()
    layer(torch.zeros(1, 5))
    entry.describe(layer.weight)
    assert ledger.entry(layer.weight) is entry
    assert entry.evidence().shape == (3, 5)


def test_origins_are_marked() -> None:
    ledger, parameter = Ledger(), nn.Parameter(torch.zeros(1))
    assert ledger.entry(parameter).origin == "unknown"
    ledger.mark([parameter], "pretrained")
    assert ledger.entry(parameter).origin == "pretrained"
