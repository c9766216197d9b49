"""Layers as the source reader builds them: the parameters, shapes and settings that torch gives them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from freezelint.source.interpreter.values import Module
from tests.source.reading import read_source, value_of, variables

SETUP = """
import torch, torchvision
from collections import OrderedDict
from torch import nn
from torchvision import ops
from functools import partial
"""

LAYERS = [
    "nn.Linear(3, 4)",
    "nn.Linear(in_features=3, out_features=4, bias=False)",
    "nn.Bilinear(2, 3, 4)",
    "nn.Identity(54, unused=True)",
    "nn.Flatten()",
    "nn.Conv1d(2, 4, 3)",
    "nn.Conv2d(4, 8, 3, 1, 1, 1, 2)",
    "nn.Conv2d(3, 8, (3, 5), bias=False)",
    "nn.Conv3d(1, 2, kernel_size=(1, 2, 3))",
    "nn.ConvTranspose2d(8, 4, 2, stride=2)",
    "nn.ConvTranspose1d(8, 4, 3, 1, 0, 0, 4, False)",
    "nn.BatchNorm2d(5)",
    "nn.BatchNorm1d(5, 1e-3, None, False)",
    "nn.BatchNorm3d(5, track_running_stats=False)",
    "nn.SyncBatchNorm(5)",
    "nn.InstanceNorm2d(5)",
    "nn.InstanceNorm1d(5, affine=True, track_running_stats=True)",
    "nn.LayerNorm(6)",
    "nn.LayerNorm((2, 6), elementwise_affine=False)",
    "nn.LayerNorm([2, 6], bias=False)",
    "nn.GroupNorm(2, 6)",
    "nn.GroupNorm(2, 6, affine=False)",
    "nn.RMSNorm(6)",
    "nn.LocalResponseNorm(2)",
    "nn.Embedding(10, 3, padding_idx=0)",
    "nn.EmbeddingBag(10, 3)",
    "nn.LSTM(3, 4, 2, bidirectional=True)",
    "nn.LSTM(3, 4, proj_size=2, num_layers=2)",
    "nn.GRU(3, 4, bias=False)",
    "nn.RNN(3, 4, 1, 'relu', False)",
    "nn.LSTMCell(3, 4)",
    "nn.GRUCell(3, 4, bias=False)",
    "nn.MultiheadAttention(8, 2)",
    "nn.MultiheadAttention(8, 2, kdim=4, vdim=6, add_bias_kv=True, bias=False)",
    "nn.TransformerEncoderLayer(8, 2, 16)",
    "nn.TransformerDecoderLayer(8, 2, bias=False)",
    "nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 3, nn.LayerNorm(8))",
    "nn.Transformer(8, 2, 1, 2, 16)",
    "nn.Dropout(0.3)",
    "nn.AlphaDropout()",
    "nn.PReLU(4)",
    "nn.GELU()",
    "nn.CrossEntropyLoss(label_smoothing=0.1)",
    "nn.MaxPool2d(2)",
    "nn.Upsample(scale_factor=2)",
    "nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))",
    "nn.Sequential(OrderedDict([('first', nn.Linear(2, 3)), ('last', nn.Linear(3, 1))]))",
    "nn.Sequential(*[nn.Linear(2, 2) for _ in range(3)])",
    "nn.ModuleList([nn.Linear(2, 3), nn.Dropout(0.1)])",
    "nn.ModuleDict({'a': nn.Linear(2, 3), 'b': nn.Identity()})",
    "nn.ParameterList([nn.Parameter(torch.zeros(2)) for _ in range(2)])",
    "nn.ParameterDict({'left': nn.Parameter(torch.zeros(2))})",
    "ops.Conv2dNormActivation(3, 8, 3, stride=2)",
    "ops.Conv2dNormActivation(3, 8, 1, norm_layer=None, activation_layer=None)",
    "ops.Conv2dNormActivation(3, 8, norm_layer=partial(nn.GroupNorm, 2), activation_layer=nn.SiLU)",
    "ops.MLP(4, [8, 2], norm_layer=nn.LayerNorm, dropout=0.2)",
    "ops.SqueezeExcitation(8, 2)",
    "ops.DeformConv2d(4, 6, 3, groups=2)",
    "ops.FrozenBatchNorm2d(4)",
    "ops.StochasticDepth(0.1, 'row')",
    "nn.utils.weight_norm(nn.Linear(2, 3))",
    "nn.utils.spectral_norm(nn.Linear(2, 3))",
    "nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 3, 1))",
    "nn.utils.parametrizations.spectral_norm(nn.Linear(2, 3))",
    "nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3)))",
    "nn.DataParallel(nn.Linear(2, 3))",
]


def made_by_torch(source: str) -> nn.Module:
    scope: dict[str, Any] = {}
    exec(SETUP, scope)
    with torch.device("meta"):
        made = eval(source, scope)
    assert isinstance(made, nn.Module)
    return made


def made_by_reader(source: str) -> Module:
    made = value_of(f"{SETUP}\nresult = {source}")
    assert isinstance(made, Module)
    return made


@pytest.mark.parametrize("source", LAYERS)
def test_a_layer_has_the_modules_and_parameters_that_torch_gives_it(source: str) -> None:
    real, read = made_by_torch(source), made_by_reader(source)
    assert [(path, module.class_name) for path, module in read.walk()] == [
        (path, type(module).__name__) for path, module in real.named_modules()
    ]
    expected = {
        name: (None if 0 in p.shape and "Lazy" in source else tuple(p.shape), p.requires_grad)
        for name, p in real.named_parameters()
    }
    found = {name: (p.dims or (2,), p.requires_grad) for name, p in read.own_and_below()}
    assert found == expected
    assert not read.is_open


@pytest.mark.parametrize("source", [source for source in LAYERS if "ParameterList" not in source])
def test_buffers_and_modes_are_those_of_torch(source: str) -> None:
    real, read = made_by_torch(source), made_by_reader(source)
    buffers = [
        f"{path}.{name}" if path else name for path, m in read.walk() for name, b in m.buffers.items() if b
    ]
    if "norm(" not in source:  # those of reparametrisations are of no interest
        assert buffers == [name for name, _ in real.named_buffers()]
    assert all(module.training for _, module in read.walk())


@pytest.mark.parametrize(
    ("source", "first"),
    [
        ("nn.LazyLinear(4)", (4, None)),
        ("nn.LazyConv2d(4, 3)", (4, None, 3, 3)),
        ("nn.LazyBatchNorm2d()", (None,)),
    ],
)
def test_lazy_layers_have_sizes_that_nobody_knows(source: str, first: tuple[int | None, ...]) -> None:
    made = made_by_reader(source)
    assert next(p for _, p in made.own_and_below()).dims == first
    assert not made.class_name.startswith("Lazy")


def test_sizes_that_depend_on_the_command_line_are_unknown_and_the_layer_is_not() -> None:
    module = made_by_reader("nn.Linear(int(input()), 4)")
    assert [p.dims for _, p in module.own_and_below()] == [(4, None), (4,)]


def test_a_list_of_unknown_length_leaves_the_container_open() -> None:
    assert made_by_reader("nn.ModuleList(input())").open
    assert made_by_reader("nn.Sequential(*input())").open


def test_a_class_of_torch_that_is_not_known_is_open() -> None:
    assert made_by_reader("nn.SomethingOfNextYear(3)").open


def test_layers_tell_their_sizes() -> None:
    machine = read_source(
        SETUP
        + """
