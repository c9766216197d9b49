"""How far a target data set is from the one that a model was trained on, as its norm layers see it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from tabulate import tabulate
from torch import Tensor, nn

from freezelint.freezing.measuring import Forward, measured
from freezelint.freezing.norms import chosen
from freezelint.freezing.patterns import NoMatchError, Pattern, unwrapped
from freezelint.freezing.similarity import Similarity, word_of_divergence
from freezelint.freezing.statistics import Pooled

_HEADERS = ("norm layer", "channels", "divergence", "means moved", "spread")


@dataclass(frozen=True)
class LayerShift:
    """One norm layer and what reaches it. `divergence` is in nats per channel. `mean_shift` tells how far the
    channels' means moved, in stored standard deviations (root mean square), `spread` is the standard
    deviation now over the stored one (geometric mean): 0, 0 and 1 where nothing changed.
    """

    name: str
    channels: int
    divergence: float
    mean_shift: float
    spread: float


@dataclass(frozen=True)
class DomainShift:
    """What `domain_shift` measured: a row for each norm layer, in definition order, and the number of
    batches. `skipped` are layers that no batch reached, or whose stored statistics are those of a new layer.
    As text a table, with the number and the word below it.
    """

    rows: tuple[LayerShift, ...]
    batches: int
    skipped: tuple[str, ...] = ()

    @property
    def divergence(self) -> float:
        """The mean over the layers, each counting alike, in nats per channel; 0 where nothing changed."""
        return sum(row.divergence for row in self.rows) / len(self.rows)

    @property
    def score(self) -> float:
        """`exp(-divergence)`, in [0, 1]: 1 where nothing changed."""
        return math.exp(-self.divergence)

    @property
    def similarity(self) -> Similarity:
        """ "high" below 0.75 nats per channel, "low" above 2, else "medium": what `recommend` takes."""
        return word_of_divergence(self.divergence)

    def __str__(self) -> str:
        cells = [
            (r.name, f"{r.channels:,}", f"{r.divergence:.3g}", f"{r.mean_shift:.2f} sd", f"x {r.spread:.2f}")
            for r in self.rows
        ]
        aligned = ("left", "right", "right", "right", "right")
        table = tabulate(cells, headers=_HEADERS, colalign=aligned, disable_numparse=True)
        lines = [table, f"{self.divergence:.3g} nats per channel: {self.similarity} similarity"]
        if self.skipped:
            lines.append(f"without stored statistics, or not run: {', '.join(self.skipped)}")
        return "\n".join(lines)


def domain_shift(
    model: nn.Module, loader: Iterable[Any], *patterns: Pattern, forward: Forward | None = None
) -> DomainShift:
    """How far the batches of `loader` are from the data of the model's running statistics.

    For each norm layer with running statistics, and each of its channels, stored and present inputs are taken
    as Gaussians, and their symmetric Kullback-Leibler divergence is

        KL(p || q) + KL(q || p) = ((v + d²) / w + (w + d²) / v) / 2 - 1    nats

    with variances v and w (the layer's `eps` added, as it normalises) and means d apart; a layer's divergence
    is the mean over its channels. The present statistics are exact over all batches, however they are
    sized, and those of each layer's *input* in eval mode: all earlier layers normalise as trained. Weights,
    buffers, flags, gradients, modes and random numbers are left as they were.

    A batch is a tensor of the shape that the model takes, a tuple or list whose first element is the input,
    or a dict of keyword arguments; it is moved to the device of the model's first parameter.
    `forward(model, batch)` replaces this. Preprocess the batches as the model's own data were, without
    augmentation: the wrong scaling is a domain shift too. A few hundred samples do: with n of them the
    divergence of equal distributions is about 2 / n. Patterns (as in `freezing.freeze`) restrict the layers.

    What the words rest on: a small ResNet trained on the digits 0 to 4 of scikit-learn's 8 x 8 images (three
    runs, `python -m tests.benchmarks.domain_shift`). Other images of the same digits are 0.004 to 0.006 nats
    away, with noise, mirrored or turned by 15° up to 0.23; the digits 5 to 9 0.4 to 0.65; inverted 0 to 4 1.3
    to 1.8, turned by 90° 2 to 3; blurred or low-contrast 5 to 9 2.6 to 5; patches of photographs 4 to 8. A
    ResNet with larger pictures in its last stages gave a third to two thirds of that. The number says how
    much the *inputs* of layers differ, not whether the features still serve: on inverted digits 5 to 9 a
    linear probe was as good as on plain ones, and mirrored digits, which hardly differ in it, are misread.
    Treat the word as a first guess, and compare on held-out data.

    Warns where all statistics are those of a new model. Raises `NoMatchError` (a `ValueError`) where the
    model has no such layer (LayerNorm and GroupNorm store nothing: give `recommend` a word), `ValueError`
    where the loader gives no batch, no layer runs, or inputs are not finite.

    Source: Pan et al. 2018 (IBN-Net), feature divergence, after Li et al. 2018 (AdaBN).
    """
    model = unwrapped(model)
    norms = _with_statistics(model, patterns)
    known = {name: norm for name, norm in norms.items() if not _is_new(norm)}
    if not known:
        warnings.warn(
            f"the running statistics of {type(model).__name__} are those of a new model (means 0, variances "
            "1), and what data are compared with them says nothing: load its pretrained weights first",
            stacklevel=2,
        )
        known = norms
    pooled, batches = measured(model, known.values(), loader, forward, by_batch=False)
    reached = {name: norm for name, norm in known.items() if pooled[norm].count}
    if not reached:
        raise ValueError(f"no norm layer of {type(model).__name__} ran on the batches: see `forward`")
    rows = tuple(_row(name, norm, pooled[norm]) for name, norm in reached.items())
    return DomainShift(rows, batches, tuple(name for name in norms if name not in reached))


def _with_statistics(model: nn.Module, patterns: tuple[Pattern, ...]) -> dict[str, nn.Module]:
    try:
        return chosen(model, patterns)
    except NoMatchError as error:
        if "no norm layer" not in str(error):
            raise
        raise NoMatchError(
            f"{error}: there is nothing that its data could be compared with; judge the similarity yourself, "
            "and give `recommend` the word"
        ) from None


def _is_new(norm: nn.Module) -> bool:
    mean, variance = _stored(norm)
    return not bool(mean.any()) and bool((variance == 1).all())


def _stored(norm: nn.Module) -> tuple[Tensor, Tensor]:
    return norm.get_buffer("running_mean"), norm.get_buffer("running_var")


def _row(name: str, norm: nn.Module, present: Pooled) -> LayerShift:
    mean_now, variance_now = present.moments()
    mean, variance = (buffer.to(mean_now.dtype) for buffer in _stored(norm))
    eps = getattr(norm, "eps", 1e-5)
    before, now, apart = variance + eps, variance_now + eps, (mean_now - mean).square()
    divergence = (((before + apart) / now + (now + apart) / before) / 2 - 1).mean()
    if not bool(torch.isfinite(divergence)):
        raise ValueError(
            f"what reaches `{name}`, or its running statistics, is not finite: look for NaN or overflow in "
            "the preprocessing, and for half precision"
        )
    return LayerShift(
        name,
        mean.numel(),
        float(divergence),
        float((apart / before).mean().sqrt()),
        float(((now / before).log().mean() / 2).exp()),
    )
