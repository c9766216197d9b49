"""The most used data sets of the Hugging Face hub by their outside: columns, labels, and rows per split.

The kinds of columns are those that `rows` can fill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Enough for `select(range(10_000))`, few enough that a `map` over all of it takes seconds.
LONGEST = 10_000


@dataclass(frozen=True)
class Table:
    """A data set. `columns` maps a column to its kind: "text", "int", "float", "bool", "words", "tags:…",
    "label:…", "class:…", "image:…", "answers", "translation:…".

    The part after the colon: class names separated by commas (or their number), a picture's width, height and
    mode, or the languages. A "class" is a label stored as a plain number. `splits` gives the rows of each
    split.
    """

    columns: Mapping[str, str]
    splits: Mapping[str, int]


def _glue(columns: Mapping[str, str], train: int, validation: int, test: int) -> Table:
    splits = {"train": train, "validation": validation, "test": test}
    return Table({**columns, "idx": "int"}, splits)


_TWO_SENTENCES = {"sentence1": "text", "sentence2": "text"}
_ENTAILS = "label:entailment,neutral,contradiction"
_ENTAILS_OR_NOT = "label:entailment,not_entailment"
_EQUIVALENT = "label:not_equivalent,equivalent"
_NEGATIVE_POSITIVE = "label:negative,positive"
_MNLI = Table(
    {"premise": "text", "hypothesis": "text", "label": _ENTAILS, "idx": "int"},
    {
        "train": 392_702,
        "validation_matched": 9_815,
        "validation_mismatched": 9_832,
        "test_matched": 9_796,
        "test_mismatched": 9_847,
    },
)
_SQUAD = {"id": "text", "title": "text", "context": "text", "question": "text", "answers": "answers"}
_CIFAR10 = "label:airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck"
_CLOTHES = "label:T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot"
_TAGS = "tags:O,B-PER,I-PER,B-ORG,I-ORG,B-LOC,I-LOC,B-MISC,I-MISC"
_TWEET_LABELS = {
    "emotion": ("label:anger,joy,optimism,sadness", 3_257, 374, 1_421),
    "emoji": ("label:20", 45_000, 5_000, 50_000),
    "hate": ("label:non-hate,hate", 9_000, 1_000, 2_970),
    "irony": ("label:non_irony,irony", 2_862, 955, 784),
    "offensive": ("label:non-offensive,offensive", 11_916, 1_324, 860),
    "sentiment": ("label:negative,neutral,positive", 45_615, 2_000, 12_284),
}

# By name, then by configuration; "" is the configuration that is taken where none is named. A name with its
# owner is a copy whose columns differ from those of the original.
TABLES: Mapping[str, Mapping[str, Table]] = {
    "imdb": {
        "": Table(
            {"text": "text", "label": "label:neg,pos"},
            {"train": 25_000, "test": 25_000, "unsupervised": 50_000},
        )
    },
    "glue": {
        "cola": _glue({"sentence": "text", "label": "label:unacceptable,acceptable"}, 8_551, 1_043, 1_063),
        "sst2": _glue({"sentence": "text", "label": _NEGATIVE_POSITIVE}, 67_349, 872, 1_821),
        "mrpc": _glue({**_TWO_SENTENCES, "label": _EQUIVALENT}, 3_668, 408, 1_725),
        "qqp": _glue(
            {"question1": "text", "question2": "text", "label": "label:not_duplicate,duplicate"},
            363_846,
            40_430,
            390_965,
        ),
        "stsb": _glue({**_TWO_SENTENCES, "label": "float"}, 5_749, 1_500, 1_379),
        "mnli": _MNLI,
        "qnli": _glue(
            {"question": "text", "sentence": "text", "label": _ENTAILS_OR_NOT}, 104_743, 5_463, 5_463
        ),
        "rte": _glue({**_TWO_SENTENCES, "label": _ENTAILS_OR_NOT}, 2_490, 277, 3_000),
        "wnli": _glue({**_TWO_SENTENCES, "label": "label:not_entailment,entailment"}, 635, 71, 146),
    },
    "sst2": {
        "": Table(
            {"idx": "int", "sentence": "text", "label": _NEGATIVE_POSITIVE},
            {"train": 67_349, "validation": 872, "test": 1_821},
        )
    },
    "squad": {"": Table(_SQUAD, {"train": 87_599, "validation": 10_570})},
    "squad_v2": {"": Table(_SQUAD, {"train": 130_319, "validation": 11_873})},
    "ag_news": {
        "": Table(
            {"text": "text", "label": "label:World,Sports,Business,Sci/Tech"},
            {"train": 120_000, "test": 7_600},
        )
    },
    "yelp_polarity": {"": Table({"text": "text", "label": "label:1,2"}, {"train": 560_000, "test": 38_000})},
    "yelp_review_full": {
        "": Table(
            {"label": "label:1 star,2 star,3 stars,4 stars,5 stars", "text": "text"},
            {"train": 650_000, "test": 50_000},
        )
    },
    "amazon_polarity": {
        "": Table(
            {"label": _NEGATIVE_POSITIVE, "title": "text", "content": "text"},
            {"train": 3_600_000, "test": 400_000},
        )
    },
    "dbpedia_14": {
        "": Table(
            {"label": "label:14", "title": "text", "content": "text"}, {"train": 560_000, "test": 70_000}
        )
    },
    "rotten_tomatoes": {
        "": Table(
            {"text": "text", "label": "label:neg,pos"}, {"train": 8_530, "validation": 1_066, "test": 1_066}
        )
    },
    "emotion": {
        "": Table(
            {"text": "text", "label": "label:sadness,joy,love,anger,fear,surprise"},
            {"train": 16_000, "validation": 2_000, "test": 2_000},
        )
    },
    "tweet_eval": {
        name: Table({"text": "text", "label": kind}, {"train": train, "test": test, "validation": validation})
        for name, (kind, train, validation, test) in _TWEET_LABELS.items()
    },
    "snli": {
        "": Table(
            {"premise": "text", "hypothesis": "text", "label": _ENTAILS},
            {"test": 10_000, "validation": 10_000, "train": 550_152},
        )
    },
    "trec": {
        "": Table(
            {"text": "text", "coarse_label": "label:ABBR,ENTY,DESC,HUM,LOC,NUM", "fine_label": "label:50"},
            {"train": 5_452, "test": 500},
        )
    },
    "wikitext": {
        name: Table({"text": "text"}, {"test": 4_358, "train": rows, "validation": 3_760})
        for name, rows in (
            ("wikitext-2-raw-v1", 36_718),
            ("wikitext-2-v1", 36_718),
            ("wikitext-103-raw-v1", 1_801_350),
            ("wikitext-103-v1", 1_801_350),
        )
    },
    "cnn_dailymail": {
        "": Table(
            {"article": "text", "highlights": "text", "id": "text"},
            {"train": 287_113, "validation": 13_368, "test": 11_490},
        )
    },
    "xsum": {
        "": Table(
            {"document": "text", "summary": "text", "id": "text"},
            {"train": 204_045, "validation": 11_332, "test": 11_334},
        )
    },
    "samsum": {
        "": Table(
            {"id": "text", "dialogue": "text", "summary": "text"},
            {"train": 14_732, "test": 819, "validation": 818},
        )
    },
    "billsum": {
        "": Table(
            {"text": "text", "summary": "text", "title": "text"},
            {"train": 18_949, "test": 3_269, "ca_test": 1_237},
        )
    },
    "conll2003": {
        "": Table(
            {
                "id": "text",
                "tokens": "words",
                "pos_tags": "tags:47",
                "chunk_tags": "tags:23",
                "ner_tags": _TAGS,
            },
            {"train": 14_041, "validation": 3_250, "test": 3_453},
        )
    },
    "wnut_17": {
        "": Table(
            {"id": "text", "tokens": "words", "ner_tags": "tags:13"},
            {"train": 3_394, "validation": 1_009, "test": 1_287},
        )
    },
    "cifar10": {"": Table({"img": "image:32,32,RGB", "label": _CIFAR10}, {"train": 50_000, "test": 10_000})},
    "cifar100": {
        "": Table(
            {"img": "image:32,32,RGB", "fine_label": "label:100", "coarse_label": "label:20"},
            {"train": 50_000, "test": 10_000},
        )
    },
    "mnist": {
        "": Table(
            {"image": "image:28,28,L", "label": "label:0,1,2,3,4,5,6,7,8,9"},
            {"train": 60_000, "test": 10_000},
        )
    },
    "fashion_mnist": {
        "": Table({"image": "image:28,28,L", "label": _CLOTHES}, {"train": 60_000, "test": 10_000})
    },
    "food101": {
        "": Table(
            {"image": "image:512,384,RGB", "label": "label:101"}, {"train": 75_750, "validation": 25_250}
        )
    },
    "beans": {
        "": Table(
            {
                "image_file_path": "text",
                "image": "image:500,500,RGB",
                "labels": "label:angular_leaf_spot,bean_rust,healthy",
            },
            {"train": 1_034, "validation": 133, "test": 128},
        )
    },
    "cats_vs_dogs": {"": Table({"image": "image:500,375,RGB", "labels": "label:cat,dog"}, {"train": 23_410})},
    "tiny-imagenet": {
        "": Table({"image": "image:64,64,RGB", "label": "label:200"}, {"train": 100_000, "valid": 10_000})
    },
    "wmt16": {
        f"{language}-en": Table(
            {"translation": f"translation:{language},en"}, {"train": rows, "validation": 2_000, "test": 2_999}
        )
        for language, rows in (
            ("cs", 997_240),
            ("de", 4_548_885),
            ("fi", 2_073_394),
            ("ro", 610_320),
            ("ru", 1_516_162),
            ("tr", 205_756),
        )
    },
    "opus_books": {
        pair: Table({"id": "text", "translation": f"translation:{pair.replace('-', ',')}"}, {"train": rows})
        for pair, rows in (
            ("en-fr", 127_085),
            ("de-en", 51_467),
            ("en-es", 93_470),
            ("en-it", 32_332),
            ("en-nl", 38_652),
        )
    },
    "alpaca": {
        "": Table(
            {"instruction": "text", "input": "text", "output": "text", "text": "text"}, {"train": 52_002}
        )
    },
    "alpaca-cleaned": {
        "": Table({"output": "text", "input": "text", "instruction": "text"}, {"train": 51_760})
    },
    "databricks-dolly-15k": {
        "": Table(
            {"instruction": "text", "context": "text", "response": "text", "category": "text"},
            {"train": 15_011},
        )
    },
    "boolq": {
        "": Table(
            {"question": "text", "answer": "bool", "passage": "text"}, {"train": 9_427, "validation": 3_270}
        )
    },
    "financial_phrasebank": {
        "": Table({"sentence": "text", "label": "label:negative,neutral,positive"}, {"train": 2_264})
    },
    "gsm8k": {"": Table({"question": "text", "answer": "text"}, {"train": 7_473, "test": 1_319})},
    "multi_nli": {
        "": Table(
            {"promptID": "int", "pairID": "text", "premise": "text", "hypothesis": "text", "label": _ENTAILS},
            {"train": 392_702, "validation_matched": 9_815, "validation_mismatched": 9_832},
        )
    },
    "setfit/sst2": {
        "": Table(
            {"text": "text", "label": "class:2", "label_text": "text"},
            {"train": 6_920, "validation": 872, "test": 1_821},
        )
    },
    "sms_spam": {"": Table({"sms": "text", "label": "label:ham,spam"}, {"train": 5_574})},
    "twitter-financial-news-sentiment": {
        "": Table({"text": "text", "label": "class:3"}, {"train": 9_543, "validation": 2_388})
    },
    "english_quotes": {"": Table({"quote": "text", "author": "text", "tags": "words"}, {"train": 2_508})},
}
