"""Models of transformers: other configurations, folders of the script's own, parts by name.

Trees, and what loading leaves fresh, are compared with the installed library.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from freezelint.source.interpreter.values import Module, Unknown
from tests.source.reading import codes, found_in, read_source, value_of, variables

TINY = {
    "Bert": "vocab_size=64, hidden_size=16, num_hidden_layers=3, num_attention_heads=2",
    "Roberta": "vocab_size=64, hidden_size=16, num_hidden_layers=14, num_attention_heads=2",
    "DistilBert": "vocab_size=64, dim=16, n_layers=2, n_heads=2, hidden_dim=32",
    "GPT2": "vocab_size=64, n_embd=16, n_layer=2, n_head=2, n_positions=32",
    "T5": "vocab_size=64, d_model=16, num_layers=2, num_heads=2, d_kv=8, d_ff=32",
    "Bart": "vocab_size=64, d_model=16, encoder_layers=2, decoder_layers=3, encoder_attention_heads=2, "
    "decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32",
    "ViT": "hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=32",
    "ResNet": "embedding_size=8, hidden_sizes=[8, 16], depths=[1, 2], layer_type='basic'",
    "ConvNext": "hidden_sizes=[8, 16, 24], depths=[1, 2, 1], num_stages=3",
    "Electra": "vocab_size=64, num_hidden_layers=2",
    "Albert": "vocab_size=64, num_hidden_layers=4, hidden_size=16, num_attention_heads=2",
}
TASKS = [
    ("Bert", "ForSequenceClassification"),
    ("Bert", "ForTokenClassification"),
    ("Bert", "ForMaskedLM"),
    ("Roberta", "ForSequenceClassification"),
    ("Roberta", "ForQuestionAnswering"),
    ("DistilBert", "ForSequenceClassification"),
    ("DistilBert", "ForTokenClassification"),
    ("GPT2", "LMHeadModel"),
    ("GPT2", "ForSequenceClassification"),
    ("T5", "ForConditionalGeneration"),
    ("Bart", "ForConditionalGeneration"),
    ("ViT", "ForImageClassification"),
    ("ResNet", "ForImageClassification"),
    ("ResNet", "Model"),
    ("ConvNext", "ForImageClassification"),
    ("Electra", "ForSequenceClassification"),
    ("Albert", "ForSequenceClassification"),
]


def module_of(text: str, name: str = "result") -> Module:
    module = value_of(text, name)
    assert isinstance(module, Module)
    return module


def origins(module: Module) -> dict[str, str]:
    return {path: parameter.origin for path, parameter in module.own_and_below()}


def fresh(module: Module) -> set[str]:
    return {path for path, origin in origins(module).items() if origin == "fresh"}


def real_configuration(family: str) -> Any:
    """The configuration of the installed library."""
    arguments = ast.parse(f"dict({TINY[family]})", mode="eval").body
    assert isinstance(arguments, ast.Call)
    settings = {str(one.arg): ast.literal_eval(one.value) for one in arguments.keywords}
    return getattr(transformers, f"{family}Config")(**settings)


# What is not known is open.


@pytest.mark.parametrize(
    "config",
    [
        "BertConfig(num_hidden_layers=int(sys.argv[1]))",
        "BertConfig(add_cross_attention=True, is_decoder=True)",
        "BertConfig(**settings_of_somebody())",
        "BertConfig(something_with_layers=3)",
        "SwinConfig(num_hidden_layers=3)",
        "ResNetConfig(depths=None, hidden_sizes=3)",
        "ResNetConfig(depths=[1, 2, 3])",
        "ElectraConfig(hidden_size=128)",
        "OPTConfig(hidden_size=384)",
        "SomethingConfig()",
    ],
)
def test_a_structure_that_nobody_knows(config: str) -> None:
    model = config.partition("Config")[0] + "Model"
    names = f"BertConfig, ElectraConfig, OPTConfig, ResNetConfig, SomethingConfig, SwinConfig, {model}"
    assert module_of(f"import sys\nfrom transformers import {names}\nresult = {model}({config})").is_open


def test_of_an_unknown_number_of_layers_only_these_are_open() -> None:
    model = module_of(
        "import sys\nfrom transformers import BertConfig, BertModel\n"
        "result = BertModel(BertConfig(num_hidden_layers=int(sys.argv[1])))"
    )
    assert "embeddings.word_embeddings.weight" in origins(model)
    assert [path for path, module in model.walk() if module.open] == ["encoder.layer"]


def test_a_folder_that_the_script_has_not_filled() -> None:
    text = """
        from transformers import BertConfig, BertModel
        BertModel(BertConfig(num_hidden_layers=2)).save_pretrained("here")
        result = BertModel.from_pretrained("there")
    """
    assert module_of(text).is_open


def test_two_folders_are_not_mixed_up() -> None:
    found = variables(
        read_source("""
        import tempfile
        from pathlib import Path
        from transformers import BertConfig, BertModel
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            BertModel(BertConfig(num_hidden_layers=1)).save_pretrained(one)
            BertModel(BertConfig(num_hidden_layers=2)).save_pretrained(other)
            small, large = BertModel.from_pretrained(one), BertModel.from_pretrained(other)
        place = Path("runs") / "best"
        BertModel(BertConfig(num_hidden_layers=3)).save_pretrained(place)
        third = BertModel.from_pretrained(place)
    """)
    )
    depths = [
        len(found[name].children["encoder"].children["layer"].children)
        for name in ("small", "large", "third")
    ]
    assert depths == [1, 2, 3]


def test_rates_of_dropout_that_are_given_are_not_guessed() -> None:
    model = module_of(
        "from transformers import BertConfig, BertModel\n"
        "result = BertModel(BertConfig(hidden_dropout_prob=0.0))"
    )
    assert {module.dropout for _, module in model.walk()} == {None}
    assert not model.is_open


def test_sizes_that_change_leave_shapes_unknown() -> None:
    model = module_of(
        "from transformers import BertConfig, BertForSequenceClassification\n"
        "result = BertForSequenceClassification(BertConfig(hidden_size=16, num_labels=5))"
    )
    shapes = {path: parameter.dims for path, parameter in model.own_and_below()}
    assert shapes["bert.pooler.dense.weight"] == (None, None)
    assert shapes["classifier.weight"] == (5, None)


PEFT = """
import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from transformers import AutoModelForSequenceClassification
model = AutoModelForSequenceClassification.from_pretrained("roberta-base", num_labels=3)
model = prepare_model_for_kbit_training(model)
model = get_peft_model(model, LoraConfig(r=8, target_modules=["query", "value"]))
model.print_trainable_parameters()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
model.train()
for batch in torch.utils.data.DataLoader([]):
    optimizer.zero_grad()
    model(**batch).loss.backward()
    optimizer.step()
