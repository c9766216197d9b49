"""The knowledge base of known architectures: what it does not know, what it tells, and that it is right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
import torchvision
import transformers
from torch import nn

from freezelint.live import inventory
from freezelint.source import architectures
from freezelint.source.architectures import Architecture, Node, module_paths, parameter_paths

VISION = [
    "resnet50",
    "vit_b_16",
    "efficientnet_b0",
    "inception_v3",
    "deeplabv3_resnet50",
    "ssdlite320_mobilenet_v3_large",
]
TIMM = [
    "resnet50",
    "vit_base_patch16_224",
    "swin_tiny_patch4_window7_224",
    "convnext_tiny",
    "efficientnet_b0",
]
TRANSFORMERS = [
    ("bert", "BertForSequenceClassification"),
    ("bert", "BertForMaskedLM"),
    ("distilbert", "DistilBertForTokenClassification"),
    ("gpt2", "GPT2LMHeadModel"),
    ("t5", "T5ForConditionalGeneration"),
    ("vit", "ViTForImageClassification"),
    ("wav2vec2", "Wav2Vec2ForCTC"),
    ("clip", "CLIPModel"),
]


def known(architecture: Architecture | None) -> Architecture:
    assert architecture is not None
    return architecture


# What it does not know.


@pytest.mark.parametrize(
    "name", ["", "resnet", "resnet50.a1_in1k", "quantized_resnet18", "RESNET50", "../resnet50"]
)
def test_torchvision_knows_exact_names_only(name: str) -> None:
    assert architectures.torchvision(name) is None


@pytest.mark.parametrize("name", ["", "my_resnet", "hf-hub:me/resnet50", ".a1_in1k"])
def test_timm_knows_exact_names_only(name: str) -> None:
    assert architectures.timm(name) is None


@pytest.mark.parametrize(
    "name", ["", "someone/bert-finetuned-x", "./my-roberta", "bert-base-uncased-2", "auto"]
)
def test_nothing_is_guessed_from_the_look_of_a_hub_id(name: str) -> None:
    assert architectures.transformers(name, "ForSequenceClassification") is None


def test_a_task_that_a_type_does_not_have() -> None:
    assert architectures.transformers("bert-base-uncased", "ForObjectDetection") is None
    assert architectures.transformers("bert-base-uncased", "ForEverything") is None
    assert architectures.transformers("bert-base-uncased", "RobertaForMaskedLM") is None


def test_classes_that_are_no_models() -> None:
    assert architectures.transformers_class("BertTokenizer") is None
    assert architectures.auto_task("AutoTokenizer") is None


def test_a_copy_under_another_account_may_hold_another_head() -> None:
    copy = known(architectures.transformers("someone/bert-base-uncased", "ForSequenceClassification"))
    assert copy.pretrained_head is None
    local = known(architectures.transformers("./models/bert-base-uncased", "ForSequenceClassification"))
    assert local.pretrained_head is None


def test_a_type_alone_says_nothing_about_stored_weights() -> None:
    assert known(architectures.transformers("bert", "ForSequenceClassification")).pretrained_head is None


# What it tells.


def test_a_tag_of_timm_may_change_the_number_of_classes() -> None:
    assert known(architectures.timm("vit_base_patch16_224")).classes == 1000
    assert known(architectures.timm("vit_base_patch16_224.augreg_in21k")).classes == 21843
    assert known(architectures.timm("timm/vit_base_patch16_224.augreg_in1k")).classes == 1000
    assert known(architectures.timm("vit_base_patch16_224.of_next_year")).classes == 1000


def test_timm_without_a_head() -> None:
    bare = known(architectures.timm("resnet50", classes=0))
    assert known_node(bare, "fc").class_name == "Identity"
    assert bare.head == ()
    assert known(architectures.timm("vit_base_patch14_dinov2")).head == ()
    assert known(architectures.timm("vit_base_patch14_dinov2", classes=5)).head == ("head",)


def known_node(architecture: Architecture, path: str) -> Node:
    node = architecture.root.at(path)
    assert node is not None
    return node


def test_heads_follow_the_number_of_classes() -> None:
    resnet = known(architectures.torchvision("resnet18", classes=3))
    assert known_node(resnet, "fc").parameters == (("weight", (3, 512), True), ("bias", (3,), True))
    assert known_node(resnet, "fc").attribute("out_features") == 3
    detector = known(architectures.torchvision("fasterrcnn_resnet50_fpn", classes=3))
    assert known_node(detector, "roi_heads.box_predictor.bbox_pred").attribute("out_features") == 12
    bert = known(architectures.transformers("bert-base-uncased", "ForSequenceClassification", labels=7))
    assert known_node(bert, "classifier").attribute("out_features") == 7
    assert bert.root.attribute("num_labels") == 7


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("resnet50", ("fc",)),
        ("vgg16", ("classifier.6",)),
        ("densenet121", ("classifier",)),
        ("efficientnet_b0", ("classifier.1",)),
        ("vit_b_16", ("heads.head",)),
        ("swin_t", ("head",)),
        ("inception_v3", ("AuxLogits.fc", "fc")),
        ("fasterrcnn_resnet50_fpn", ("roi_heads.box_predictor",)),
        ("deeplabv3_resnet50", ("classifier.4",)),
    ],
)
def test_heads_of_torchvision(name: str, head: tuple[str, ...]) -> None:
    assert known(architectures.torchvision(name)).head == head


def test_what_is_pretrained_decides_about_the_parts() -> None:
    fresh = known(architectures.torchvision("fasterrcnn_resnet50_fpn"))
    backbone = known(architectures.torchvision("fasterrcnn_resnet50_fpn", pretrained="backbone"))
    assert known_node(fresh, "backbone.body.bn1").class_name == "BatchNorm2d"
    assert known_node(backbone, "backbone.body.bn1").class_name == "FrozenBatchNorm2d"
    assert known_node(backbone, "backbone.body.conv1").parameters[0][2] is False
    assert backbone.head == ("backbone.fpn", "rpn.head", "roi_heads")
    assert known(architectures.torchvision("googlenet", pretrained="all")).root.child("aux1") is None


@pytest.mark.parametrize(
    ("name", "task", "head", "complete"),
    [
        ("bert-base-uncased", "", (), True),
        ("google-bert/bert-base-uncased", "ForSequenceClassification", ("classifier",), False),
        ("bert-base-uncased", "ForMaskedLM", (), True),
        ("distilbert-base-uncased", "ForSequenceClassification", ("pre_classifier", "classifier"), False),
        ("distilbert-base-uncased-finetuned-sst-2-english", "ForSequenceClassification", (), True),
        ("roberta-base", "ForTokenClassification", ("classifier",), False),
        ("deepset/roberta-base-squad2", "ForQuestionAnswering", (), True),
        ("gpt2", "ForSequenceClassification", ("score",), False),
        ("gpt2", "LMHeadModel", (), True),
        ("facebook/bart-base", "ForConditionalGeneration", (), True),
        ("google/vit-base-patch16-224", "ForImageClassification", (), True),
        ("google/vit-base-patch16-224-in21k", "ForImageClassification", ("classifier",), False),
        ("facebook/wav2vec2-base", "ForCTC", ("lm_head",), False),
        ("facebook/wav2vec2-base-960h", "ForCTC", (), True),
        ("meta-llama/Llama-2-7b-hf", "ForCausalLM", (), True),
    ],
)
def test_what_a_checkpoint_lacks(name: str, task: str, head: tuple[str, ...], complete: bool) -> None:
    found = known(architectures.transformers(name, task))
    assert found.head == head
    assert found.pretrained_head is complete


def test_another_number_of_labels_makes_a_trained_head_fresh() -> None:
    found = known(
        architectures.transformers("google/vit-base-patch16-224", "ForImageClassification", labels=10)
    )
    assert found.head == ("classifier",)
    assert found.pretrained_head is False


def test_names_of_tasks_and_classes() -> None:
    assert architectures.transformers_class("BertForSequenceClassification") == (
        "bert",
        "ForSequenceClassification",
    )
    assert architectures.transformers_class("GPT2LMHeadModel") == ("gpt2", "LMHeadModel")
    assert architectures.transformers_class("T5ForConditionalGeneration") == (
        "t5",
        "ForConditionalGeneration",
    )
    assert architectures.transformers_class("BertModel") == ("bert", "")
    assert architectures.auto_task("AutoModelForSequenceClassification") == "ForSequenceClassification"
    assert architectures.auto_task("AutoModel") == ""
    by_task = [
        known(architectures.transformers("gpt2", task)).root.class_name
        for task in ("ForCausalLM", "LMHeadModel", "GPT2LMHeadModel")
    ]
    assert by_task == ["GPT2LMHeadModel"] * 3
    assert known(architectures.transformers("BertForMaskedLM")).root.class_name == "BertForMaskedLM"


def test_sizes_of_hub_ids() -> None:
    large = known(architectures.transformers("bert-large-uncased", ""))
    assert large.root.attribute("hidden_size") == 1024
    assert large.root.attribute("num_hidden_layers") == 24
    assert large.root.at("encoder.layer.23") is not None


def test_layers_that_are_alike_are_one_node() -> None:
    bert = known(architectures.transformers("bert-base-uncased", ""))
    assert known_node(bert, "encoder.layer.0") is known_node(bert, "encoder.layer.11")


def test_the_order_of_calls() -> None:
    # It looks for the end of a text in the numbers, and is too large to be run with numbers.
    unknown = known(architectures.transformers("t5-large", "ForSequenceClassification"))
    assert unknown.calls == ()
    resnet = known(architectures.torchvision("resnet18"))
    assert resnet.calls[0] == "conv1"
    assert resnet.calls[-1] == "fc"
    googlenet = known(architectures.torchvision("googlenet")).calls
    assert googlenet.index("aux1.conv.conv") < googlenet.index("inception4b.branch1.conv"), (
        "defined last, runs early"
    )


def test_what_no_gradient_reaches() -> None:
    assert known(architectures.transformers("bert-base-uncased", "ForSequenceClassification")).unused == ()
    # Global attention runs only where a task asks for it: not known to be unused.
    assert known(architectures.transformers("allenai/longformer-base-4096", "")).unused == ()
    pooled = known(architectures.transformers("google/bigbird-roberta-base", "ForTokenClassification"))
    assert pooled.unused == ("bert.pooler",)


# That it is right: the sample below is compared with the libraries, part for part.


@pytest.mark.parametrize("name", VISION)
def test_torchvision_as_installed(name: str) -> None:
    backbone = {"weights_backbone": None} if "deeplab" in name or "ssd" in name else {}
    with torch.device("meta"):
        model = torchvision.models.get_model(name, weights=None, **backbone)
    assert_same(known(architectures.torchvision(name)), model)


@pytest.mark.parametrize("name", TIMM)
def test_timm_as_installed(name: str) -> None:
    with torch.device("meta"):
        model = timm.create_model(name)
    assert_same(known(architectures.timm(name)), model)


@pytest.mark.parametrize(("model_type", "class_name"), TRANSFORMERS)
def test_transformers_as_installed(model_type: str, class_name: str) -> None:
    with torch.device("meta"):
        model = getattr(transformers, class_name)(transformers.AutoConfig.for_model(model_type))
    assert_same(known(architectures.transformers(model_type, class_name)), model)


def assert_same(architecture: Architecture, model: nn.Module) -> None:
    nodes = dict(module_paths(architecture))
    modules = dict(model.named_modules())
    assert list(nodes) == list(modules)
    for path, module in modules.items():
        node = nodes[path]
        assert told(node) == seen(module), path
        assert node.dropout == pytest.approx(inventory.dropout_of(module), abs=1e-6), path
    stored = [(name, tuple(p.shape), p.requires_grad) for name, p in model.named_parameters()]
    assert list(parameter_paths(architecture)) == stored


def told(node: Node) -> tuple[object, ...]:
    norm = node.norm and (node.norm.has_statistics, node.norm.tracks, node.norm.momentum, node.norm.affine)
    return (node.class_name, node.library, node.role, node.overrides_train, norm)


def seen(module: nn.Module) -> tuple[object, ...]:
    norm = inventory.norm_of(module, None, None)
    settings = norm and (norm.has_statistics, norm.tracks, norm.momentum, norm.affine)
    library, role = inventory.library_of(module), inventory.role_of(module)
    return (type(module).__name__, library, role, inventory.overrides_train(module), settings)


def test_every_architecture_can_be_read() -> None:
    for name in architectures.names("torchvision"):
        assert known(architectures.torchvision(name)).root.class_name
    for name in architectures.names("timm"):
        assert known(architectures.timm(name)).root.class_name
    for name in architectures.names("transformers"):
        found = known(architectures.transformers(name, ""))
        assert found.root.library in ("transformers", "torch"), name


def test_coverage() -> None:
    classification = torchvision.models.list_models()
    assert set(architectures.names("torchvision")) == {
        n for n in classification if not n.startswith("quantized_")
    }
    assert len(architectures.names("timm")) > 400
    assert len(architectures.names("transformers")) > 300


def test_the_files_are_small() -> None:
    files = Path(architectures.__file__).parent.glob("*.bin")
    assert sum(file.stat().st_size for file in files) < 1_000_000


def test_reading_needs_no_library() -> None:
    probe = (
        "import sys; from freezelint.source import architectures as a; a.torchvision('resnet50');"
        "heavy = {'torch', 'torchvision', 'timm', 'transformers', 'numpy'};"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
