"""Models of torchvision, timm and transformers: trees from the knowledge base, weights as the script asks."""

from __future__ import annotations

import pytest

from freezelint.source.interpreter.values import Module
from tests.source.reading import read_source, value_of, variables


def built(source: str, imports: str = "import torchvision.models as models") -> Module:
    module = value_of(f"{imports}\nresult = {source}")
    assert isinstance(module, Module)
    return module


def origins(module: Module) -> set[str]:
    return {parameter.origin for _, parameter in module.own_and_below()}


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ("models.resnet18()", "fresh"),
        ("models.resnet18(weights=None)", "fresh"),
        ("models.resnet18(pretrained=False)", "fresh"),
        ("models.resnet18(weights='DEFAULT')", "pretrained"),
        ("models.resnet18(True)", "pretrained"),
        ("models.resnet18(weights=models.ResNet18_Weights.IMAGENET1K_V1)", "pretrained"),
        ("models.__dict__['resnet18'](pretrained=True)", "pretrained"),
        ("getattr(models, 'resnet18')(pretrained=True)", "pretrained"),
        ("models.get_model('resnet18', weights='DEFAULT')", "pretrained"),
    ],
)
def test_weights_are_as_asked(source: str, origin: str) -> None:
    module = built(source)
    assert origins(module) == {origin}
    assert "layer4.1.bn2.weight" in dict(module.own_and_below())


def test_the_head_has_the_classes_that_are_asked_for() -> None:
    head = built("models.resnet18(num_classes=7)").children["fc"]
    assert head is not None
    assert head.parameters["weight"].dims == (7, 512)  # type: ignore[union-attr]


def test_a_detector_freezes_the_first_layers_of_a_pretrained_backbone() -> None:
    module = built("models.detection.fasterrcnn_resnet50_fpn(weights='DEFAULT')")
    flags = dict(module.own_and_below())
    assert flags["backbone.body.conv1.weight"].requires_grad is False
    assert flags["backbone.body.layer4.0.conv1.weight"].requires_grad is True


def test_an_architecture_that_nobody_knows_is_open() -> None:
    assert built("models.resnet18_of_tomorrow(pretrained=True)").is_open


def test_a_local_function_of_the_same_name_is_none_of_torchvision() -> None:
    assert value_of("def resnet18(pretrained):\n    return 5\nresult = resnet18(pretrained=True)") == 5


def test_timm_makes_the_head_fresh_for_other_classes() -> None:
    module = built("timm.create_model('resnet50', pretrained=True, num_classes=3)", "import timm")
    flags = {path: parameter.origin for path, parameter in module.own_and_below()}
    assert flags["fc.weight"] == "fresh"
    assert flags["conv1.weight"] == "pretrained"


def test_transformers_makes_a_task_head_fresh_and_returns_in_eval_mode() -> None:
    name = "AutoModelForSequenceClassification"
    module = built(
        f"{name}.from_pretrained('bert-base-uncased', num_labels=3)", f"from transformers import {name}"
    )
    flags = {path: parameter.origin for path, parameter in module.own_and_below()}
    assert flags["classifier.weight"] == "fresh"
    assert flags["bert.encoder.layer.11.output.dense.weight"] == "pretrained"
    assert module.training is False


def test_a_hub_id_that_nobody_knows_gives_an_open_model() -> None:
    module = built("AutoModel.from_pretrained('somebody/something')", "from transformers import AutoModel")
    assert module.is_open


def test_a_class_of_the_script_around_a_known_model_is_read() -> None:
    module = value_of("""
        from torch import nn
        from transformers import BertModel, BertPreTrainedModel
        class Classifier(BertPreTrainedModel):
            def __init__(self, config):
                super().__init__(config)
                self.bert = BertModel(config)
                self.out = nn.Linear(config.hidden_size, 2)
        result = Classifier.from_pretrained("bert-base-uncased")
    """)
    flags = {path: parameter.origin for path, parameter in module.own_and_below()}
    assert flags["out.weight"] == "fresh"
    assert flags["bert.embeddings.word_embeddings.weight"] == "pretrained"


@pytest.mark.parametrize(
    "name", ["resnet50", "inception_resnet_v2", "efficientnet_b0", "vit_tiny_patch16_224"]
)
def test_timm_knows_the_classifier_of_its_models(name: str) -> None:
    """Also under a name of its own: `classif` of the Inception-ResNet."""
    text = f"import timm\nmodel = timm.create_model('{name}', num_classes=3)\nhead = model.get_classifier()"
    found = variables(read_source(text))["head"]
    assert isinstance(found, Module)
    assert [parameter.dims[0] for parameter in found.parameters.values() if parameter] == [3, 3]
