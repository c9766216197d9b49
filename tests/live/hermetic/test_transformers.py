"""Hermetic stand-ins for transformers: models, configurations, tokenizers and processors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoImageProcessor,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoProcessor,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    BertTokenizer,
    DataCollatorWithPadding,
    GPT2LMHeadModel,
    GPT2Tokenizer,
    ViTForImageClassification,
    ViTImageProcessor,
    WhisperProcessor,
)

from freezelint.live.hermetic import HermeticError, checkpoints
from tests.live.hermetic.running import hermetic

TINY = "prajjwal1/bert-tiny"
SMALL = BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)


# Silent: what needs no download stays what it is.


def test_a_local_folder_is_loaded_for_real(tmp_path: Path) -> None:
    saved = BertForSequenceClassification(SMALL)
    saved.save_pretrained(tmp_path)
    with hermetic() as reports:
        loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path)
        assert torch.equal(loaded.classifier.weight, saved.classifier.weight)
        assert AutoConfig.from_pretrained(str(tmp_path)).hidden_size == 16
    assert reports.notes == []


def test_a_model_from_a_configuration_is_fresh() -> None:
    with hermetic() as reports:
        assert set(reports.of(BertModel(SMALL)).values()) == {"unmarked"}
    assert reports.notes == []


# Models.


def test_the_head_is_fresh_and_the_body_pretrained() -> None:
    with hermetic() as reports:
        model = AutoModelForSequenceClassification.from_pretrained(TINY, num_labels=3)
        assert reports.named(model, "fresh") == ["classifier.weight", "classifier.bias"]
        assert reports.named(model, "unmarked") == []
    assert not model.training
    assert model.classifier.out_features == 3
    assert model.config.name_or_path == TINY
    assert "transformers weights" in [what for what, _ in reports.notes]


def test_a_stored_head_is_pretrained() -> None:
    with hermetic() as reports:
        model = GPT2LMHeadModel.from_pretrained("distilgpt2")
        assert set(reports.of(model).values()) == {"pretrained"}
        assert model.lm_head.weight is model.transformer.wte.weight


def test_what_the_checkpoint_lacks_is_fresh() -> None:
    """A classifier's checkpoint has no pooler; one for 1000 classes does not fit a head for ten."""
    with hermetic() as reports:
        body = AutoModel.from_pretrained("WinKawaks/vit-tiny-patch16-224")
        assert reports.named(body, "fresh") == ["pooler.dense.weight", "pooler.dense.bias"]
        with pytest.raises(RuntimeError, match="ignore_mismatched_sizes"):
            ViTForImageClassification.from_pretrained("WinKawaks/vit-tiny-patch16-224", num_labels=10)
        model = ViTForImageClassification.from_pretrained(
            "WinKawaks/vit-tiny-patch16-224", num_labels=10, ignore_mismatched_sizes=True
        )
        assert reports.named(model, "fresh") == ["classifier.weight", "classifier.bias"]


def test_arguments_of_loading() -> None:
    with hermetic():
        model, info = AutoModelForSequenceClassification.from_pretrained(
            TINY,
            id2label={0: "no", 1: "yes"},
            hidden_dropout_prob=0.3,
            output_loading_info=True,
            device_map="auto",
        )
        assert set(info["missing_keys"]) == {"classifier.weight", "classifier.bias"}
        assert model.config.id2label == {0: "no", 1: "yes"}
        assert model.config.hidden_dropout_prob == 0.3
        half = AutoModelForCausalLM.from_pretrained("EleutherAI/pythia-14m", torch_dtype=torch.bfloat16)
        assert half.dtype == torch.bfloat16


def test_a_class_of_the_scripts_own() -> None:
    """Its body has the checkpoint's parameters, whatever else it has is new."""
    from transformers import BertPreTrainedModel

    class Scorer(BertPreTrainedModel):  # type: ignore[misc]
        def __init__(self, config: BertConfig) -> None:
            super().__init__(config)
            self.bert = BertModel(config)
            self.score = torch.nn.Linear(config.hidden_size, 1)
            self.post_init()

    with hermetic() as reports:
        assert reports.named(Scorer.from_pretrained(TINY), "fresh") == ["score.weight", "score.bias"]


