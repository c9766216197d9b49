"""How similar source and target are, in words. No torch here: the command line imports it too."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

Similarity: TypeAlias = Literal["high", "medium", "low"]

WORDS: tuple[Similarity, ...] = ("high", "medium", "low")

# In nats per channel; `freezelint.freezing.shift.domain_shift` says what they rest on.
HIGH_BELOW = 0.75
LOW_ABOVE = 2.0


def word_of_divergence(divergence: float) -> Similarity:
    """The word for a divergence in nats per channel."""
    if divergence < HIGH_BELOW:
        return "high"
    return "low" if divergence > LOW_ABOVE else "medium"


def word_of_score(score: float) -> Similarity:
    """The word for `exp(-divergence)`, 1 where nothing differs. Raises `ValueError` out of [0, 1]."""
    if not 0 <= score <= 1:
        raise ValueError(
            f"similarity as a number lies in [0, 1], 1 for the same data, and is {score}; a divergence goes "
            "in as the DomainShift itself"
        )
    return word_of_divergence(-math.log(score) if score else math.inf)


def known_word(word: str) -> Similarity:
    """The word itself. Raises `ValueError` where it is none of the three."""
    if word not in WORDS:
        raise ValueError(f"similarity must be 'high', 'medium' or 'low', and is {word!r}")
    return word
