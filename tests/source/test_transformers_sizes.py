"""Models of transformers by a configuration of the script's own: their layers, sizes and origins."""

from __future__ import annotations

import pytest

from freezelint.source.interpreter.values import Module
from freezelint.source.semantics import trees
from tests.source.reading import traced, value_of

_START = """
import sys, tempfile
from transformers import BertConfig, BertForSequenceClassification, BertModel
"""


def model_of(text: str) -> Module:
    result = value_of(_START + text)
    assert isinstance(result, Module)
    return result


def layers_of(model: Module) -> list[str]:
    stack = trees.at(model, "encoder.layer")
    assert stack is not None
    return list(stack.children)


@pytest.mark.parametrize("depth", [2, 12, 15])
def test_other_depths(depth: int) -> None:
    model = model_of(f"result = BertModel(BertConfig(num_hidden_layers={depth}))")
    assert not model.is_open
    assert layers_of(model) == [str(number) for number in range(depth)]
    called = [path.split(".")[2] for path in model.calls if path.startswith("encoder.layer")]
    assert list(dict.fromkeys(called)) == layers_of(model)
    assert model.calls[-1] == "pooler.dense"


def test_rates_of_dropout_that_are_given_are_unknown() -> None:
    model = model_of("result = BertModel(BertConfig(hidden_dropout_prob=0.0))")
    assert {module.dropout for _, module in model.walk() if module.role == "dropout"} == {None}


@pytest.mark.parametrize(
    "config",
    [
        "BertConfig(num_hidden_layers=int(sys.argv[1]))",
        "BertConfig(add_cross_attention=True, is_decoder=True)",
        "BertConfig(**dict(zip(sys.argv, sys.argv)))",
    ],
)
def test_structures_that_nobody_knows(config: str) -> None:
    assert model_of(f"result = BertModel({config})").is_open


_STORED = """
tiny = BertConfig(num_hidden_layers=2, hidden_size=16)
with tempfile.TemporaryDirectory() as folder:
    {saved}(tiny).save_pretrained(folder)
    result = {loaded}.from_pretrained({place})
"""


@pytest.mark.parametrize("saved", ["BertModel", "BertForSequenceClassification"])
def test_what_the_script_has_saved_is_pretrained(saved: str) -> None:
    text = _STORED.format(saved=saved, loaded="BertForSequenceClassification", place="folder")
    model = model_of(text)
    origins = {path.partition(".")[0]: parameter.origin for path, parameter in model.own_and_below()}
    head = "fresh" if saved == "BertModel" else "pretrained"
    assert origins == {"bert": "pretrained", "classifier": head}
    assert model.training is False


def test_another_folder_holds_something_else() -> None:
    text = _STORED.format(saved="BertModel", loaded="BertModel", place="sys.argv[2]")
    assert model_of(text).open


def test_backward_reaches_a_frozen_head() -> None:
    text = (
        _START
        + _STORED.format(saved="BertModel", loaded="BertForSequenceClassification", place="folder")
        + """
import torch
result.classifier.requires_grad_(False)
optimizer = torch.optim.SGD(result.bert.parameters(), lr=0.1)
result(input_ids=torch.ones(1, 4), labels=torch.ones(1)).loss.backward()
optimizer.step()
"""
    )
    state = traced(text).steps[0].modules[0]["classifier"]
    assert (state.input_requires_grad, state.reached_by_backward) == (True, True)
