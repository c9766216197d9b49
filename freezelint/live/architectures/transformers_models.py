"""The usual checkpoints of transformers, each with every class that can load it."""

from __future__ import annotations

import importlib
import json
import sys
import warnings
from collections.abc import Iterator
from os.path import commonprefix
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn
from transformers.initialization import no_init_weights
from transformers.models.auto import modeling_auto

from freezelint.live.architectures.building import Observations, Scaling, compact, described, on_meta, run
from freezelint.live.architectures.describing import Table, outermost
from freezelint.live.architectures.stepping import Ran, step
from freezelint.live.architectures.storing import Library
from freezelint.live.architectures.transformers_inputs import loss_of
from freezelint.live.hermetic import checkpoints as hermetic

_PROMPTED = ("sam",)  # which parts are used depends on which of many inputs are given
_LARGEST_WITH_NUMBERS = 150_000_000  # parameters
# Whose checkpoints are what their names say; of a copy the head is not known.
_ACCOUNTS = (
    *("google-bert", "google", "FacebookAI", "facebook", "distilbert", "albert", "microsoft", "openai"),
    *("openai-community", "openai-gpt", "EleutherAI", "bigscience", "meta-llama", "huggyllama", "mistralai"),
    *("Qwen", "nvidia", "allenai", "sentence-transformers", "ProsusAI", "dslim", "nlptown", "emilyalsentzer"),
    *("dmis-lab", "cardiffnlp", "deepset", "answerdotai", "google-t5", "Helsinki-NLP", "MCG-NJU", "superb"),
    *("MIT", "lmsys", "TinyLlama", "HuggingFaceTB", "Salesforce", "hustvl", "apple", "Intel", "nlpaueb"),
    *(
        "neuralmind",
        "hfl",
        "cross-encoder",
        "intfloat",
        "BAAI",
        "almanach",
        "xlnet",
        "squeezebert",
        "j-hartmann",
    ),
    *(
        "flaubert",
        "tiiuae",
        "dandelin",
        "funnel-transformer",
        "MoritzLaurer",
        "papluca",
        "WinKawaks",
        "sshleifer",
    ),
    *("prajjwal1", "YituTech", "unc-nlp", "camembert", "codeparrot"),
)


class _Family:
    """A model type: its checkpoints, and the classes that can load them."""

    def __init__(self, model_type: str, entry: dict[str, Any], tasks: dict[str, dict[str, str]]) -> None:
        self.type = model_type
        self.entry = entry
        self.tasks = {task: names[model_type] for task, names in tasks.items() if model_type in names}
        base = getattr(transformers, self.tasks.get("", entry["architecture"]))
        module = importlib.import_module(base.__module__)
        public = [name for name in getattr(module, "__all__", ()) if _is_model(getattr(module, name))]
        self.classes = sorted({*public, *self.tasks.values(), entry["architecture"]})
        start = base.__name__.removesuffix("Model")
        for name in self.classes:
            suffix = name.removeprefix(start if name.startswith(start) else _common_start(start, name))
            self.tasks.setdefault("" if suffix == "Model" else suffix, name)

    def checkpoints(self) -> Iterator[tuple[list[str], str, int, dict[str, Any]]]:
        """Names, the class whose parameters are stored, its labels (0: two, as by default), and sizes."""
        for names, own in {"": {}, **self.entry["checkpoints"]}.items():
            # The type by itself has the sizes of its configuration class, whatever its checkpoints share.
            sizes = {**self.entry.get("config", {}), **own} if names else {}
            stored = sizes.pop("architecture", self.entry["architecture"])
            labels = sizes.pop("labels", 0)
            for irrelevant in ("tokenizer", "preprocessor", "torch_dtype"):
                sizes.pop(irrelevant, None)
            yield names.split(), stored, labels, sizes