"""


def test_nothing_is_said_of_a_model_that_peft_has_changed() -> None:
    assert codes(found_in(PEFT)) == []


# The installed library is right.


@pytest.mark.parametrize(("family", "task"), TASKS)
def test_trees_are_those_of_the_library(family: str, task: str) -> None:
    cls = f"{family}{task}"
    with torch.device("meta"):
        real = getattr(transformers, cls)(real_configuration(family))
    read = module_of(
        f"from transformers import {family}Config, {cls}\nresult = {cls}({family}Config({TINY[family]}))"
    )
    assert not read.is_open
    assert list(origins(read)) == [name for name, _ in real.named_parameters()]
    for name, parameter in real.named_parameters():
        shape = dict(read.own_and_below())[name].dims
        assert all(size in (None, true) for size, true in zip(shape, parameter.shape, strict=True))
    assert set(origins(read).values()) == {"fresh"}


@pytest.mark.parametrize(("family", "task"), TASKS)
def test_what_loading_leaves_fresh_is_what_the_library_misses(family: str, task: str, tmp_path: Path) -> None:
    cls, base = f"{family}{task}", f"{family}Model"
    getattr(transformers, base)(real_configuration(family)).save_pretrained(tmp_path)
    real, told = getattr(transformers, cls).from_pretrained(tmp_path, output_loading_info=True)
    read = module_of(f"""
        import tempfile
        from transformers import {base}, {cls}, {family}Config
        with tempfile.TemporaryDirectory() as folder:
            {base}({family}Config({TINY[family]})).save_pretrained(folder)
            result = {cls}.from_pretrained(folder)
    """)
    assert not read.is_open
    assert fresh(read) == set(told["missing_keys"]) & {name for name, _ in real.named_parameters()}
    assert set(origins(read).values()) <= {"fresh", "pretrained"}
    assert read.training is real.training is False


def test_a_bare_model_from_one_for_a_task() -> None:
    text = """
        from transformers import BertConfig, BertForMaskedLM, BertModel
        BertForMaskedLM(BertConfig(num_hidden_layers=2)).save_pretrained("there")
        result = BertModel.from_pretrained("there/")
    """
    assert fresh(module_of(text)) == {"pooler.dense.weight", "pooler.dense.bias"}


def test_another_number_of_labels_makes_the_saved_head_fresh() -> None:
    text = """
        from transformers import BertConfig, BertForSequenceClassification as Classifier
        Classifier(BertConfig(num_hidden_layers=2, num_labels=3)).save_pretrained("there")
        same = Classifier.from_pretrained("there")
        other = Classifier.from_pretrained("there", num_labels=4, ignore_mismatched_sizes=True)
    """
    found = variables(read_source(text))
    assert fresh(found["same"]) == set()
    assert fresh(found["other"]) == {"classifier.weight", "classifier.bias"}


# Hub ids under another configuration.

HUB = "from transformers import AutoConfig, AutoModel, BertModel\nID = 'bert-base-uncased'\n"


def test_fewer_layers_of_a_checkpoint_are_pretrained() -> None:
    for text in (
        "config = AutoConfig.from_pretrained(ID)\nconfig.num_hidden_layers = 6\n"
        "result = BertModel.from_pretrained(ID, config=config)",
        "result = AutoModel.from_pretrained(ID, num_hidden_layers=6)",
    ):
        model = module_of(HUB + text)
        assert len({path.split(".")[2] for path in origins(model) if path.startswith("encoder")}) == 6
        assert set(origins(model).values()) == {"pretrained"}


def test_more_layers_than_a_checkpoint_has_are_fresh() -> None:
    model = module_of(HUB + "result = AutoModel.from_pretrained(ID, num_hidden_layers=13)")
    assert {".".join(path.split(".")[:3]) for path in fresh(model)} == {"encoder.layer.12"}


def test_from_a_configuration_everything_is_fresh() -> None:
    model = module_of(HUB + "result = AutoModel.from_config(AutoConfig.from_pretrained(ID))")
    assert set(origins(model).values()) == {"fresh"}
    assert model.training is True


def test_other_labels_than_a_published_classifier_make_its_head_fresh() -> None:
    name = "ViTForImageClassification"
    model = module_of(
        f"from transformers import {name}\nmine = dict(num_labels=7, ignore_mismatched_sizes=True)\n"
        f"result = {name}.from_pretrained('google/vit-base-patch16-224', **mine)"
    )
    assert fresh(model) == {"classifier.weight", "classifier.bias"}


@pytest.mark.parametrize(
    "given", ["num_labels=3", "id2label={0: 'a', 1: 'b', 2: 'c'}", "label2id=dict(a=0, b=1, c=2)"]
)
def test_labels_by_number_or_by_name(given: str) -> None:
    name = "AutoModelForSequenceClassification"
    model = module_of(
        f"from transformers import {name}\nresult = {name}.from_pretrained('bert-base-uncased', {given})"
    )
    assert dict(model.own_and_below())["classifier.weight"].dims == (3, 768)


def test_without_a_pooler() -> None:
    model = module_of(HUB + "result = BertModel.from_pretrained(ID, add_pooling_layer=False)")
    assert not any("pooler" in path for path in origins(model))


# What scripts do with them.


def test_parts_by_name() -> None:
    found = variables(
        read_source("""
        from transformers import AutoModelForSequenceClassification
        labels = ["a", "b", "c"]
        model = AutoModelForSequenceClassification.from_pretrained("roberta-base", num_labels=len(labels))
        body = model.roberta
        base = model.base_model
        named = getattr(model, model.base_model_prefix)
        words = model.get_input_embeddings()
        lower = model.roberta.encoder.layer[:6]
        width, kind = model.config.hidden_size, model.config.model_type
        outputs = model.classifier.out_proj.out_features
        model.gradient_checkpointing_enable()
    """)
    )
    assert found["body"] is found["base"] is found["named"]
    assert found["words"] is found["body"].children["embeddings"].children["word_embeddings"]
    assert len(found["lower"].children) == 6
    assert (found["width"], found["kind"], found["outputs"]) == (768, "roberta", 3)


def test_a_class_of_the_script_over_a_smaller_configuration() -> None:
    found = variables(
        read_source("""
        from torch import nn
        from transformers import BertConfig, BertModel, BertPreTrainedModel
        class Tagger(BertPreTrainedModel):
            def __init__(self, config, extra=2):
                super().__init__(config)
                self.bert = BertModel(config)
                self.out = nn.Linear(config.hidden_size + extra, config.num_labels)
                self.post_init()
            def _init_weights(self, module):
                pass
        BertModel(BertConfig(num_hidden_layers=2, hidden_size=16)).save_pretrained("there")
        result = Tagger.from_pretrained("there", extra=4, num_labels=5)
        part = result.base_model
    """)
    )
    assert fresh(found["result"]) == {"out.weight", "out.bias"}
    assert len(origins(found["result"])) == 41
    assert found["result"].children["out"].parameters["weight"].dims == (5, 20)
    assert found["part"] is found["result"].children["bert"]


def test_speech_models_freeze_their_features_by_a_method() -> None:
    model = module_of(
        "from transformers import Wav2Vec2ForCTC\n"
        "result = Wav2Vec2ForCTC.from_pretrained('facebook/wav2vec2-base')\nresult.freeze_feature_encoder()"
    )
    frozen = {path.split(".")[1] for path, one in model.own_and_below() if one.requires_grad is False}
    assert frozen == {"feature_extractor"}


def test_of_an_encoder_with_a_decoder_the_encoder_is_known() -> None:
    model = module_of(
        "from transformers import EncoderDecoderModel\n"
        "result = EncoderDecoderModel.from_encoder_decoder_pretrained('bert-base-uncased', 'gpt2')"
    )
    assert model.open
    assert set(origins(model).values()) == {"pretrained"}
    assert {path.partition(".")[0] for path in origins(model)} == {"encoder"}


def test_the_number_of_labels_may_be_unknown() -> None:
    found = variables(
        read_source("""
        import sys
        from transformers import AutoModelForSequenceClassification as Auto
        model = Auto.from_pretrained("bert-base-uncased", num_labels=int(sys.argv[1]))
        shape = model.classifier.out_features
    """)
    )
    assert fresh(found["model"]) == {"classifier.weight", "classifier.bias"}
    assert isinstance(found["shape"], Unknown)
