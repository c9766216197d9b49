"""pytest: a fixture that fails a test where a training step has freezing bugs, and a marker for its settings.

    def test_the_training_step_is_clean(freezelint_audit):
        model, optimizer, batch = build()
        freezelint_audit(model, optimizer, lambda: loss_of(model, batch).backward())

Every run of pytest loads this: what takes time (torch, the rules) is imported when a test audits something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from freezelint.integrations.pytest_audits import Audit

MARKER = "freezelint"
_MARKER_HELP = (
    f"{MARKER}(select=None, ignore=(), steps=None, device=None): settings of the `freezelint_audit` fixture"
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER_HELP)


@pytest.fixture
def freezelint_audit(request: pytest.FixtureRequest) -> Audit:
    """Audit a training step: `freezelint_audit(model, optimizer, step)` fails the test with the report where
    there are findings, and returns the report.

    Takes `select`, `ignore`, `steps` and `device` like the marker `freezelint`, on top of it and of the
    project's `[tool.freezelint]`.
    """
    from freezelint.integrations.pytest_audits import Audit

    markers = [dict(marker.kwargs) for marker in request.node.iter_markers(MARKER)]
    return Audit(request.path.parent, markers)