class _Builder:
    """Builds the classes of a family for one set of sizes."""

    def __init__(self, family: _Family, sizes: dict[str, Any], observations: Observations) -> None:
        self._family = family
        self._sizes = sizes
        self._observations = observations

    def record(self, table: Table, name: str, labels: int) -> tuple[dict[str, Any], nn.Module] | None:
        """The record and the model of a class; None where the configuration is not one for it."""
        cls = getattr(transformers, name)
        if _fitting(self._config(labels), cls.config_class) is None:
            return None
        try:
            model = self._model(name, labels)
        except Exception as error:  # a class may not be made for these sizes, or need another library
            _left_out(f"{name} of {self._family.type}: {error}")
            return None
        count: int = model.config.num_labels  # type: ignore[assignment, union-attr]
        scales = self._scales(name, model, count)
        # Described before it runs: some change their modules by the length of their input.
        record = described(table, model, None, count if scales else None, scales)
        ran = self._observations.ran(
            model, lambda: run(model, loss_of(name)) or self._with_numbers(name, labels, model)
        )
        if ran is None:
            return record, model
        told = compact(model, ran)
        if self._family.type in _PROMPTED:
            told.pop("unused", None)
        return {**record, "ran": told}, model

    def _model(self, name: str, labels: int) -> nn.Module:
        cls = getattr(transformers, name)
        config = _fitting(self._config(labels), cls.config_class)
        return on_meta(lambda: cls(config))

    def _with_numbers(self, name: str, labels: int, model: nn.Module) -> Ran | None:
        """A step of the real model, for those that look at numbers while they run."""
        if sum(parameter.numel() for parameter in model.parameters()) > _LARGEST_WITH_NUMBERS:
            return None
        torch.manual_seed(0)
        cls = getattr(transformers, name)
        with no_init_weights():
            real = cls(_fitting(self._config(labels), cls.config_class))
        real.tie_weights()
        with torch.no_grad():
            for parameter in real.parameters():
                parameter.uniform_(-0.02, 0.02)
        return step(real, loss_of(name))

    def _config(self, labels: int) -> Any:
        # A copy: configurations take parts of what they are given.
        sizes = json.loads(json.dumps(self._sizes))
        config = transformers.AutoConfig.for_model(self._family.type, **sizes)
        if labels:
            config.num_labels = labels
        return config

    def _scales(self, name: str, model: nn.Module, count: int) -> Scaling:
        try:
            return self._observations.scales(model, count, lambda labels: self._model(name, labels))
        except ValueError:
            return []  # a class that insists on its number of labels


