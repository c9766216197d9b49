"""A folder that looks like a model's repository on the Hugging Face hub, without its weights."""

from __future__ import annotations

import json
from pathlib import Path

from freezelint.live.hermetic import checkpoints, tokenizer_files
from freezelint.live.hermetic.checkpoints import Checkpoint
from freezelint.live.hermetic.errors import HermeticError

_DEFAULT_VOCABULARY = {
    "bert": 30_522,
    "distilbert": 30_522,
    "electra": 30_522,
    "albert": 30_000,
    "deberta-v2": 128_100,
    "gpt2": 50_257,
    "gpt_neo": 50_257,
    "t5": 32_128,
    "bart": 50_265,
    "whisper": 51_865,
    "clip": 49_408,
    "llama": 32_000,
    "mistral": 32_000,
    "qwen2": 151_936,
    "gemma": 256_000,
    "gemma2": 256_000,
    "opt": 50_272,
    "phi": 51_200,
}


class Snapshots:
    """The folders made so far in `root`, and which checkpoint each hub id is taken for."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._adopted: dict[str, Checkpoint] = {}

    def checkpoint(self, name: str) -> Checkpoint | None:
        """The known checkpoint of this name, or the one that `adopt` settled on."""
        return checkpoints.checkpoint_named(name) or self._adopted.get(name)

    def adopt(self, name: str, model_type: str) -> Checkpoint | None:
        """Take an unknown name for a checkpoint with the sizes of a configuration class, because the script
        named that class.
        """
        adopted = checkpoints.checkpoint_for_class(name, model_type)
        if adopted is not None:
            self._adopted[name] = adopted
        return adopted

    def folder(self, name: str) -> Path:
        """The folder that stands for the repository `name`.

        Raises HermeticError where nothing is known about it.
        """
        checkpoint = self.checkpoint(name)
        if checkpoint is None:
            raise unknown(name)
        folder = self._root / "hub" / name.replace("/", "--")
        if not folder.exists():
            folder.mkdir(parents=True)
            _write(folder, checkpoint)
        return folder


def unknown(name: str) -> HermeticError:
    """The error for a hub id of which neither the catalogue nor the class tells the sizes."""
    return HermeticError(
        f"--hermetic does not know the sizes of {name!r}: build its configuration in the script and pass "
        "it as config=... (for example BertConfig(hidden_size=...)), load a local folder written by "
        "save_pretrained, or run freezelint without --hermetic"
    )


def _write(folder: Path, checkpoint: Checkpoint) -> None:
    (folder / "config.json").write_text(json.dumps(dict(checkpoint.config)), encoding="utf-8")
    if checkpoint.preprocessor:
        text = json.dumps(dict(checkpoint.preprocessor))
        (folder / "preprocessor_config.json").write_text(text, encoding="utf-8")
    if checkpoint.tokenizer:
        kind = checkpoint.config["model_type"]
        size = checkpoint.config.get("vocab_size", _DEFAULT_VOCABULARY.get(kind, 32_000))
        tokenizer_files.write(
            folder, checkpoint.tokenizer, size, lowercase="uncased" in checkpoint.name.lower()
        )
