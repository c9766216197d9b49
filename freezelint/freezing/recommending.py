"""From the number of samples and the similarity of their domain to a plan for a model."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from freezelint.freezing.anatomy import anatomy
from freezelint.freezing.decisions import decide, size_of
from freezelint.freezing.execution import run_order
from freezelint.freezing.patterns import Pattern, select, unwrapped
from freezelint.freezing.plans import Plan
from freezelint.freezing.shift import DomainShift
from freezelint.freezing.similarity import Similarity, known_word, word_of_score
from freezelint.freezing.structure import tree_of


def recommend(
    samples: int,
    similarity: Similarity | float | DomainShift,
    model: nn.Module,
    *,
    head: Pattern | tuple[Pattern, ...] = (),
    sample: Any = None,
) -> Plan:
    """What to freeze in this model and how to train it, by the size-by-similarity matrix.

    `samples` is the number of labelled samples: below 1,000 is very small, below 10,000 small, up to 100,000
    medium. `similarity` of their domain to that of the pretrained weights is "high", "medium" or "low", what
    `domain_shift` measured, or a number in [0, 1], 1 for the same data (its `score`).

    | samples    | high                    | medium                  | low                          |
    |------------|-------------------------|-------------------------|------------------------------|
    | very small | the head alone          | the last 1 or 2 blocks  | domain adaptation, then head |
    | small      | the last 2 or 3 blocks  | gradual unfreezing      | the same, regularised        |
    | medium     | the last half           | the last 60 to 70 %     | most layers (80 %)           |
    | large      | all, rates by block     | all, rates by block     | all, one rate for the body   |

    Shares are of layers with weights, and cuts lie between blocks (`freezing.blocks`, which also explains
    `sample`); the smaller number of blocks is for models with up to eight. Models whose body keeps running
    statistics, or has no norm layers, get SGD, 1e-3 for the head and 0.8 times as much from block to block;
    others (transformers) AdamW, 3e-5 and 0.9, or 0.95 where similarity is high; a head that trains alone
    1e-3; gradual unfreezing divides by 2.6. Norm layers of what is frozen are frozen; with little data those
    of the whole body are. Numbers of epochs (20, 10, 5, 3 by size) are a place to begin. `head` names what
    is new (patterns as in `freezing.freeze`), the last block otherwise: give it where the new head is
    larger, such as `("pre_classifier", "classifier")` of a DistilBERT.

    Nothing is changed. The plan is a value: `print(plan)`, `plan.apply(model, loader)`, `plan.code()`.
    Raises `ValueError` for a number of samples below 1, a similarity that is none, a model of one block, a
    sample that it does not run on; `NoMatchError` where `head` names nothing.

    Sources: Yosinski et al. 2014 for what transfers at which depth; Howard and Ruder 2018 (ULMFiT); Devlin et
    al. 2019 (rates for transformers). The cells are guidelines of practice, to be compared on held-out data.
    """
    size_of(samples)
    word = _word(similarity)
    model = unwrapped(model)
    patterns = head if isinstance(head, tuple) else (head,)
    new = set(select(model, patterns).parameters) if patterns else set()
    tree = tree_of(model)
    first = None
    if sample is not None:
        first = {name: position for position, name in enumerate(run_order(model, sample))}
    known = anatomy(
        type(model).__name__,
        tree,
        shape=lambda parameter: tuple(parameter.shape),
        head=new.__contains__ if patterns else None,
        first=first,
        batch_norm=lambda kind: issubclass(kind, _BatchNorm),
    )
    return Plan(known, decide(samples, word, known), "dict" if _takes_dict(model) else "tensor")


def _word(similarity: Similarity | float | DomainShift) -> Similarity:
    if isinstance(similarity, DomainShift):
        return similarity.similarity
    if isinstance(similarity, str):
        return known_word(similarity)
    if isinstance(similarity, (int, float)) and not isinstance(similarity, bool):
        return word_of_score(similarity)
    raise ValueError(
        "similarity must be 'high', 'medium', 'low', a number in [0, 1] or what `domain_shift` returns, and "
        f"is of class {type(similarity).__name__}"
    )


def _takes_dict(model: nn.Module) -> bool:
    """Whether it is one of transformers' models, which take keywords and return objects with logits."""
    return any(
        base.__module__.startswith("transformers.") and base.__name__ == "PreTrainedModel"
        for base in type(model).__mro__
    )