def build() -> tuple[Library, dict[str, Any]]:
    """All checkpoints; the directory leads from hub ids, types and class names to groups and records."""
    library, observations = Library("transformers"), Observations()
    tasks = _tasks()
    names: dict[str, Any] = {"types": {}, "checkpoints": {}, "accounts": sorted(a.lower() for a in _ACCOUNTS)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for model_type, entry in _catalogue().items():
            family = _Family(model_type, entry, tasks)
            _add(family, library, observations, names)
    names["auto"] = {f"AutoModel{task}": task for task in tasks}
    return library, names


def _add(
    family: _Family,
    library: Library,
    observations: Observations,
    names: dict[str, Any],
) -> None:
    groups: dict[str, tuple[str, dict[str, Any], list[tuple[str, int]]]] = {}
    for ids, stored, labels, sizes in family.checkpoints():
        key = json.dumps(sizes, sort_keys=True)
        group = f"{family.type}:{ids[0]}" if ids else family.type
        group, _, variants = groups.setdefault(key, (group, sizes, []))
        if (stored, labels) not in variants:
            variants.append((stored, labels))
        for name in ids:
            names["checkpoints"][name.lower()] = [group, stored, labels]
    known: set[str] = set()
    for group, sizes, variants in groups.values():
        table = Table(library.classes)
        records = _records(_Builder(family, sizes, observations), family, table, variants)
        known.update(name.partition("/")[0] for name in records if name != "heads")
        if known:
            library.add(group, table.texts, records)
    names["types"][family.type] = {
        "stored": family.entry["architecture"],
        "tasks": {task: name for task, name in family.tasks.items() if name in known},
    }


def _records(
    builder: _Builder, family: _Family, table: Table, variants: list[tuple[str, int]]
) -> dict[str, Any]:
    """Each class with each number of labels, and what of it each stored class lacks ("heads")."""
    records: dict[str, Any] = {}
    heads: dict[str, Any] = {}
    for labels in dict.fromkeys(labels for _, labels in variants):
        models: dict[str, nn.Module] = {}
        for name in family.classes:
            built = builder.record(table, name, labels)
            if built is not None:
                records[_key(name, labels)], models[name] = built
        for stored in (stored for stored, own in variants if own == labels):
            lacking = {name: _lacking(model, models[stored]) for name, model in models.items()}
            heads[_key(stored, labels)] = {name: paths for name, paths in lacking.items() if paths != []}
    return {**records, "heads": heads}


def _key(name: str, labels: int) -> str:
    return f"{name}/{labels}" if labels else name


def _lacking(model: nn.Module, stored: nn.Module) -> list[str] | None:
    """Modules that a checkpoint of `stored` does not hold; a tied parameter is held under any of its names.
    None where most of the model seems to be missing: loading renames what is stored.
    """
    inner, own = f"{stored.base_model_prefix}.", f"{model.base_model_prefix}."
    full = {name for name, _ in stored.named_parameters(remove_duplicate=False)}
    held = full | {name.removeprefix(inner) for name in full}
    by_tensor: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        by_tensor.setdefault(id(parameter), []).append(name)
    missing = {
        name
        for names in by_tensor.values()
        if not any({name, name.removeprefix(own), own + name} & held for name in names)
        for name in names
    }
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    if 2 * sum(size for name, size in sizes.items() if name in missing) > sum(sizes.values()):
        return None
    return outermost(model, missing)


def _common_start(one: str, other: str) -> str:
    """The first words that two names in camel case share."""
    shared = commonprefix([one, other])  # noqa: RUF071 # characters are meant
    cut = len(shared)
    while cut and not other[cut : cut + 1].isupper():
        cut -= 1
    return other[:cut]


def _left_out(what: str) -> None:
    print(f"left out: {what}", file=sys.stderr)


def _fitting(config: Any, wanted: type) -> Any:
    if isinstance(config, wanted):
        return config
    return next((part for part in vars(config).values() if type(part) is wanted), None)


def _is_model(value: Any) -> bool:
    return bool(
        isinstance(value, type)
        and issubclass(value, transformers.PreTrainedModel)
        and "pretrained" not in value.__name__.lower()
        and getattr(value, "config_class", None) is not None
    )


def _tasks() -> dict[str, dict[str, str]]:
    """Task -> model type -> class, of every automatic class ("" for the bare model)."""
    found: dict[str, dict[str, str]] = {}
    for name in sorted(vars(modeling_auto)):
        mapping = getattr(getattr(modeling_auto, name), "_model_mapping", None)
        if name.startswith("AutoModel") and mapping is not None:
            classes = mapping._model_mapping
            found[name.removeprefix("AutoModel")] = {
                model_type: value if isinstance(value, str) else value[0]
                for model_type, value in classes.items()
            }
    return found


def _catalogue() -> dict[str, dict[str, Any]]:
    """The checkpoints of hermetic runs, and those that only the source reader needs."""
    families: dict[str, dict[str, Any]] = json.loads(
        Path(hermetic.__file__).with_name("checkpoints.json").read_text(encoding="utf-8")
    )
    more = json.loads(Path(__file__).with_name("checkpoints.json").read_text(encoding="utf-8"))
    for model_type, entry in more.items():
        family = families.setdefault(model_type, {"checkpoints": {}})
        own = {**family["checkpoints"], **entry["checkpoints"]}
        families[model_type] = {**family, **entry, "checkpoints": own}
    return families
