"""What to freeze and how to train, by the number of samples and the similarity of their domain: a pure
function of a model's blocks. No torch here: the command line imports it too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from freezelint.freezing.anatomy import Anatomy, BlockFacts
from freezelint.freezing.similarity import Similarity

Size = Literal["very small", "small", "medium", "large"]
Strategy = Literal["head", "last", "share", "gradual", "all"]
Norms = Literal["frozen", "calibrated", "follow", "none"]

RANGES: dict[Size, str] = {
    "very small": "below 1,000 samples",
    "small": "1,000 to 9,999 samples",
    "medium": "10,000 to 100,000 samples",
    "large": "more than 100,000 samples",
}
ADVICE: dict[tuple[Size, Similarity], str] = {
    ("very small", "high"): "freeze the whole body and train the head",
    ("very small", "medium"): "freeze most, and fine-tune the last one or two blocks with the head",
    (
        "very small",
        "low",
    ): "consider domain adaptation instead; until then freeze the body and train the head",
    ("small", "high"): "freeze most, and fine-tune the last two or three blocks with the head",
    ("small", "medium"): "gradual unfreezing",
    ("small", "low"): "gradual unfreezing with regularisation",
    ("medium", "high"): "fine-tune the last half",
    ("medium", "medium"): "fine-tune the last 60 to 70 %",
    ("medium", "low"): "fine-tune most layers",
    ("large", "high"): "fine-tune everything, with discriminative rates",
    ("large", "medium"): "fine-tune everything, with discriminative rates",
    ("large", "low"): "fine-tune everything",
}
_SHARES: dict[Similarity, float] = {"high": 0.5, "medium": 0.65, "low": 0.8}
_EPOCHS: dict[Size, int] = {"very small": 20, "small": 10, "medium": 5, "large": 3}

# Up to here blocks are stages of several layers (a ResNet has five and the head), above single layers.
MOST_STAGES = 8
# Gradual unfreezing opens no more parts than this one after another: rates fall by 2.6 from each to the next.
MOST_OPENINGS = 5
GRADUAL_DECAY = 1 / 2.6
# A rate below this part of the head's is a freeze that costs as much as training.
LOWEST_RATIO = 0.01


@dataclass(frozen=True)
class Decision:
    """What to do. `frozen` and the keys of `rates` are names of blocks; `stages` are those that a gradual
    unfreezing opens one after the other, nearest to the output first, `every` epochs apart. `rates` are
    learning rates from the output to the input. `warmup_steps` are optimizer steps, never more than a
    tenth of the training; `lowest` is the part of the rates that is left at its end.
    """

    size: Size
    similarity: Similarity
    strategy: Strategy
    frozen: tuple[str, ...]
    stages: tuple[tuple[str, ...], ...]
    rates: dict[str, float]
    norms: Norms
    optimizer: Literal["SGD", "AdamW"]
    weight_decay: float
    schedule: Literal["cosine", "linear"]
    epochs: int
    every: int
    warmup_steps: int
    lowest: float
    label_smoothing: float
    why: tuple[str, ...]

    @property
    def cell(self) -> str:
        """The cell of the matrix: size, similarity, and what it says."""
        advice = ADVICE[self.size, self.similarity]
        return f"{self.size} data ({RANGES[self.size]}), {self.similarity} similarity: {advice}"


def size_of(samples: int) -> Size:
    """The row of the matrix. Raises `ValueError` for fewer than one."""
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise ValueError(
            f"samples is the number of labelled samples, a whole number from 1, and is {samples!r}"
        )
    if samples < 1000:
        return "very small"
    if samples < 10_000:
        return "small"
    return "medium" if samples <= 100_000 else "large"


def decide(samples: int, similarity: Similarity, model: Anatomy) -> Decision:
    """The cell of the size-by-similarity matrix, worked out for a model."""
    size = size_of(samples)
    strategy = _strategy(size, similarity)
    trained = _trained(strategy, size, similarity, model.body)
    frozen = tuple(block.name for block in model.body if block.name not in trained)
    transformer = model.normed and not model.statistics
    stages = _stages(model.body) if strategy == "gradual" else ()
    every = (1 if transformer else 2) if stages else 1
    decay = _decay(strategy, similarity, model.body, transformer)
    even = (strategy, similarity) == ("all", "low")
    regularised = 10.0 if strategy == "gradual" and similarity == "low" else 1.0
    return Decision(
        size=size,
        similarity=similarity,
        strategy=strategy,
        frozen=frozen,
        stages=stages,
        rates=_rates(decay, _head_rate(strategy, transformer), model, trained, stages, even),
        norms=_norms(size, similarity) if model.statistics else "none",
        optimizer="AdamW" if transformer else "SGD",
        weight_decay=(1e-2 if transformer else 1e-4) * regularised,
        schedule="linear" if transformer else "cosine",
        epochs=max(_EPOCHS[size], every * (len(stages) + 1)),
        every=every,
        warmup_steps=100 if stages else 500,
        lowest=0.1,
        label_smoothing=0.1 if regularised > 1 else 0.0,
        why=_why(size, similarity, strategy, model, transformer),
    )


def _strategy(size: Size, similarity: Similarity) -> Strategy:
    if size == "very small":
        return "last" if similarity == "medium" else "head"
    if size == "small":
        return "last" if similarity == "high" else "gradual"
    return "share" if size == "medium" else "all"


def _trained(
    strategy: Strategy, size: Size, similarity: Similarity, body: Sequence[BlockFacts]
) -> frozenset[str]:
    """The blocks of the body that train sooner or later."""
    if strategy == "head":
        return frozenset()
    if strategy == "last":
        count = (1 if size == "very small" else 2) + (len(body) > MOST_STAGES)
        return frozenset(block.name for block in body[-count:])
    first = _first_of_share(body, _SHARES[similarity]) if strategy == "share" else 0
    return frozenset(block.name for block in body[first:])


def _first_of_share(body: Sequence[BlockFacts], share: float) -> int:
    """Where to cut so that the blocks from there on hold about this share of the body's layers."""
    total = max(sum(block.layers for block in body), 1)
    held = [sum(block.layers for block in body[first:]) / total for first in range(len(body))]
    candidates = range(1, len(body)) if len(body) > 1 else range(1)
    return min(candidates, key=lambda first: abs(held[first] - share))


