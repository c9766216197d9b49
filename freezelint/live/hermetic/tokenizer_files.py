"""The files of a tokenizer that splits text into characters or bytes, with the special tokens of a known
model.

They are the formats of the `tokenizers` library, so that the real tokenizer classes load them: padding,
truncation, pairs, masks and decoding are theirs. The vocabulary is as large as the model's own, most of it
filled with tokens that no text contains.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PRINTABLE = [chr(code) for code in range(33, 127)]


@dataclass(frozen=True)
class Layout:
    """A family's special tokens. Ids below zero count from the end of the vocabulary; `size` limits that to
    the real length.

    `single` and `pair` are the templates around one and two texts (A and B), empty where nothing is added.
    """

    kind: str
    ids: Mapping[str, int]
    roles: Mapping[str, str]
    single: str = ""
    pair: str = ""
    longest: int = 512
    segments: bool = False
    size: int = 0
    tokenizer_class: str = "PreTrainedTokenizerFast"
    others: tuple[str, ...] = ()


_BERT_ROLES = {f"{role}_token": f"[{role.upper()}]" for role in ("pad", "unk", "cls", "sep", "mask")}
_BERT_AROUND = ("[CLS] A [SEP]", "[CLS] A [SEP] B [SEP]")
_ROBERTA_ROLES = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "cls_token": "<s>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}
_ROBERTA_IDS = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": -1}
_ROBERTA_AROUND = ("<s> A </s>", "<s> A </s> </s> B </s>")
_BERT_IDS = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
_T5_IDS = {
    "<pad>": 0,
    "</s>": 1,
    "<unk>": 2,
    **{f"<extra_id_{number}>": -1 - number for number in range(100)},
}
_T5_ROLES = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
_END = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
_LLAMA_ROLES = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def _whisper(start: int) -> Layout:
    ids = {"<|endoftext|>": start, "<|startoftranscript|>": start + 1, "<|translate|>": start + 101}
    ids |= {"<|transcribe|>": start + 102, "<|notimestamps|>": start + 106}
    around = "<|startoftranscript|> <|notimestamps|> A <|endoftext|>"
    roles = {**_END, "pad_token": "<|endoftext|>"}
    return Layout("bytes", ids, roles, around, longest=448, tokenizer_class="WhisperTokenizer")


_LAYOUTS: Mapping[str, Layout] = {
    "wordpiece": Layout("wordpiece", _BERT_IDS, _BERT_ROLES, *_BERT_AROUND, segments=True),
    "wordpiece-distilbert": Layout("wordpiece", _BERT_IDS, _BERT_ROLES, *_BERT_AROUND),
    "wordpiece-mpnet": Layout(
        "wordpiece",
        {"<s>": 0, "<pad>": 1, "</s>": 2, "[UNK]": 104, "<mask>": -1},
        {**_ROBERTA_ROLES, "unk_token": "[UNK]"},
        *_ROBERTA_AROUND,
    ),
    "bytes-roberta": Layout("bytes", _ROBERTA_IDS, _ROBERTA_ROLES, *_ROBERTA_AROUND),
    "bytes-deberta": Layout(
        "bytes",
        {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3, "[MASK]": -1},
        _BERT_ROLES,
        *_BERT_AROUND,
        segments=True,
    ),
    "bytes-gpt2": Layout("bytes", {"<|endoftext|>": -1}, _END, longest=1024, size=50_257),
    "bytes-opt": Layout(
        "bytes",
        {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3},
        {"bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"},
        "</s> A",
        "</s> A </s> B",
        longest=2048,
        size=50_265,
    ),
    "bytes-neox": Layout("bytes", {"<|endoftext|>": 0, "<|padding|>": 1}, _END, longest=2048, size=50_277),
    "bytes-modernbert": Layout(
        "bytes",
        {"[UNK]": 50_280, "[CLS]": 50_281, "[SEP]": 50_282, "[PAD]": 50_283, "[MASK]": 50_284},
        _BERT_ROLES,
        *_BERT_AROUND,
        longest=8192,
    ),
    "bytes-llama": Layout(
        "bytes", {"<unk>": 0, "<s>": 1, "</s>": 2}, _LLAMA_ROLES, "<s> A", "<s> A <s> B", longest=4096
    ),
    "bytes-llama3": Layout(
        "bytes",
        {"<|begin_of_text|>": 128_000, "<|end_of_text|>": 128_001, "<|eot_id|>": 128_009},
        {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"},
        "<|begin_of_text|> A",
        "<|begin_of_text|> A <|begin_of_text|> B",
        longest=131_072,
    ),
    "bytes-smollm": Layout(
        "bytes", {"<|endoftext|>": 0, "<|im_start|>": 1, "<|im_end|>": 2}, _END, longest=8192
    ),
    "bytes-qwen": Layout(
        "bytes",
        {"<|endoftext|>": 151_643, "<|im_start|>": 151_644, "<|im_end|>": 151_645},
        {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
        longest=32_768,
        size=151_665,
    ),
    "bytes-gemma": Layout(
        "bytes",
        {"<pad>": 0, "<eos>": 1, "<bos>": 2, "<unk>": 3},
        {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>", "unk_token": "<unk>"},
        "<bos> A",
        "<bos> A <bos> B",
        longest=8192,
    ),
    "bytes-bloom": Layout(
        "bytes",
        {"<unk>": 0, "<s>": 1, "</s>": 2, "<pad>": 3},
        {**_LLAMA_ROLES, "pad_token": "<pad>"},
        longest=2048,
        size=250_680,
    ),
    "bytes-whisper": _whisper(50_257),
    "bytes-whisper-en": _whisper(50_256),
    "bytes-clip": Layout(
        "bytes",
        {"<|startoftext|>": -2, "<|endoftext|>": -1},
        {**_END, "bos_token": "<|startoftext|>", "pad_token": "<|endoftext|>"},
        "<|startoftext|> A <|endoftext|>",
        "<|startoftext|> A <|endoftext|> <|endoftext|> B <|endoftext|>",
        longest=77,
        # The concrete class marks the last letter of a word.
        others=tuple(f"{letter}</w>" for letter in _PRINTABLE),
    ),
    "unigram-xlm-roberta": Layout("unigram", _ROBERTA_IDS, _ROBERTA_ROLES, *_ROBERTA_AROUND),
    "unigram-albert": Layout(
        "unigram",
        {"<pad>": 0, "<unk>": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4},
        {**_BERT_ROLES, "pad_token": "<pad>", "unk_token": "<unk>"},
        *_BERT_AROUND,
        segments=True,
    ),
    "unigram-deberta": Layout(
        "unigram",
        {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3, "[MASK]": -1},
        _BERT_ROLES,
        *_BERT_AROUND,
        segments=True,
        size=128_001,
    ),
    "unigram-t5": Layout("unigram", _T5_IDS, _T5_ROLES, "A </s>", "A </s> B </s>", size=32_100),
    "unigram-mt5": Layout("unigram", _T5_IDS, _T5_ROLES, "A </s>", "A </s> B </s>", size=250_100),
    "unigram-marian": Layout(
        "unigram", {"</s>": 0, "<unk>": 1, "<pad>": -1}, _T5_ROLES, "A </s>", "A B </s>"
    ),
}


def write(folder: Path, layout_name: str, vocabulary_size: int, lowercase: bool) -> None:
    """All files of the tokenizer, for the fast and the slow classes."""
    if layout_name == "letters":
        _write_letters(folder)
        return
    layout = _LAYOUTS[layout_name]
    size = min(layout.size or vocabulary_size, vocabulary_size)
    special = {token: number % size for token, number in layout.ids.items()}
    vocabulary = _vocabulary(layout, special, size)
    _write_json(folder / "tokenizer.json", _fast(layout, special, vocabulary, lowercase))
    _write_json(folder / "tokenizer_config.json", _configuration(layout, lowercase))
    if layout.kind == "wordpiece":
        (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    elif layout.kind == "bytes":
        _write_json(folder / "vocab.json", {token: number for number, token in enumerate(vocabulary)})
        (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")


def _vocabulary(layout: Layout, special: Mapping[str, int], size: int) -> list[str]:
    pieces = {
        "wordpiece": [*_PRINTABLE, *(f"##{letter}" for letter in _PRINTABLE)],
        "bytes": _byte_letters(),
        "unigram": [*(f"<0x{byte:02X}>" for byte in range(256)), "▁", *_PRINTABLE],
    }[layout.kind]
    by_id = {number: token for token, number in special.items()}
    rest = iter(piece for piece in (*pieces, *layout.others) if piece not in special)
    return [by_id[number] if number in by_id else next(rest, f"<unused{number}>") for number in range(size)]


def _byte_letters() -> list[str]:
    """The printable letter that byte-level vocabularies use for each byte: itself where it is printable, else
    one from 256 upwards.
    """
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    replaced = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) if byte in printable else chr(256 + replaced.index(byte)) for byte in range(256)]


def _fast(
    layout: Layout, special: Mapping[str, int], vocabulary: list[str], lowercase: bool
) -> dict[str, Any]:
    numbered = {token: number for number, token in enumerate(vocabulary)}
    unknown = layout.roles.get("unk_token")
    parts: dict[str, dict[str, Any]] = {
        "wordpiece": {
            "normalizer": {
                "type": "BertNormalizer",
                "clean_text": True,
                "handle_chinese_chars": True,
                "strip_accents": None,
                "lowercase": lowercase,
            },
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
            "model": {
                "type": "WordPiece",
                "unk_token": unknown,
                "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
                "vocab": numbered,
            },
        },
        "bytes": {
            "normalizer": None,
            "pre_tokenizer": {
                "type": "ByteLevel",
                "add_prefix_space": False,
                "trim_offsets": True,
                "use_regex": True,
            },
            "decoder": {
                "type": "ByteLevel",
                "add_prefix_space": True,
                "trim_offsets": True,
                "use_regex": True,
            },
            "model": {"type": "BPE", "vocab": numbered, "merges": [], "byte_fallback": False},
        },
        "unigram": {
            "normalizer": None,
            "pre_tokenizer": {
                "type": "Metaspace",
                "replacement": "▁",
                "prepend_scheme": "always",
                "split": True,
            },
            "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
            "model": {
                "type": "Unigram",
                "unk_id": numbered.get(unknown or "", 0),
                "vocab": [[token, -1.0] for token in vocabulary],
                "byte_fallback": True,
            },
        },
    }
    chosen = parts[layout.kind]
    if layout.others:
        # The class that marks the last letters accepts nothing but a sequence here.
        chosen["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [chosen["pre_tokenizer"]]}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(token, number) for token, number in sorted(special.items(), key=_number)],
        "post_processor": _template(layout, special),
        **chosen,
    }


def _number(item: tuple[str, int]) -> int:
    return item[1]


def _added(token: str, number: int) -> dict[str, Any]:
    return {
        "id": number,
        "content": token,
        "single_word": False,
        "lstrip": token == "<mask>",
        "rstrip": False,
        "normalized": False,
        "special": True,
    }


def _template(layout: Layout, special: Mapping[str, int]) -> dict[str, Any] | None:
    if not layout.single:
        return None
    pair = layout.pair or f"{layout.single} B"
    used = sorted({*layout.single.split(), *pair.split()} - {"A", "B"})
    return {
        "type": "TemplateProcessing",
        "single": _pieces(layout.single, layout.segments),
        "pair": _pieces(pair, layout.segments),
        "special_tokens": {
            token: {"id": token, "ids": [special[token]], "tokens": [token]} for token in used
        },
    }


def _pieces(template: str, segments: bool) -> list[dict[str, Any]]:
    pieces: list[dict[str, Any]] = []
    segment = 0
    for part in template.split():
        if part == "B":
            segment = int(segments)
        kind = "Sequence" if part in ("A", "B") else "SpecialToken"
        pieces.append({kind: {"id": part, "type_id": segment}})
    return pieces


def _configuration(layout: Layout, lowercase: bool) -> dict[str, Any]:
    segments = ["token_type_ids"] if layout.segments else []
    return {
        "tokenizer_class": layout.tokenizer_class,
        "model_max_length": layout.longest,
        "model_input_names": ["input_ids", *segments, "attention_mask"],
        "do_lower_case": lowercase,
        **layout.roles,
    }


def _write_letters(folder: Path) -> None:
    """The tokenizer of a speech recogniser: letters in the order of their frequency in English."""
    tokens = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
    _write_json(folder / "vocab.json", {token: number for number, token in enumerate(tokens)})
    roles = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    _write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "Wav2Vec2CTCTokenizer", "word_delimiter_token": "|", **roles},
    )


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
