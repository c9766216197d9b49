"""`torch.nn.init`, and weights that are loaded once training is over."""

from __future__ import annotations

from freezelint.source.interpreter.values import Module
from tests.source.reading import read_source, variables


def origins(text: str) -> dict[str, str]:
    """The origin of each parameter of `model` after this source."""
    header = "import torch\nfrom torch import nn\nfrom torchvision.models import resnet18\n"
    model = variables(read_source(header + text))["model"]
    assert isinstance(model, Module)
    return {path: parameter.origin for path, parameter in model.own_and_below()}


def test_a_head_that_is_filled_anew_is_fresh() -> None:
    found = origins(
        "model = resnet18(weights='DEFAULT')\n"
        "nn.init.xavier_uniform_(model.fc.weight)\n"
        "nn.init.zeros_(model.fc.bias.data)\n"
        "nn.init.ones_(model.conv1.weight[0])\n"
    )
    assert [path for path, origin in found.items() if origin == "fresh"] == ["fc.weight", "fc.bias"]


def test_layers_chosen_by_what_nobody_knows() -> None:
    found = origins(
        "model = resnet18(weights='DEFAULT')\nif unknown():\n    nn.init.normal_(model.fc.weight)\n"
    )
    assert found["fc.weight"] == "unknown"


def test_weights_that_are_loaded_are_pretrained() -> None:
    found = origins("model = nn.Linear(2, 2)\nmodel.load_state_dict(torch.load('weights.pt'))\n")
    assert set(found.values()) == {"pretrained"}


def test_weights_restored_after_training_tell_nothing_of_how_it_began() -> None:
    found = origins(
        "model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))\n"
        "model[0].requires_grad_(False)\n"
        "optimizer = torch.optim.SGD(model[1].parameters(), lr=0.1)\n"
        "for batch in loader:\n"
        "    model(batch).sum().backward()\n"
        "    optimizer.step()\n"
        "model.load_state_dict(torch.load('best.pt'))\n"
    )
    assert found == {"0.weight": "pretrained", "0.bias": "pretrained", "1.weight": "fresh", "1.bias": "fresh"}
