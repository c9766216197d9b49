"""Patterns name parts of a model on dotted boundaries."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from freezelint import freezing
from freezelint.freezing.patterns import inner, select
from tests.freezing.models import Net


def stages_taken(*patterns: str) -> list[int]:
    model = Net(12)
    return sorted({int(name.split(".")[1]) for name in select(model, patterns).parameters})


@pytest.mark.parametrize(
    ("pattern", "stages"),
    [
        ("stage.1", [1]),
        ("stage.1.", [1]),
        ("stage.1*", [1, 10, 11]),
        ("stage.?", list(range(10))),
        ("stage.[0-3]", [0, 1, 2, 3]),
        ("stage.[!0-8]", [9]),
        ("stage", list(range(12))),
        ("s*e.10.conv.weight", [10]),
        ("**.11", [11]),
        ("**.11.**.bias", [11]),
    ],
)
def test_a_name_takes_what_is_inside_it_and_no_sibling(pattern: str, stages: list[int]) -> None:
    assert stages_taken(pattern) == stages


def test_a_star_stays_within_one_component() -> None:
    model = Net(2)
    assert list(select(model, ["*.bias"]).parameters) == ["head.bias"]
    assert len(select(model, ["**.bias"]).parameters) == 5
    assert list(select(model, ["stage.*.bn.weight"]).parameters) == ["stage.0.bn.weight", "stage.1.bn.weight"]


def test_a_module_names_itself() -> None:
    model = Net(2)
    assert list(select(model, [model.stage[1].conv]).parameters) == [
        "stage.1.conv.weight",
        "stage.1.conv.bias",
    ]


def test_a_tied_parameter_has_all_its_names() -> None:
    model = nn.ModuleDict({"in": nn.Embedding(3, 2), "out": nn.Linear(2, 3, bias=False)})
    model["out"].weight = model["in"].weight
    assert list(select(model, ["out"]).parameters) == ["out.weight"]
    assert list(select(model, []).parameters) == ["in.weight", "out.weight"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("stages.1", "`stages.1` matches nothing in Net; nearest: `stage.1`"),
        ("conv", "`conv` matches nothing in Net; nearest: `stage.0.conv`, `stage.1.conv`"),
        ("xyz", "`xyz` matches nothing in Net; it consists of `stage`, `head`"),
        ("stage.0.drop", "`stage.0.drop` names only modules without parameters in Net"),
    ],
)
def test_what_matches_nothing_raises_with_the_nearest_names(pattern: str, message: str) -> None:
    with pytest.raises(freezing.NoMatchError, match=message):
        select(Net(2), [pattern])


def test_other_arguments_raise() -> None:
    model = Net(2)
    with pytest.raises(ValueError, match="an empty pattern names nothing"):
        select(model, [""])
    with pytest.raises(TypeError, match="a pattern is a name or a module, and not of class int"):
        select(model, [1])  # type: ignore[list-item]
    with pytest.raises(freezing.NoMatchError, match="the Linear given is no module of Net"):
        select(model, [nn.Linear(2, 2)])


def test_names_are_those_of_the_model_inside_its_wrappers() -> None:
    model = Net(2)
    wrapped = nn.DataParallel(torch.compile(model, backend="eager"))
    assert inner(wrapped) is model
    freezing.freeze(wrapped, "stage.0")
    assert [n for n, p in model.named_parameters() if not p.requires_grad] == [
        f"stage.0.{own}" for own in ("conv.weight", "conv.bias", "bn.weight", "bn.bias")
    ]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("pattern", ["stage[!x]0", "stage[+-9]0", "stage.[[]", "stage.[a||b]", "stage.[&&]"])
def test_brackets_take_letters_of_one_component(pattern: str) -> None:
    with pytest.raises(freezing.NoMatchError):
        select(Net(), [pattern])


def test_a_range_that_makes_no_sense_is_told() -> None:
    with pytest.raises(ValueError, match=r"`stage\.\[9-0\]` is no pattern: bad character range 9-0$"):
        select(Net(), ["stage.[9-0]"])