def test_the_values_are_fit_for_training() -> None:
    with hermetic():
        model = AutoModelForSequenceClassification.from_pretrained(TINY)
        loss = model(torch.arange(8).reshape(1, 8), labels=torch.tensor([1])).loss
        loss.backward()
    assert torch.isfinite(loss)
    assert all(
        p.grad is not None and p.grad.abs().sum() > 0
        for n, p in model.named_parameters()
        if "encoder" in n and not n.endswith("key.bias")
    )


def test_bert_base_as_it_is() -> None:
    with hermetic():
        model = AutoModel.from_pretrained("bert-base-uncased")
    assert sum(p.numel() for p in model.parameters()) == 109_482_240


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("google-bert/bert-large-uncased", 336.2),
        ("distilbert-base-uncased", 67.0),
        ("roberta-base", 124.7),
        ("xlm-roberta-base", 278.3),
        ("albert-base-v2", 11.8),
        ("google/electra-small-discriminator", 13.5),
        ("microsoft/deberta-v3-base", 183.8),
        ("answerdotai/ModernBERT-large", 395.9),
        ("gpt2", 124.4),
        ("gpt2-large", 774.0),
        ("t5-small", 60.5),
        ("t5-large", 737.7),
        ("google/vit-base-patch16-224", 86.6),
        ("microsoft/swin-tiny-patch4-window7-224", 28.3),
        ("facebook/deit-base-distilled-patch16-224", 87.3),
        ("facebook/convnext-tiny-224", 28.6),
        ("microsoft/resnet-50", 25.6),
        ("facebook/wav2vec2-base-960h", 94.4),
        ("facebook/hubert-base-ls960", 94.4),
        ("openai/whisper-small", 241.7),
        ("openai/clip-vit-base-patch32", 151.3),
        ("meta-llama/Llama-2-7b-hf", 6738.4),
        ("meta-llama/Llama-3.2-1B", 1235.8),
        ("mistralai/Mistral-7B-v0.1", 7241.7),
        ("Qwen/Qwen2.5-0.5B", 494.0),
        ("google/gemma-7b", 8537.7),
        ("facebook/opt-125m", 125.2),
        ("EleutherAI/pythia-70m", 70.4),
    ],
)
def test_known_checkpoints_have_their_published_size(name: str, millions: float) -> None:
    import transformers

    with hermetic():
        config = AutoConfig.from_pretrained(name)
    with torch.device("meta"):
        model = getattr(transformers, config.architectures[0])(config)
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == millions


def test_an_unknown_name_with_a_class_has_the_sizes_of_the_class() -> None:
    assert checkpoints.checkpoint_for_class("somebody/legal-bert", "bert") is not None
    assert checkpoints.checkpoint_for_class("somebody/legal-bert-xlarge", "bert") is None
    assert checkpoints.checkpoint_for_class("somebody/thing", "no-such-family") is None


def test_an_unknown_name_with_a_configuration_of_the_scripts_own() -> None:
    with hermetic() as reports:
        model = BertForSequenceClassification.from_pretrained("somebody/thing", config=SMALL)
        assert reports.named(model, "fresh") == ["classifier.weight", "classifier.bias"]


def test_whether_a_checkpoint_of_unknown_name_brings_its_head_along_is_unknown() -> None:
    with hermetic() as reports:
        model = BertForSequenceClassification.from_pretrained("somebody/sentiment")
        assert reports.named(model, "unknown") == ["classifier.weight", "classifier.bias"]
        model = BertForSequenceClassification.from_pretrained("somebody/sentiment", num_labels=7)
        assert reports.named(model, "fresh") == ["classifier.weight", "classifier.bias"]


@pytest.mark.parametrize("cls", [AutoModel, AutoConfig, AutoTokenizer, AutoImageProcessor, AutoProcessor])
def test_an_unknown_name_is_refused_with_advice(cls: type) -> None:
    with (
        hermetic(),
        pytest.raises(HermeticError, match=r"sizes of 'somebody/thing'.*config=.*save_pretrained"),
    ):
        cls.from_pretrained("somebody/thing")  # type: ignore[attr-defined]


