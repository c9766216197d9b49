"""One script, mended."""

from __future__ import annotations

from pathlib import Path

from tests.fixing.mending import Mended, mended


def fixed_script(directory: Path, text: str, *, unsafe: bool = False, extend: tuple[str, ...] = ()) -> Mended:
    """Write the script, and see what `--fix` makes of it. What was fixed needs no fix again. `extend` are
    rules that are off by default.
    """
    path = directory / "train.py"
    path.write_bytes(text.encode())
    done = mended(directory, path.name, unsafe=unsafe, extend=extend)
    path.write_bytes(done.text.encode())
    again = mended(directory, path.name, unsafe=unsafe, extend=extend)
    assert again.text == done.text
    assert again.applied == ()
    return done
