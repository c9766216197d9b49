"""What the fixture `freezelint_audit` gives a test: an audit with the project's settings that fails it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pytest

from freezelint.config import Config, load
from freezelint.errors import BadInputError

if TYPE_CHECKING:
    from freezelint.evidence import Trace
    from freezelint.finding import Finding
    from freezelint.live.api import Report

_SETTINGS = ("select", "ignore", "steps", "device")
_STEPS = 2


class Audit:
    """Call it with a model, its optimizer and a step, as `freezelint.audit`.

    Settings come from the call, then from the markers of the test (the closest one first), then from the
    configuration nearest to the test's file. The first that says something holds; what is ignored adds up.
    Comments (`# noqa: FRZ201`), `per-file-ignores`, severities and the baseline hold as on the command
    line.
    """

    def __init__(self, directory: Path, markers: Sequence[Mapping[str, Any]]) -> None:
        self._directory = directory
        self._markers = markers

    def __call__(
        self,
        model: Any,
        optimizer: Any,
        step: Callable[[], Any],
        *,
        select: Sequence[str] | None = None,
        ignore: Sequence[str] = (),
        steps: int | None = None,
        device: str | None = None,
    ) -> Report:
        """Audit; the report of a step without findings. Everything is left as it was."""
        __tracebackhide__ = True
        given = {"select": select, "ignore": ignore, "steps": steps, "device": device}
        report, told = None, ""
        try:
            report = _audited(model, optimizer, step, self._config(given))
            told = str(report) if report.findings else ""
        except BadInputError as error:
            told = f"freezelint: {error}"
        except Exception as error:
            raise error.with_traceback(_without_our_frames(error.__traceback__)) from None
        if told or report is None:
            pytest.fail(told.rstrip(), pytrace=False)
        return report

    def _config(self, given: Mapping[str, Any]) -> Config:
        layers = [given, *self._markers]
        for layer in self._markers:
            _require_known(layer)
        config = load(self._directory)
        values: dict[str, Any] = {}
        for layer in reversed(layers):
            values.update((name, value) for name, value in layer.items() if value is not None)
        if "select" in values:
            values["select"] = _listed(values["select"])
        ignored = [selector for layer in layers for selector in _listed(layer.get("ignore", ()))]
        values["ignore"] = (*(config.ignore or ()), *ignored)
        return replace(config, **values)


def _listed(selectors: str | Sequence[str]) -> tuple[str, ...]:
    return (selectors,) if isinstance(selectors, str) else tuple(selectors)


def _require_known(marker: Mapping[str, Any]) -> None:
    for name in marker:
        if name not in _SETTINGS:
            near = difflib.get_close_matches(name, _SETTINGS, n=1, cutoff=0.0)[0]
            raise BadInputError(f"the marker has no setting {name!r}; did you mean {near!r}?")


def _audited(model: Any, optimizer: Any, step: Callable[[], Any], config: Config) -> Report:
    from freezelint.live.api import audited

    steps = config.steps if config.steps is not None else _STEPS
    return audited(model, optimizer, step, _chosen(config), steps=steps, device=_device(config))


def _chosen(config: Config) -> Callable[[Trace], Sequence[Finding]]:
    from freezelint.check_command import wishes_of
    from freezelint.judge import judge
    from freezelint.texts import Texts
    from freezelint.verdict import decide

    wishes = wishes_of(config)
    return lambda trace: decide(judge([trace]), Texts({}), wishes).findings


def _device(config: Config) -> str | None:
    if config.device == "fake":
        raise BadInputError(
            "`device = fake` needs a model that was built on fake tensors: choose `cpu` for this test, or "
            "audit a factory (`freezelint check train.py:build --device fake`)"
        )
    return config.device


def _without_our_frames(traceback: TracebackType | None) -> TracebackType | None:
    """What the step raised, from the test to the step, without the frames of freezelint in between."""
    from freezelint.live.process.failures import is_ours

    if traceback is None:
        return None
    following = _without_our_frames(traceback.tb_next)
    if is_ours(traceback.tb_frame.f_code.co_filename):
        return following
    return TracebackType(following, traceback.tb_frame, traceback.tb_lasti, traceback.tb_lineno)