def _stages(body: Sequence[BlockFacts]) -> tuple[tuple[str, ...], ...]:
    """What is opened at a time: block by block, or for many blocks about as many of them each."""
    names = [block.name for block in reversed(body)]
    count = min(len(names), MOST_OPENINGS)
    cuts = [round(position * len(names) / count) for position in range(count + 1)]
    return tuple(tuple(names[a:b]) for a, b in pairwise(cuts))


def _decay(
    strategy: Strategy, similarity: Similarity, body: Sequence[BlockFacts], transformer: bool
) -> float:
    """The factor from a block to the one before it."""
    if strategy == "gradual":
        return GRADUAL_DECAY
    if len(body) <= MOST_STAGES and not transformer:
        return 0.8
    decay = 0.95 if similarity == "high" else 0.9
    return max(decay, float(LOWEST_RATIO ** (1 / len(body))))


def _head_rate(strategy: Strategy, transformer: bool) -> float:
    if not transformer or strategy == "head":
        return 1e-3
    return 1e-4 if strategy == "gradual" else 3e-5


def _rates(
    decay: float,
    head_rate: float,
    model: Anatomy,
    trained: frozenset[str],
    stages: tuple[tuple[str, ...], ...],
    even: bool,
) -> dict[str, float]:
    """The rate of each block that trains, from the output to the input; `even` gives the body one."""
    rates = {block.name: head_rate for block in reversed(model.head)}
    opened = {name: number for number, names in enumerate(stages, 1) for name in names}
    for number, block in enumerate(reversed(model.body), 1):
        if block.name in trained:
            rates[block.name] = head_rate * decay ** (1 if even else opened.get(block.name, number))
    return rates


def _norms(size: Size, similarity: Similarity) -> Norms:
    if size == "very small":
        return "calibrated" if similarity == "low" else "frozen"
    return "frozen" if size == "small" and similarity != "low" else "follow"


_WHY_STRATEGY: dict[Strategy, str] = {
    "head": "the body's features serve as they are: a head on fixed features cannot overfit them",
    "last": "early layers hold general features, late ones those of the old task (Yosinski et al. 2014): "
    "with little data only what is most specific is adapted",
    "share": "early layers hold general features, late ones those of the old task (Yosinski et al. 2014): "
    "the less similar the domain, the more of them are adapted",
    "gradual": "the head settles before anything below it moves, then block after block is opened from the "
    "output to the input, each warmed up (Howard and Ruder 2018)",
    "all": "this much data can adapt every layer without losing what the old data taught",
}
_WHY_NORMS: dict[Norms, str] = {
    "frozen": "all norm layers of the body keep scale, shift and running statistics: little data estimates "
    "them worse than the old data did",
    "calibrated": "the running statistics are measured anew on the target data, exactly, and then frozen: it "
    "is the simplest domain adaptation (Li et al. 2018, AdaBN)",
    "follow": "norm layers of what is frozen keep their statistics, those of what trains follow the new data",
    "none": "no norm layer of the body keeps running statistics",
}


def _why(
    size: Size, similarity: Similarity, strategy: Strategy, model: Anatomy, transformer: bool
) -> tuple[str, ...]:
    rates = "one rate for the body, below the head's, which starts from nothing"
    if strategy == "head":
        rates = "the usual rate of a new layer: nothing that was trained can be damaged"
    elif (strategy, similarity) != ("all", "low"):
        rates = "rates fall from the output to the input, as general features need the least change"
    recipe = (
        "AdamW, small rates and a linear fall after the warm-up are the published recipe for transformers"
        if transformer
        else "SGD with momentum 0.9 at 1e-3 is the recipe of PyTorch's transfer learning tutorial"
    )
    norms: Norms = _norms(size, similarity) if model.statistics else "none"
    first = _WHY_STRATEGY[strategy]
    if (size, similarity) == ("very small", "low"):
        first = (
            "this is too little data to adapt features that were learnt elsewhere: train the body on "
            "unlabelled data of the domain first, or begin with weights that are nearer to it"
        )
    return (first, rates, recipe, _WHY_NORMS[norms])