layer = nn.Linear(3, 4)
again = nn.Linear(layer.in_features, layer.out_features * 2)
conv = nn.Conv2d(3, 8, 3)
channels = conv.out_channels
"""
    )
    scope = variables(machine)
    assert scope["channels"] == 8
    assert scope["again"].parameters["weight"].dims == (8, 3)


def test_norms_know_their_settings() -> None:
    norm = made_by_reader("nn.BatchNorm2d(4, momentum=0.01)").norm
    assert norm is not None
    assert (norm.has_statistics, norm.tracks, norm.momentum, norm.affine) == (True, True, 0.01, True)
    norm = made_by_reader("nn.BatchNorm2d(4, momentum=None, track_running_stats=False)").norm
    assert norm is not None
    assert (norm.has_statistics, norm.tracks, norm.momentum) == (False, False, None)
    norm = made_by_reader("nn.BatchNorm2d(4, momentum=float(input()))").norm
    assert norm is not None
    assert not norm.momentum_known


@pytest.mark.parametrize(
    ("source", "role"),
    [
        ("nn.BatchNorm2d(3)", "norm"),
        ("nn.LayerNorm(3)", "norm"),
        ("nn.Dropout(0.1)", "dropout"),
        ("ops.StochasticDepth(0.1, 'row')", "dropout"),
        ("nn.Embedding(3, 3)", "embedding"),
        ("nn.Linear(3, 3)", "plain"),
        ("nn.Sequential(nn.Linear(3, 3))", "container"),
        ("ops.FrozenBatchNorm2d(3)", "plain"),
    ],
)
def test_roles(source: str, role: str) -> None:
    assert made_by_reader(source).role == role


def test_an_embedding_from_stored_vectors_is_pretrained_and_frozen() -> None:
    weight = made_by_reader("nn.Embedding.from_pretrained(torch.zeros(5, 3))").parameters["weight"]
    assert weight is not None
    assert (weight.origin, weight.requires_grad) == ("pretrained", False)
    weight = made_by_reader("nn.Embedding.from_pretrained(torch.zeros(5, 3), freeze=False)").parameters[
        "weight"
    ]
    assert weight is not None
    assert (weight.origin, weight.requires_grad) == ("pretrained", True)


def test_layers_of_torch_are_fresh_and_parameters_of_the_script_come_from_anywhere() -> None:
    assert {p.origin for _, p in made_by_reader("nn.Linear(3, 3)").own_and_below()} == {"fresh"}
    assert value_of(f"{SETUP}\nresult = nn.Parameter(torch.zeros(3))").origin == "unknown"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("isinstance(nn.BatchNorm2d(3), nn.BatchNorm2d)", True),
        ("isinstance(nn.BatchNorm2d(3), nn.BatchNorm1d)", False),
        ("isinstance(nn.BatchNorm2d(3), nn.modules.batchnorm._BatchNorm)", True),
        ("isinstance(nn.BatchNorm2d(3), torch.nn.modules.batchnorm._NormBase)", True),
        ("isinstance(nn.LayerNorm(3), nn.modules.batchnorm._BatchNorm)", False),
        ("isinstance(nn.Linear(3, 3), (nn.Conv2d, nn.Linear))", True),
        ("isinstance(nn.Linear(3, 3), nn.Module)", True),
        ("isinstance(nn.ConvTranspose2d(3, 3, 3), nn.modules.conv._ConvNd)", True),
        ("isinstance(nn.Linear(3, 3).weight, nn.Parameter)", True),
        ("isinstance(nn.Linear(3, 3).weight, torch.Tensor)", True),
        ("isinstance(torch.zeros(3), nn.Parameter)", False),
        ("isinstance(nn.Sequential(), list)", False),
        ("isinstance(ops.FrozenBatchNorm2d(3), nn.BatchNorm2d)", False),
        ("isinstance(ops.MLP(3, [3]), nn.Sequential)", True),
    ],
)
def test_isinstance_knows_the_classes_of_torch(question: str, answer: bool) -> None:
    assert value_of(f"{SETUP}\nresult = {question}") is answer


def test_isinstance_knows_the_classes_of_the_script() -> None:
    scope = variables(
        read_source(
            SETUP
            + """
class Norm(nn.BatchNorm2d):
    pass
class Other(nn.Module):
    pass
norm = Norm(3)
answers = [isinstance(norm, Norm), isinstance(norm, nn.BatchNorm2d), isinstance(norm, Other)]
answers.append(isinstance(Other(), nn.Linear))
"""
        )
    )
    assert scope["answers"] == [True, True, False, False]
    assert scope["norm"].class_name == "Norm"
    assert [(name, p.dims) for name, p in scope["norm"].own_and_below()] == [("weight", (3,)), ("bias", (3,))]
