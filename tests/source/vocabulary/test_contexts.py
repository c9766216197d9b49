"""Context managers, progress bars, processes: what stands around the statements that matter."""

from __future__ import annotations

from freezelint.source.interpreter.values import Unknown
from tests.source.reading import read_source, value_of, variables

MODEL = """
import torch
from contextlib import contextmanager, nullcontext, suppress, ExitStack
from torch import nn
model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5))
"""


def test_a_context_manager_of_the_script_rests_at_its_yield() -> None:
    scope = variables(
        read_source(
            MODEL
            + """
@contextmanager
def evaluating(model):
    was = model.training
    model.eval()
    try:
        yield model
    finally:
        model.train(was)
with evaluating(model) as inner:
    within = inner.training
after = model.training
"""
        )
    )
    assert (scope["within"], scope["after"]) == (False, True)


def test_grad_mode_lasts_as_long_as_the_block() -> None:
    scope = variables(
        read_source(
            MODEL
            + """
@contextmanager
def frozen():
    with torch.no_grad():
        yield
with frozen():
    within = model(torch.randn(2, 4))
after = model(torch.randn(2, 4))
"""
        )
    )
    assert scope["within"].requires_grad is False
    assert scope["after"].requires_grad is True


def test_ready_made_context_managers() -> None:
    assert value_of(
        MODEL
        + """
result = []
with nullcontext(3) as value:
    result.append(value)
with suppress(ValueError):
    raise ValueError("x")
with ExitStack() as stack:
    stack.enter_context(torch.no_grad())
    result.append(torch.is_grad_enabled())
result.append(torch.is_grad_enabled())
"""
    ) == [3, False, True]


def test_progress_bars_are_what_they_show() -> None:
    assert value_of(
        """
        from tqdm import tqdm, trange
        result = [i for i in tqdm([1, 2], desc="x")] + [i for i in trange(2)]
        with tqdm([5]) as bar:
            for i in bar:
                result.append(i)
                bar.set_postfix(loss=0)
        bar = tqdm(total=3)
        bar.update(1)
        """
    ) == [1, 2, 0, 1, 5]


def test_a_function_that_is_spawned_runs_as_rank_0() -> None:
    rank, size = value_of(
        """
        import torch.multiprocessing as mp
        def worker(rank, size):
            global result
            result = rank, size
        mp.spawn(worker, args=(4,), nprocs=4)
        """
    )
    assert (rank.hint, size) == (0, 4)


def test_loggers_are_harmless() -> None:
    scope = variables(
        read_source(
            MODEL
            + """
import logging
logger = logging.getLogger(__name__)
logger.debug(model)
logging.info("%s", model)
flag = model[0].weight.requires_grad
"""
        )
    )
    assert scope["flag"] is True


def test_typing_is_transparent() -> None:
    scope = variables(
        read_source(
            """
            from typing import cast, TYPE_CHECKING, List
            from some_library import thing
            value = cast(int, 3)
            checking = TYPE_CHECKING
            is_list = isinstance([], List)
            version = thing.version
            """
        )
    )
    assert (scope["value"], scope["checking"], scope["is_list"]) == (3, False, True)
    assert not isinstance(scope["version"], Unknown)
