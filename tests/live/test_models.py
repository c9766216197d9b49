"""Published models, audited in full: a correct feature extraction gives nothing, each fault its own code."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import torch
from torch import nn
from torch.optim import SGD, Optimizer

import freezelint
from tests.live.architectures import ARCHITECTURES, Architecture, new_head


class Extraction:
    """A published model with stored weights, about to be fine-tuned, one statement a method."""

    def __init__(self, architecture: Architecture, model: nn.Module) -> None:
        self.architecture = architecture
        self.model = model
        self.stored = model.state_dict()

    @property
    def head(self) -> nn.Module:
        return self.model.get_submodule(self.architecture.head)

    def load(self) -> None:
        self.model.load_state_dict(self.stored)

    def freeze(self) -> None:
        for parameter in self.model.parameters():
            parameter.requires_grad = False

    def replace_head(self) -> None:
        parent, _, name = self.architecture.head.rpartition(".")
        setattr(self.model.get_submodule(parent), name, new_head(self.head))

    def frozen_norms_to_eval(self) -> None:
        for module in self.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()

    def train(self, optimizer: Optimizer, steps: int = 2) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            self.architecture.loss(self.model).backward()
            optimizer.step()


@pytest.fixture(scope="module", params=ARCHITECTURES, ids=lambda architecture: architecture.name)
def built(request: pytest.FixtureRequest) -> Iterator[tuple[Architecture, nn.Module]]:
    """Each architecture is built once: the tests of one model work on copies."""
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield request.param, request.param.build()
    torch.set_num_threads(threads)


@pytest.fixture
def extraction(built: tuple[Architecture, nn.Module]) -> Extraction:
    architecture, model = built
    return Extraction(architecture, copy.deepcopy(model))


def codes(extraction: Extraction, story: Callable[[Extraction], None]) -> list[str]:
    """What is found where all of the story happens under observation, from the load of the weights on."""
    with freezelint.watch(extraction.model) as report:
        extraction.load()
        story(extraction)
    return [finding.code for finding in report]


def test_correct_extraction(extraction: Extraction) -> None:
    def story(it: Extraction) -> None:
        it.freeze()
        it.replace_head()
        it.model.train()
        it.frozen_norms_to_eval()
        it.train(SGD(it.head.parameters(), lr=0.01))

    assert codes(extraction, story) == []


def test_correct_extraction_audited_without_its_story(extraction: Extraction) -> None:
    extraction.freeze()
    extraction.replace_head()
    extraction.model.train()
    extraction.frozen_norms_to_eval()
    before = {name: tensor.clone() for name, tensor in extraction.model.state_dict().items()}
    optimizer = SGD(extraction.head.parameters(), lr=0.01)
    report = freezelint.audit(
        extraction.model, optimizer, lambda: extraction.architecture.loss(extraction.model).backward()
    )
    assert list(report) == []
    assert report.trace.steps_done == 2
    assert all(torch.equal(tensor, before[name]) for name, tensor in extraction.model.state_dict().items())


def test_train_over_frozen_norms(extraction: Extraction) -> None:
    def story(it: Extraction) -> None:
        it.freeze()
        it.replace_head()
        it.model.train()
        it.train(SGD(it.head.parameters(), lr=0.01))

    assert codes(extraction, story) == (["FRZ101"] if extraction.architecture.has_running_statistics else [])


def test_train_undoes_the_eval_of_frozen_norms(extraction: Extraction) -> None:
    def story(it: Extraction) -> None:
        it.freeze()
        it.replace_head()
        it.frozen_norms_to_eval()
        it.model.train()
        it.train(SGD(it.head.parameters(), lr=0.01))

    assert codes(extraction, story) == (["FRZ102"] if extraction.architecture.has_running_statistics else [])


def test_frozen_parameters_handed_to_the_optimizer(extraction: Extraction) -> None:
    def story(it: Extraction) -> None:
        it.freeze()
        it.replace_head()
        it.model.train()
        it.frozen_norms_to_eval()
        it.train(SGD(it.model.parameters(), lr=0.01))

    assert codes(extraction, story) == ["FRZ201"]


def test_block_unfrozen_after_the_optimizer_was_built(extraction: Extraction) -> None:
    def story(it: Extraction) -> None:
        it.freeze()
        it.replace_head()
        it.model.train()
        it.frozen_norms_to_eval()
        optimizer = SGD(it.head.parameters(), lr=0.01)
        it.train(optimizer)
        for path in it.architecture.top:
            it.model.get_submodule(path).requires_grad_(True).train()
        it.train(optimizer)

    assert codes(extraction, story) == ["FRZ203"]


def test_head_replaced_after_the_optimizer_was_built(extraction: Extraction) -> None:
    def story(it: Extraction) -> None:
        it.freeze()
        it.head.requires_grad_(True)
        optimizer = SGD(it.head.parameters(), lr=0.01)
        it.replace_head()
        it.model.train()
        it.frozen_norms_to_eval()
        it.train(optimizer)

    assert codes(extraction, story) == ["FRZ204"]


def test_everything_frozen_by_mistake(extraction: Extraction) -> None:
    """The new head is frozen with the rest: backward fails (not in Wav2Vec2, whose input requires grad)."""

    def story(it: Extraction) -> None:
        it.replace_head()
        it.freeze()
        it.model.train()
        it.frozen_norms_to_eval()
        optimizer = SGD(it.model.parameters(), lr=0.01)
        with suppress(RuntimeError):
            it.train(optimizer)

    assert codes(extraction, story) == ["FRZ209"]
