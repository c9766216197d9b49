"""What optimizer classes take and keep: positional arguments with their defaults, and what moves a parameter
whose gradient is zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

# What moves a parameter on a gradient of zeros, besides weight decay: nothing; the momentum of the group,
# where it is not zero; averages of earlier gradients; always something; or nobody knows.
Inertia = Literal["none", "momentum", "averages", "always", "unknown"]

_BETAS = (0.9, 0.999)


@dataclass(frozen=True)
class OptimizerClass:
    """`fields` are the arguments behind `params`, in order; keyword-only ones do not matter here."""

    fields: tuple[tuple[str, Any], ...]
    inertia: Inertia = "averages"
    stateful: bool = True  # it keeps something for each parameter even without momentum


def _adam(
    lr: Any, weight_decay: float, betas: tuple[float, ...] = _BETAS, eps: float = 1e-8
) -> OptimizerClass:
    return OptimizerClass((("lr", lr), ("betas", betas), ("eps", eps), ("weight_decay", weight_decay)))


def _sgd(lr: Any) -> OptimizerClass:
    fields = (("lr", lr), ("momentum", 0), ("dampening", 0), ("weight_decay", 0), ("nesterov", False))
    return OptimizerClass(fields, "momentum", stateful=False)


TORCH: dict[str, OptimizerClass] = {
    "SGD": _sgd(1e-3),
    "Adam": _adam(1e-3, 0),
    "AdamW": _adam(1e-3, 1e-2),
    "Adamax": _adam(2e-3, 0),
    "NAdam": _adam(2e-3, 0),
    "RAdam": _adam(1e-3, 0),
    "SparseAdam": OptimizerClass((("lr", 1e-3), ("betas", _BETAS), ("eps", 1e-8)), "unknown"),
    "Adagrad": OptimizerClass(
        (
            ("lr", 1e-2),
            ("lr_decay", 0),
            ("weight_decay", 0),
            ("initial_accumulator_value", 0),
            ("eps", 1e-10),
        ),
        "none",
    ),
    "Adadelta": OptimizerClass((("lr", 1.0), ("rho", 0.9), ("eps", 1e-6), ("weight_decay", 0)), "none"),
    "Adafactor": OptimizerClass(
        (("lr", 1e-2), ("beta2_decay", -0.8), ("eps", (None, 1e-3)), ("d", 1.0), ("weight_decay", 0.0)),
        "none",
    ),
    "ASGD": OptimizerClass(
        (("lr", 1e-2), ("lambd", 1e-4), ("alpha", 0.75), ("t0", 1e6), ("weight_decay", 0)), "always"
    ),
    "LBFGS": OptimizerClass((("lr", 1), ("max_iter", 20)), "unknown"),
    "Muon": OptimizerClass(
        (("lr", 1e-3), ("weight_decay", 0.1), ("momentum", 0.95), ("nesterov", True)), "momentum"
    ),
    "RMSprop": OptimizerClass(
        (
            ("lr", 1e-2),
            ("alpha", 0.99),
            ("eps", 1e-8),
            ("weight_decay", 0),
            ("momentum", 0),
            ("centered", False),
        ),
        "momentum",
    ),
    "Rprop": OptimizerClass((("lr", 1e-2), ("etas", (0.5, 1.2)), ("step_sizes", (1e-6, 50))), "none"),
}

# By the dotted name, where a class differs from torch's of that name; an `lr` of None it chooses itself.
_OTHERS: dict[str, OptimizerClass] = {
    "transformers.AdamW": _adam(1e-3, 0.0, eps=1e-6),
    "transformers.Adafactor": OptimizerClass(
        (("lr", None), ("eps", (1e-30, 1e-3)), ("clip_threshold", 1.0)), "none"
    ),
    "lion_pytorch.Lion": OptimizerClass((("lr", 1e-4), ("betas", (0.9, 0.99)), ("weight_decay", 0.0))),
    "bitsandbytes.optim.Lion": OptimizerClass((("lr", 1e-4), ("betas", (0.9, 0.99)), ("weight_decay", 0))),
    "apex.optimizers.FusedAdam": OptimizerClass(
        (
            ("lr", 1e-3),
            ("bias_correction", True),
            ("betas", _BETAS),
            ("eps", 1e-8),
            ("adam_w_mode", True),
            ("weight_decay", 0.0),
        ),
    ),
    "apex.optimizers.FusedLAMB": OptimizerClass(
        (("lr", 1e-3), ("bias_correction", True), ("betas", _BETAS), ("eps", 1e-6), ("weight_decay", 0.01)),
    ),
    "timm.optim.RMSpropTF": OptimizerClass(
        (("lr", 1e-2), ("alpha", 0.9), ("eps", 1e-10), ("weight_decay", 0), ("momentum", 0.0)), "momentum"
    ),
    "timm.optim.SGDP": _sgd(1e-3),
    "timm.optim.Lamb": OptimizerClass(
        (("lr", 1e-3), ("bias_correction", True), ("betas", _BETAS), ("eps", 1e-6), ("weight_decay", 0.01)),
    ),
    "timm.optim.Lion": OptimizerClass((("lr", 1e-4), ("betas", (0.9, 0.99)), ("weight_decay", 0.0))),
    "prodigyopt.Prodigy": _adam(1.0, 0),
    "dadaptation.DAdaptAdam": _adam(1.0, 0),
    "dadaptation.DAdaptSGD": OptimizerClass(
        (("lr", 1.0), ("momentum", 0.0), ("weight_decay", 0)), "momentum"
    ),
}

# Of a class that nobody knows: the rate comes second.
_UNKNOWN = OptimizerClass((("lr", None),), "unknown")


def class_of(name: str) -> OptimizerClass:
    """What is known of an optimizer class by its dotted name (of torch, or of another library)."""
    last = name.rpartition(".")[2]
    if name in _OTHERS:
        return _OTHERS[name]
    if name.startswith("torch.optim."):
        return TORCH.get(last, _UNKNOWN)
    for suffix in ("8bit", "32bit", "4bit"):
        last = last.removesuffix(suffix).removesuffix("_")
    last = last.removeprefix("Paged").removeprefix("Fused").removeprefix("DeepSpeedCPU").removeprefix("CPU")
    other = name.rpartition(".")[0] + "." + last
    return _OTHERS.get(other) or TORCH.get(last, _UNKNOWN)


def inertia_of(name: str) -> Inertia:
    """What moves a parameter with a gradient of zeros, by the last name of the class."""
    last = name.rpartition(".")[2]
    if last in TORCH:
        return TORCH[last].inertia
    known = next((known for dotted, known in _OTHERS.items() if dotted.endswith(f".{last}")), None)
    return "unknown" if known is None else known.inertia
