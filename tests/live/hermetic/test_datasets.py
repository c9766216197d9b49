"""Hermetic stand-ins for the data sets of the Hugging Face hub, and for metrics."""

from __future__ import annotations

import sys
from pathlib import Path

import datasets
import huggingface_hub
import pytest

from freezelint.live.hermetic import HermeticError
from freezelint.live.hermetic.row_catalogue import TABLES
from tests.live.hermetic.running import hermetic


def test_files_of_the_script_are_read_for_real(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label\nhello,1\n")
    with hermetic() as reports:
        rows = datasets.load_dataset(
            "csv", data_files=str(tmp_path / "rows.csv"), cache_dir=str(tmp_path / "cache")
        )
    assert rows["train"][0] == {"text": "hello", "label": 1}
    assert reports.notes == []


def test_all_splits_of_a_data_set() -> None:
    with hermetic() as reports:
        imdb = datasets.load_dataset("stanfordnlp/imdb")
    assert isinstance(imdb, datasets.DatasetDict)
    assert list(imdb) == ["train", "test", "unsupervised"]
    assert imdb["train"].features["label"].names == ["neg", "pos"]
    assert set(imdb["train"][:100]["label"]) == {0, 1}
    assert [what for what, _ in reports.notes] == ["datasets stanfordnlp/imdb"]


def test_slices() -> None:
    with hermetic():
        assert len(datasets.load_dataset("glue", "mrpc", split="train")) == 3_668
        assert len(datasets.load_dataset("ag_news", split="train[:10%]")) == 1_000
        assert len(datasets.load_dataset("ag_news", split="train[:20]+test[-5:]")) == 25
        assert [len(part) for part in datasets.load_dataset("emotion", split=["validation", "test"])] == [
            2_000,
            2_000,
        ]
        assert len(datasets.load_dataset("food101", split="train[:5000]")) == 5_000
        with pytest.raises(ValueError, match=r"Unknown split 'dev'.*train"):
            datasets.load_dataset("ag_news", split="dev")


def test_streaming() -> None:
    with hermetic():
        rows = datasets.load_dataset("wikitext", "wikitext-2-raw-v1", split="train", streaming=True)
        assert list(next(iter(rows))) == ["text"]


def test_rows_can_be_mapped_filtered_and_selected() -> None:
    with hermetic():
        rows = datasets.load_dataset("rotten_tomatoes", split="train").select(range(1_000)).shuffle(seed=1)
        rows = rows.filter(lambda row: row["label"] == 1).map(lambda row: {"length": len(row["text"])})
        assert rows[0]["length"] > 10


@pytest.mark.parametrize(
    ("name", "configuration", "columns"),
    [
        ("nyu-mll/glue", "mnli", {"premise", "hypothesis", "label", "idx"}),
        ("squad", None, {"id", "title", "context", "question", "answers"}),
        ("cnn_dailymail", "3.0.0", {"article", "highlights", "id"}),
        ("conll2003", None, {"id", "tokens", "pos_tags", "chunk_tags", "ner_tags"}),
        ("cifar10", None, {"img", "label"}),
        ("beans", None, {"image_file_path", "image", "labels"}),
        ("wmt16", "ro-en", {"translation"}),
        ("opus_books", "en-fr", {"id", "translation"}),
        ("tatsu-lab/alpaca", None, {"instruction", "input", "output", "text"}),
        ("tweet_eval", "irony", {"text", "label"}),
        ("google/boolq", None, {"question", "answer", "passage"}),
        ("stanfordnlp/sst2", None, {"idx", "sentence", "label"}),
        ("SetFit/sst2", None, {"text", "label", "label_text"}),
        ("zeroshot/twitter-financial-news-sentiment", None, {"text", "label"}),
    ],
)
def test_the_columns_are_the_real_ones(name: str, configuration: str | None, columns: set[str]) -> None:
    with hermetic():
        splits = datasets.load_dataset(name, configuration)
    first = next(iter(splits.values()))
    assert set(first[0]) == columns == set(first.features)


def test_rows_are_consistent_in_themselves() -> None:
    with hermetic():
        question = datasets.load_dataset("squad", split="validation")[3]
        start, text = question["answers"]["answer_start"][0], question["answers"]["text"][0]
        assert question["context"][start : start + len(text)] == text
        entities = datasets.load_dataset("conll2003", split="test")[3]
        assert len(entities["tokens"]) == len(entities["ner_tags"]) == len(entities["pos_tags"])
        assert datasets.load_dataset("mnist", split="test")[0]["image"].size == (28, 28)
        assert set(datasets.load_dataset("wmt16", "de-en", split="test")[0]["translation"]) == {"de", "en"}
        assert set(datasets.load_dataset("boolq", split="validation")["answer"]) == {True, False}
        assert set(datasets.load_dataset("setfit/sst2", split="test")["label"]) == {0, 1}


def test_the_twenty_most_used_are_there() -> None:
    wanted = """
        imdb glue squad ag_news yelp_polarity yelp_review_full dbpedia_14 sst2 rotten_tomatoes emotion
        wikitext cnn_dailymail xsum conll2003 cifar10 cifar100 mnist fashion_mnist food101 beans wmt16
        opus_books alpaca tweet_eval
    """
    assert set(wanted.split()) <= set(TABLES)


def test_an_unknown_name_is_refused_with_advice() -> None:
    with hermetic(), pytest.raises(HermeticError, match=r"'somebody/rows'.*data_files=.*without --hermetic"):
        datasets.load_dataset("somebody/rows")


def test_a_missing_configuration_is_refused_as_ever() -> None:
    with hermetic(), pytest.raises(ValueError, match=r"Config name is missing.*mrpc"):
        datasets.load_dataset("glue")


def test_other_downloads_from_the_hub_are_refused_with_advice() -> None:
    with hermetic(), pytest.raises(OSError, match="--hermetic"):
        huggingface_hub.hf_hub_download("somebody/thing", "weights.bin")


def test_a_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`evaluate` need not be installed here: a package of that name with a loader that would download."""
    package = tmp_path / "evaluate"
    package.mkdir()
    (package / "__init__.py").write_text("from .loading import load")
    (package / "loading.py").write_text("def load(path, *args):\n    raise ConnectionError(path)\n")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        with hermetic() as reports:
            import evaluate  # type: ignore[import-not-found]

            metric = evaluate.load("accuracy")
            metric.add_batch(predictions=[1, 0], references=[1, 1])
            assert metric.compute() == {"accuracy": 0.5}
            assert evaluate.load("glue", "mrpc").compute(predictions=[1], references=[1]) == {"accuracy": 1.0}
        assert [what for what, _ in reports.notes] == ["evaluate accuracy", "evaluate glue"]
    finally:
        for name in ("evaluate", "evaluate.loading"):
            sys.modules.pop(name, None)
