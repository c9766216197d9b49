"""Whether the running statistics of norm layers moved."""

from __future__ import annotations

import torch
from torch import nn

from freezelint.live.watchers.running_statistics import moved_since, statistics_of


def test_a_run_in_train_mode_moves_them() -> None:
    still, moving = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    kept = [(norm, statistics_of(norm)) for norm in (still, moving)]
    moving(torch.randn(3, 2))
    assert moved_since(kept) == {id(still): False, id(moving): True}


def test_the_variance_alone_is_enough() -> None:
    norm = nn.BatchNorm1d(2)
    kept = [(norm, statistics_of(norm))]
    norm.running_var[1] += 1e-3  # type: ignore[index]
    assert moved_since(kept) == {id(norm): True}


def test_other_buffers_with_the_same_values_did_not_move() -> None:
    norm = nn.BatchNorm1d(2)
    kept = [(norm, statistics_of(norm))]
    norm.running_mean = torch.zeros(2)
    assert moved_since(kept) == {id(norm): False}


def test_what_has_none_or_cannot_be_read_is_unknown() -> None:
    without = nn.BatchNorm1d(2, track_running_stats=False)
    unreadable = nn.BatchNorm1d(2, device="meta")
    kept = [(norm, statistics_of(norm)) for norm in (without, unreadable)]
    assert moved_since(kept) == {id(without): None, id(unreadable): None}


def test_the_layer_is_not_touched() -> None:
    norm = nn.BatchNorm1d(2)
    before = norm.running_mean
    moved_since([(norm, statistics_of(norm))])
    assert norm.running_mean is before
