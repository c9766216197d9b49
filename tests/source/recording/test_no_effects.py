"""Attributes and keywords that look like `requires_grad`, on what is not known: FRZ501 and FRZ502."""

import textwrap

import pytest

from tests.source.reading import codes, found_in


def found(text: str) -> list[str]:
    return codes(found_in(textwrap.dedent(text)))


# --- silent: it may be anything ---


@pytest.mark.parametrize(
    "text",
    [
        "def freeze(block):\n    block.requires_grad = False",
        "def freeze(settings):\n    settings.require_grad = False",
        "class Log:\n    pass\nlog = Log()\nlog.require_grad = False",
        "def freeze(model):\n    for p in model.parameters():\n        p.requires_grad = False",
        "def freeze(model):\n    for p in model.parameters():\n        p.regularised = False",
        "def build(make):\n    return make(require_grad=False)",
        "import torch\ntorch.Tensor._make_subclass(torch.Tensor, torch.ones(2), require_grad=False)",
    ],
)
def test_silent_for_what_may_be_anything(text: str) -> None:
    assert not found(text)


def test_silent_where_the_function_sets_the_flags_too() -> None:
    assert not found("""
        def freeze(model):
            for child in model.children():
                child.requires_grad = False
                for p in child.parameters():
                    p.requires_grad = False
    """)


# --- modules ---


@pytest.mark.parametrize(
    "text",
    [
        "def freeze(model):\n    for child in model.children():\n        child.requires_grad = False",
        "def freeze(model):\n    for name, m in model.named_modules():\n        m.requires_grad = False",
        "from torch import nn\ndef freeze(model: nn.Module):\n    model.requires_grad = False",
    ],
)
def test_a_flag_on_what_can_only_be_a_module(text: str) -> None:
    (finding,) = found_in(text)
    assert finding.code == "FRZ501"
    assert "its parameters stay trainable; call `requires_grad_(False)`" in finding.message


# --- misspellings ---


@pytest.mark.parametrize(
    "text",
    [
        "def freeze(model):\n    for p in model.parameters():\n        p.require_grad = False",
        "def freeze(model):\n    for p in model.parameters():\n        setattr(p, 'require_grad', False)",
        "from torch import nn\ndef freeze(p: nn.Parameter):\n    p.require_grad = False",
        "import torch\nx = torch.zeros(3)\nx.require_grad = True",
        "import torch\nx = torch.zeros(3, require_grad=True)",
        "import torch\nfrom torch import nn\nw = nn.Parameter(torch.zeros(3), require_grad=False)",
    ],
)
def test_a_misspelling(text: str) -> None:
    assert found(text) == ["FRZ502"]