def test_one_step_of_a_large_model_on_fake_tensors() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with hermetic() as reports, FakeTensorMode(allow_non_fake_inputs=True):
        model = AutoModelForSequenceClassification.from_pretrained("bert-large-uncased")
        assert reports.named(model, "fresh") == ["classifier.weight", "classifier.bias"]


# Tokenizers and processors.


def test_a_batch_of_texts() -> None:
    with hermetic():
        tokenizer = AutoTokenizer.from_pretrained("bert-base-uncased")
    batch = tokenizer(
        ["Hello world", "no"], padding=True, truncation=True, max_length=16, return_tensors="pt"
    )
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (2, 12)
    assert batch["input_ids"][0, 0] == tokenizer.cls_token_id == 101
    assert batch["input_ids"][1, -1] == tokenizer.pad_token_id == 0
    assert tokenizer.decode(batch["input_ids"][0], skip_special_tokens=True) == "hello world"
    assert len(tokenizer("word " * 100, truncation=True, max_length=16)["input_ids"]) == 16
    assert tokenizer("ab", "cd")["token_type_ids"] == [0, 0, 0, 0, 1, 1, 1]
    assert DataCollatorWithPadding(tokenizer)([tokenizer("a"), tokenizer("abc")])["input_ids"].shape == (2, 5)


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("bert-base-cased", 28_996),
        ("distilbert-base-uncased", 30_522),
        ("roberta-base", 50_265),
        ("gpt2", 50_257),
        ("t5-small", 32_100),
        ("albert-base-v2", 30_000),
        ("facebook/opt-125m", 50_265),
        ("meta-llama/Llama-2-7b-hf", 32_000),
    ],
)
def test_the_vocabulary_is_as_long_as_the_real_one(name: str, length: int) -> None:
    """`resize_token_embeddings(len(tokenizer))` does what it really does; no id is beyond the model."""
    with hermetic():
        tokenizer = AutoTokenizer.from_pretrained(name)
    assert len(tokenizer) == length
    ids = tokenizer("Any text: 123 é 中 <b>!")["input_ids"]
    assert 0 <= min(ids) <= max(ids) < length


def test_concrete_classes() -> None:
    with hermetic():
        assert BertTokenizer.from_pretrained("bert-base-uncased")("ab")["input_ids"][0] == 101
        assert GPT2Tokenizer.from_pretrained("gpt2").decode([72, 101]) == "He"
        assert ViTImageProcessor.from_pretrained("google/vit-base-patch16-224").size["height"] == 224


def test_a_tokenizer_that_learnt_a_token_can_be_saved(tmp_path: Path) -> None:
    with hermetic():
        tokenizer = AutoTokenizer.from_pretrained("bert-base-uncased")
        assert tokenizer.add_tokens(["<mine>"]) == 1
        tokenizer.save_pretrained(tmp_path)
        assert AutoTokenizer.from_pretrained(tmp_path)("<mine>")["input_ids"] == [101, 30_522, 102]


def test_pictures_and_sounds() -> None:
    picture = Image.fromarray(np.zeros((50, 60, 3), np.uint8))
    sound = np.zeros(16_000, np.float32)
    with hermetic():
        for name, size in (("google/vit-base-patch16-384", 384), ("microsoft/resnet-50", 224)):
            processor = AutoImageProcessor.from_pretrained(name)
            assert processor(picture, return_tensors="pt")["pixel_values"].shape == (1, 3, size, size)
        extractor = AutoFeatureExtractor.from_pretrained("facebook/wav2vec2-base")
        assert extractor(sound, sampling_rate=16_000, return_tensors="pt")["input_values"].shape == (
            1,
            16_000,
        )
        whisper = WhisperProcessor.from_pretrained(
            "openai/whisper-tiny", language="english", task="transcribe"
        )
        assert whisper(sound, sampling_rate=16_000, return_tensors="pt")["input_features"].shape == (
            1,
            80,
            3000,
        )
        assert whisper.tokenizer("")["input_ids"] == [50_258, 50_259, 50_359, 50_363, 50_257]
        clip = AutoProcessor.from_pretrained("openai/clip-vit-base-patch32")
        assert set(clip(text=["a cat"], images=[picture], return_tensors="pt")) == {
            "input_ids",
            "attention_mask",
            "pixel_values",
        }
