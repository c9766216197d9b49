"""Stand-in for `evaluate.load`, whose metrics are scripts that the library downloads."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from freezelint.live.hermetic.session import Session

MODULES = ("evaluate.loading",)


def install(module: ModuleType, session: Session) -> None:
    """A metric that collects and answers: training does not depend on its value."""

    def load(_real: Callable[..., Any], path: str, *_args: Any, **_kwargs: Any) -> Any:
        session.note(
            f"evaluate {path}",
            "accuracy where it can be computed, zero for other metrics, instead of a download",
        )
        return _Metric(path)

    session.replace_everywhere("evaluate", "load", module, load)


class _Metric:
    """Behaves like `evaluate.EvaluationModule` as far as training loops go."""

    def __init__(self, name: str) -> None:
        self.name = name.rsplit("/", 1)[-1]
        self._predictions: list[Any] = []
        self._references: list[Any] = []

    def add(self, prediction: Any = None, reference: Any = None, **kwargs: Any) -> None:
        self._predictions.append(kwargs.get("predictions", prediction))
        self._references.append(kwargs.get("references", reference))

    def add_batch(self, predictions: Any = (), references: Any = (), **_kwargs: Any) -> None:
        self._predictions.extend(predictions)
        self._references.extend(references)

    def compute(self, predictions: Any = None, references: Any = None, **_kwargs: Any) -> dict[str, float]:
        given = self._predictions if predictions is None else list(predictions)
        expected = self._references if references is None else list(references)
        self._predictions, self._references = [], []
        pairs = list(zip(given, expected, strict=False))
        right = sum(_same(one, other) for one, other in pairs) / len(pairs) if pairs else 0.0
        return {"accuracy": right} if self.name in ("accuracy", "glue") else {self.name: 0.0}


def _same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except (TypeError, ValueError, RuntimeError):
        return False
