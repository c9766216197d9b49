"""Digests: any change of value changes them, and nothing else does."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from freezelint.live.digests import changed, changed_each, digest, is_unreadable

DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
    torch.complex64,
    torch.complex128,
]
BLOCK = 257 * 127
shapes = st.lists(st.integers(1, 9), min_size=0, max_size=4)
lengths = st.one_of(st.integers(2, 600), st.integers(2 * BLOCK, 5 * BLOCK))


def random_tensor(shape: list[int], dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    if dtype is torch.bool:
        return torch.randint(0, 2, shape, generator=generator).bool()
    if dtype.is_complex:
        return torch.complex(*torch.randn(2, *shape, generator=generator)).to(dtype)
    if dtype.is_floating_point:
        return torch.randn(shape, generator=generator).to(dtype)
    return torch.randint(0, 100, shape, generator=generator).to(dtype)


def as_bytes(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.view(-1).view(torch.uint8)


def value(tensor: torch.Tensor) -> int:
    found = digest(tensor)
    assert found is not None
    assert found.dtype is torch.int64
    assert found.dim() == 0
    return int(found)


# --- the same values, the same digest ---


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@given(shape=shapes, seed=st.integers(0, 9))
@settings(deadline=None, max_examples=20)
def test_equal_values_have_equal_digests(dtype: torch.dtype, shape: list[int], seed: int) -> None:
    tensor = random_tensor(shape, dtype, seed)
    assert value(tensor) == value(tensor.clone()) == value(tensor)


def test_looking_changes_nothing() -> None:
    parameter = nn.Parameter(torch.randn(300, 300))
    before, version, state = parameter.detach().clone(), parameter._version, torch.get_rng_state()
    value(parameter)
    assert torch.equal(parameter, before)
    assert parameter._version == version
    assert torch.equal(torch.get_rng_state(), state)


def test_modes_of_the_users_do_not_matter() -> None:
    tensor = torch.randn(1000)
    expected = value(tensor)
    with torch.inference_mode():
        assert value(tensor) == expected
    with torch.autocast("cpu"), torch.device("meta"):
        assert value(tensor) == expected


# --- any change ---


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@given(shape=shapes, where=st.integers(0), bit=st.integers(0, 7))
@settings(deadline=None, max_examples=30)
def test_one_bit(dtype: torch.dtype, shape: list[int], where: int, bit: int) -> None:
    tensor = random_tensor(shape, dtype)
    before = value(tensor)
    memory = as_bytes(tensor)
    memory[where % len(memory)] ^= 1 << (0 if dtype is torch.bool else bit)
    assert value(tensor) != before


@given(length=lengths, places=st.tuples(st.integers(0), st.integers(0)))
@settings(deadline=None, max_examples=50)
def test_a_swap_of_two_values(length: int, places: tuple[int, int]) -> None:
    tensor = torch.arange(float(length))
    before = value(tensor)
    first, second = (place % length for place in places)
    tensor[[first, second]] = tensor[[second, first]]
    assert (value(tensor) == before) == (first == second)


@given(length=lengths, shift=st.integers(1, 2**40))
@settings(deadline=None, max_examples=50)
def test_a_rotation(length: int, shift: int) -> None:
    tensor = torch.arange(float(length))
    assert (value(tensor.roll(shift)) == value(tensor)) == (shift % length == 0)


@given(length=lengths, places=st.tuples(st.integers(0), st.integers(0)), amount=st.integers(1, 2**63 - 1))
@settings(deadline=None, max_examples=50)
def test_a_change_that_keeps_the_sum_of_the_memory(length: int, places: tuple[int, int], amount: int) -> None:
    tensor = random_tensor([length], torch.float64)
    before = value(tensor)
    words = tensor.view(torch.int64)
    first, second = (place % length for place in places)
    words[first] += amount
    words[second] -= amount
    assert (value(tensor) == before) == (first == second)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.complex128], ids=str)
@given(length=lengths, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=20)
def test_signs(dtype: torch.dtype, length: int, seed: int) -> None:
    tensor = random_tensor([length], dtype, seed) + 1
    some = torch.rand(length, generator=torch.Generator().manual_seed(seed)) < 0.5
    before = value(tensor)
    assert value(-tensor) != before
    assert value(torch.where(some, -tensor, tensor)) != before or not some.any()
    assert value(torch.ones(length, dtype=dtype)) != value(-torch.ones(length, dtype=dtype))


@given(length=lengths, size=st.integers(1, 64))
@settings(deadline=None, max_examples=50)
def test_two_blocks_of_values_change_places(length: int, size: int) -> None:
    size = min(size, length // 2)
    tensor = torch.arange(float(length))
    swapped = torch.cat([tensor[size : 2 * size], tensor[:size], tensor[2 * size :]])
    assert value(swapped) != value(tensor)


def test_the_smallest_step_of_an_optimizer() -> None:
    tensor = torch.randn(500_000)
    before = value(tensor)
    tensor[123_456] = torch.nextafter(tensor[123_456], torch.tensor(9.0))
    assert value(tensor) != before


def test_two_thousand_digests_are_all_different() -> None:
    tensor = torch.zeros(64)
    found = set()
    for number in range(2_000):
        tensor[number % 64] += 1
        found.add(value(tensor))
    assert len(found) == 2_000


# --- every layout ---


@pytest.mark.parametrize(
    "make",
    [
        lambda t: t.t(),
        lambda t: t[::2],
        lambda t: t[:, 1:],
        lambda t: t[:, 3],
        lambda t: t[1:, 1::3].t(),
        lambda t: t[0, 0].expand(4, 5),
        lambda t: t.view(2, 3, 50, 40).to(memory_format=torch.channels_last),
        lambda t: t.view(-1)[1:],
        lambda t: t.view(-1)[3:10],
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int8, torch.complex64], ids=str)
def test_layouts(make: Any, dtype: torch.dtype) -> None:
    whole = random_tensor([120, 100], dtype)
    tensor = make(whole)
    before = value(tensor)
    assert value(tensor) == before
    tensor[(-1,) * tensor.dim()] = 3 if dtype is not torch.complex64 else 3j
    assert value(tensor) != before


def test_large_with_gaps_and_misaligned() -> None:
    for tensor in (
        torch.randn(900, 901)[:, :-1],
        torch.randn(900 * 900 + 1)[1:],
        torch.randn(3_000_000)[::3],
    ):
        before = value(tensor)
        tensor[-1] += 1
        assert value(tensor) != before


def test_conjugates_and_transposes_are_read_as_they_are() -> None:
    tensor = random_tensor([5, 5], torch.complex64)
    assert value(tensor.conj()) != value(tensor)
    assert value(tensor.conj()) == value(tensor.conj().resolve_conj())


@pytest.mark.parametrize("shape", [(0,), (3, 0, 2)])
def test_empty(shape: tuple[int, ...]) -> None:
    assert value(torch.empty(shape)) == value(torch.empty(shape))


# --- what cannot be read is unknown ---


def test_without_values_there_is_no_digest() -> None:
    assert digest(torch.empty(3, device="meta")) is None
    assert is_unreadable(torch.empty(3, device="meta"))
    assert digest(torch.eye(3).to_sparse()) is None
    real = torch.ones(3)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert digest(torch.ones(3)) is None
        assert digest(real) is None
    assert not is_unreadable(real)


def test_changed() -> None:
    one, same, other = digest(torch.ones(3)), digest(torch.ones(3)), digest(torch.zeros(3))
    assert changed(one, same) is False
    assert changed(one, other) is True
    assert changed(None, other) is None
    assert changed(one, None) is None
    assert changed_each([one, None, one], [other, one, same]) == [True, None, False]
    assert changed_each([], []) == []


def test_no_copy_is_made_of_a_large_tensor() -> None:
    class Largest(TorchDispatchMode):
        bytes = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor) and result.untyped_storage()._cdata not in known:
                Largest.bytes = max(Largest.bytes, result.untyped_storage().nbytes())
            return result

    for tensor in (torch.randn(8_000_000), torch.randn(4_000_000, dtype=torch.float64)[1:]):
        known = {tensor.untyped_storage()._cdata}
        digest(torch.ones(1))  # the weights are made once
        with Largest():
            digest(tensor)
        assert 0 < Largest.bytes <= 2**20


@pytest.mark.cuda
def test_digests_are_made_on_the_gpu_without_waiting_for_it() -> None:
    tensor = torch.randn(3_000_000, device="cuda")
    digest(tensor)  # the weights are made once
    torch.cuda.set_sync_debug_mode("error")
    try:
        before = digest(tensor)
        tensor[7] += 1
        after = digest(tensor)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert before is not None
    assert before.device == tensor.device
    assert changed(before, after) is True
    assert changed(after, digest(tensor)) is False
