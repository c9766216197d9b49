"""Which of several tensors changed between two looks."""

from __future__ import annotations

import weakref

import torch

from freezelint.live.moved import Digests


def test_tells_which_tensor_changed() -> None:
    still, moving = torch.ones(4), torch.ones(4)
    before = Digests([still, moving])
    moving[2] += 1e-6
    assert before.compare() == {id(still): False, id(moving): True}


def test_setting_the_same_values_again_is_no_movement() -> None:
    tensor = torch.arange(5.0)
    before = Digests([tensor])
    tensor.copy_(tensor.clone())
    assert before.compare() == {id(tensor): False}


def test_a_write_through_data_is_seen() -> None:
    parameter = torch.nn.Parameter(torch.ones(3))
    before = Digests([parameter])
    parameter.data.mul_(0.5)
    assert before.compare() == {id(parameter): True}


def test_other_memory_with_the_same_values_is_no_movement() -> None:
    parameter = torch.nn.Parameter(torch.ones(3))
    before = Digests([parameter])
    parameter.data = torch.ones(3)
    assert before.compare() == {id(parameter): False}


def test_two_looks_compare_what_both_saw() -> None:
    one, other = torch.zeros(2), torch.zeros(2)
    first = Digests([one])
    one += 1
    assert first.compare(Digests([one, other])) == {id(one): True}
    assert first.compare(Digests([other])) == {}


def test_values_that_cannot_be_read_are_unknown() -> None:
    tensor = torch.zeros(2, device="meta")
    assert Digests([tensor]).compare() == {id(tensor): None}


def test_a_lazy_parameter_is_unknown() -> None:
    weight = torch.nn.LazyLinear(2).weight
    assert Digests([weight]).compare() == {id(weight): None}


def test_keeps_nothing_alive() -> None:
    staying, leaving = torch.zeros(2), torch.zeros(2)
    before, gone = Digests([staying, leaving]), weakref.ref(leaving)
    del leaving
    assert gone() is None
    assert before.compare() == {id(staying): False}


def test_nothing_to_compare() -> None:
    assert Digests().compare() == {}
