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


def fresh(ledger: Ledger) -> nn.Parameter:
    parameter = nn.Parameter(torch.zeros(2, 2))
    ledger.mark([parameter], "fresh")
    return parameter


def test_initial_values_are_fresh() -> None:
    ledger = Ledger()
    parameter = fresh(ledger)
    with torch.no_grad(), ledger.entry(parameter).initialising(parameter):
        parameter[0] = 1.0
    assert ledger.entry(parameter).origin == "fresh"


def test_values_written_after_training_began_are_the_optimizer_s() -> None:
    ledger = Ledger()
    parameter = fresh(ledger)
    ledger.settle()
    with torch.no_grad():
        parameter.add_(torch.ones(2, 2))
    assert ledger.entry(parameter).origin == "fresh"
    ledger.mark([parameter], "fresh")
    with torch.no_grad():
        parameter.add_(torch.ones(2, 2))
    assert ledger.entry(parameter).origin == "fresh"


def test_values_written_before_are_somebody_s() -> None:
    ledger = Ledger()
    parameter = fresh(ledger)
    parameter.detach().view(-1)[0] = 1.0
    ledger.settle()
    assert ledger.entry(parameter).origin == "unknown"


def test_initial_values_do_not_hide_others_written_before() -> None:
    ledger = Ledger()
    parameter = fresh(ledger)
    with torch.no_grad():
        parameter.add_(torch.ones(2, 2))
        with ledger.entry(parameter).initialising(parameter):
            parameter[0].zero_()
    assert ledger.entry(parameter).origin == "unknown"


def test_the_origin_is_known_where_torch_counts_no_writes() -> None:
    ledger = Ledger()
    with torch.inference_mode():
        assert ledger.entry(fresh(ledger)).origin == "fresh"


def test_a_view_leads_to_the_entry_of_what_it_shows() -> None:
    ledger = Ledger()
    parameter = fresh(ledger)
    entry = ledger.entry(parameter)
    assert ledger.find_behind(parameter) is entry
    assert ledger.find_behind(parameter[0]) is entry
    assert ledger.find_behind(torch.zeros(1)) is None


def test_released_tensors_can_be_swapped() -> None:
    ledger = Ledger()
    parameter, other = fresh(ledger), nn.Parameter(torch.ones(2, 2))
    entry = ledger.entry(parameter)
    with ledger.released([parameter, other], same_values=True):
        torch.utils.swap_tensors(parameter, other)
    assert ledger.entry(parameter) is entry
    assert (entry.origin, parameter[0, 0].item()) == ("fresh", 1.0)
    with ledger.released([parameter, other], same_values=False):
        torch.utils.swap_tensors(parameter, other)
    assert entry.origin == "unknown"
