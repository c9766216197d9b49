"""What `freezelint.freezing` offers, and when it imports torch."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from freezelint import freezing


def test_every_name_is_there_and_documented() -> None:
    for name in freezing.__all__:
        assert inspect.getdoc(getattr(freezing, name)), name
        assert name in dir(freezing)
    with pytest.raises(AttributeError, match=r"module 'freezelint\.freezing' has no attribute 'frezze'"):
        freezing.frezze  # noqa: B018


def test_torch_is_imported_with_the_first_name() -> None:
    probe = (
        "import sys; from freezelint import freezing; assert 'torch' not in sys.modules; "
        "freezing.freeze; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", probe], check=True)
