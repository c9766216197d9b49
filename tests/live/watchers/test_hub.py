"""`from_pretrained` of transformers: which parameters came with the checkpoint, and which head is new."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification, BertModel

from tests.live.observing import observed


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT without any head, saved as a script would find it on the hub."""
    directory = tmp_path_factory.mktemp("bert")
    config = BertConfig(
        vocab_size=30,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=16,
    )
    BertModel(config).save_pretrained(directory)
    return directory


def test_the_body_is_pretrained_and_the_head_fresh(stored: Path) -> None:
    with observed() as recorder:
        model = BertForSequenceClassification.from_pretrained(stored)
        found = {name: recorder.ledger.entry(p).origin for name, p in model.named_parameters()}
    fresh = [name for name, origin in found.items() if origin == "fresh"]
    assert fresh == ["classifier.weight", "classifier.bias"]
    assert all(origin == "pretrained" for name, origin in found.items() if name.startswith("bert."))


def test_the_load_is_an_event_at_the_statement_of_the_user(stored: Path) -> None:
    with observed() as recorder:
        BertModel.from_pretrained(stored)
    loads = [event for event in recorder.trace().events if event.kind == "loaded"]
    assert len(loads) == 1
    assert loads[0].location is not None
    assert loads[0].location.path.endswith("test_hub.py")


def test_a_head_of_another_size_is_fresh(stored: Path, tmp_path: Path) -> None:
    three = BertForSequenceClassification.from_pretrained(stored, num_labels=3)
    three.save_pretrained(tmp_path)
    with observed() as recorder:
        model = BertForSequenceClassification.from_pretrained(
            tmp_path, num_labels=5, ignore_mismatched_sizes=True
        )
        assert recorder.ledger.entry(model.classifier.weight).origin == "fresh"
        assert recorder.ledger.entry(model.bert.pooler.dense.weight).origin == "pretrained"


def test_a_tied_head_comes_with_the_embeddings_that_it_is_tied_to(stored: Path) -> None:
    with observed() as recorder:
        model = BertForMaskedLM.from_pretrained(stored)
        assert model.cls.predictions.decoder.weight is model.bert.embeddings.word_embeddings.weight
        assert recorder.ledger.entry(model.cls.predictions.decoder.weight).origin == "pretrained"
        assert recorder.ledger.entry(model.cls.predictions.transform.dense.weight).origin == "fresh"


def test_what_the_user_asked_for_is_what_the_user_gets(stored: Path) -> None:
    with observed():
        model = BertForSequenceClassification.from_pretrained(stored)
        assert isinstance(model, BertForSequenceClassification)
        both = BertForSequenceClassification.from_pretrained(stored, output_loading_info=True)
    assert isinstance(both, tuple)
    assert "missing_keys" in both[1]


def test_the_library_is_left_as_it_was() -> None:
    before = BertModel.from_pretrained.__func__
    with observed():
        assert BertModel.from_pretrained.__func__ is not before
    assert BertModel.from_pretrained.__func__ is before
