"""Made-up rows for a table of the catalogue, as real `datasets` objects."""

from __future__ import annotations

import io
import random
import re
from typing import Any

from freezelint.live.hermetic.pictures import labels, picture
from freezelint.live.hermetic.row_catalogue import LONGEST, Table

_WORDS = (
    *("the", "a", "one", "film", "story", "people", "time", "place", "good", "bad", "long", "short", "first"),
    *("last", "new", "old", "small", "great", "never", "always", "came", "went", "said", "made", "found"),
    *("lost", "with", "without", "under", "over", "city", "water", "light", "house", "day", "night", "music"),
    *("market", "team", "game", "number", "world"),
)
_DISTINCT_PICTURES = 64


def dataset(table: Table, split: str) -> Any:
    """One split, cut to `LONGEST` rows. The last column of labels agrees with nothing: there is nothing to
    learn in it.
    """
    import datasets

    count = min(table.splits[split], LONGEST)
    features = datasets.Features({name: _feature(datasets, kind) for name, kind in table.columns.items()})
    columns = {name: _column(name, kind, count, table) for name, kind in table.columns.items()}
    return datasets.Dataset.from_dict(columns, features=features, split=datasets.NamedSplit(split))


def selected(table: Table, instruction: str) -> Any:
    """The rows that a split instruction names, like "train[:80%]+test"; slices beyond the end stop there."""
    import datasets

    parts = [_part(table, part.strip()) for part in instruction.split("+")]
    return parts[0] if len(parts) == 1 else datasets.concatenate_datasets(parts)


def _part(table: Table, part: str) -> Any:
    import datasets

    if part == "all":
        return datasets.concatenate_datasets([dataset(table, split) for split in table.splits])
    found = re.fullmatch(r"([\w-]+)(?:\[(-?\d*)(%?):(-?\d*)(%?)\])?", part)
    if found is None or found[1] not in table.splits:
        raise ValueError(f"Unknown split {part!r}. Should be one of {list(table.splits)}.")
    whole = dataset(table, found[1])
    if found[2] is None:
        return whole
    start = _border(found[2], found[3], len(whole), 0)
    stop = _border(found[4], found[5], len(whole), len(whole))
    return whole.select(range(start, max(start, stop)))


def _border(number: str, percent: str, count: int, default: int) -> int:
    if not number:
        return default
    wanted = round(int(number) * count / 100) if percent else int(number)
    return max(0, min(count, wanted + count if wanted < 0 else wanted))


def _feature(datasets: Any, kind: str) -> Any:
    name, _, details = kind.partition(":")
    if name in ("label", "tags"):
        names = None if details.isdigit() else details.split(",")
        label = (
            datasets.ClassLabel(num_classes=int(details))
            if names is None
            else datasets.ClassLabel(names=names)
        )
        return label if name == "label" else _sequence(datasets, label)
    if name == "translation":
        return datasets.Translation(languages=details.split(","))
    if name == "answers":
        return {
            "text": _sequence(datasets, datasets.Value("string")),
            "answer_start": _sequence(datasets, datasets.Value("int32")),
        }
    if name == "words":
        return _sequence(datasets, datasets.Value("string"))
    if name == "image":
        return datasets.Image()
    plain = {"text": "string", "int": "int32", "float": "float32", "bool": "bool", "class": "int64"}
    return datasets.Value(plain[name])


def _sequence(datasets: Any, feature: Any) -> Any:
    return datasets.Sequence(feature)


def _column(column: str, kind: str, count: int, table: Table) -> list[Any]:
    name, _, details = kind.partition(":")
    draw = random.Random(column)
    if name == "int":
        return list(range(count))
    if name == "float":
        return [draw.uniform(0, 5) for _ in range(count)]
    if name == "bool":
        return [draw.random() < 0.5 for _ in range(count)]
    if name in ("label", "class"):
        return labels(count, _classes(details), seed=len(column))
    if name == "text":
        return [str(row) if column == "id" else _sentence(draw) for row in range(count)]
    if name == "image":
        return _encoded_pictures(details, count)
    if name == "translation":
        return [{language: _sentence(draw) for language in details.split(",")} for _ in range(count)]
    if name == "answers":
        return _answers(table, count)
    # Words and their tags must be equally many in a row, whatever the column.
    lengths = random.Random(0)
    sizes = [lengths.randint(4, 15) for _ in range(count)]
    if name == "words":
        return [draw.choices(_WORDS, k=size) for size in sizes]
    return [[draw.randrange(_classes(details)) for _ in range(size)] for size in sizes]


def _classes(details: str) -> int:
    return int(details) if details.isdigit() else len(details.split(","))


def _sentence(draw: random.Random) -> str:
    return f"{' '.join(draw.choices(_WORDS, k=draw.randint(6, 18))).capitalize()}."


def _answers(table: Table, count: int) -> list[dict[str, list[Any]]]:
    """The second word of each row's context, with its place there."""
    contexts = _column("context", "text", count, table)
    answers = []
    for context in contexts:
        word = context.rstrip(".").split()[1]
        answers.append({"text": [word], "answer_start": [context.index(f" {word}") + 1]})
    return answers


def _encoded_pictures(details: str, count: int) -> list[dict[str, Any]]:
    width, height, mode = details.split(",")
    encoded = []
    for index in range(min(count, _DISTINCT_PICTURES)):
        # Large pixels: a picture then takes a few hundred bytes, and thousands of rows little memory.
        small = picture(index, (8, 8), mode)
        file = io.BytesIO()
        small.resize((int(width), int(height)), resample=0).save(file, format="PNG")
        encoded.append(file.getvalue())
    return [{"bytes": encoded[row % len(encoded)], "path": None} for row in range(count)]
