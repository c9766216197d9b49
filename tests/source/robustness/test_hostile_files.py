"""Whatever lies in a directory, the command reads the rest of it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from freezelint.source.files.checking import Checked, check_files
from freezelint.source.files.discovery import discover
from tests.source.robustness.reading import faults_of

GOOD = b"import torch\nmodel = torch.nn.Linear(1, 1)\nmodel.requires_grad = False\n"


def checked(directory: Path) -> Checked:
    found = check_files(discover([directory]), roots=[directory], jobs=1)
    assert faults_of(found.limits) == []
    return found


def codes_of(found: Checked) -> dict[str, str]:
    return {Path(finding.location.path).name: finding.code for finding in found.findings}


def test_odd_encodings(tmp_path: Path) -> None:
    readable = {
        "marked.py": b"\xef\xbb\xbf" + GOOD,
        "latin.py": b"# -*- coding: latin-1 -*-\n# caf\xe9\n" + GOOD,
        "old_mac.py": GOOD.replace(b"\n", b"\r"),
        "form_feed.py": b"\x0c" + GOOD,
    }
    unreadable = {
        "binary.py": b"\x00\x01\x02 requires_grad",
        "null.py": GOOD + b"\x00",
        "broken_utf8.py": b"requires_grad = '\xff\xfe'\n",
        "no_such_codec.py": b"# -*- coding: no-such-codec -*-\nrequires_grad = 1\n",
        "no_text_codec.py": b"# -*- coding: rot13 -*-\nrequires_grad = 1\n",
        "syntax.py": b"requires_grad = = 1\n",
        "no_notebook.ipynb": b"[[[[ requires_grad",
    }
    others = {
        "utf16.py": "requires_grad = 1\n".encode("utf-16"),  # says nothing that concerns us, byte by byte
        "python2.py": b"print 'requires_grad'\n",
        "notebook.ipynb": b'{"cells": [{"cell_type": "code", "source": 5}, 7]}',
        "empty.py": b"",
    }
    for name, data in {**readable, **unreadable, **others}.items():
        (tmp_path / name).write_bytes(data)
    expected = dict.fromkeys(readable, "FRZ501") | dict.fromkeys(unreadable, "FRZ002")
    assert codes_of(checked(tmp_path)) == expected
    (named,) = check_files([tmp_path / "utf16.py"], named=frozenset([tmp_path / "utf16.py"])).findings
    assert (named.code, "UTF-16" in named.message) == ("FRZ002", True)


def test_links_that_go_nowhere_and_round_in_circles(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_bytes(GOOD)
    (tmp_path / "same.py").symlink_to(tmp_path / "train.py")
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere.py")
    (tmp_path / "itself.py").symlink_to(tmp_path / "itself.py")
    (tmp_path / "round").symlink_to(tmp_path)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "out").symlink_to(tmp_path / "round")
    found = checked(tmp_path)
    assert found.read == 1
    assert sorted(finding.code for finding in found.findings) == ["FRZ002", "FRZ002", "FRZ501"]


def test_what_is_called_a_file_and_is_none(tmp_path: Path) -> None:
    (tmp_path / "directory.py").mkdir()
    (tmp_path / "directory.py" / "train.py").write_bytes(GOOD)
    os.mkfifo(tmp_path / "pipe.py")  # whoever opens it waits until somebody writes
    with socket.socket(socket.AF_UNIX) as ear:
        here = Path.cwd()
        os.chdir(tmp_path)  # such an address must be short
        try:
            ear.bind("socket.py")
        finally:
            os.chdir(here)
        found = checked(tmp_path)
    assert codes_of(found) == {"pipe.py": "FRZ002", "socket.py": "FRZ002", "train.py": "FRZ501"}


def test_names_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "directory.py").mkdir()
    names = ("directory.py", "nowhere.py", f"{'long' * 100}.py", "a\0.py")
    odd = [tmp_path / name for name in names]
    found = check_files(odd, named=frozenset(odd), jobs=1)
    assert [finding.code for finding in found.findings] == ["FRZ002"] * 4


def test_what_nobody_may_read(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_bytes(GOOD)
    (tmp_path / "secret.py").write_bytes(GOOD)
    (tmp_path / "secret.py").chmod(0)
    (tmp_path / "vault").mkdir()
    (tmp_path / "vault").chmod(0)
    allowed = os.access(tmp_path / "secret.py", os.R_OK)  # the superuser may read everything
    try:
        found = codes_of(checked(tmp_path))
    finally:
        (tmp_path / "vault").chmod(0o700)
    assert found == {"secret.py": "FRZ501" if allowed else "FRZ002", "train.py": "FRZ501"}


def test_modules_that_import_each_other(tmp_path: Path) -> None:
    files = {
        "train.py": "from a import *\nfrom b import f, gone\nimport a, b, c\nf(), x, y, b.no, a.b.x, gone\n",
        "a.py": "from b import *\nfrom c import *\nimport b\nx = b.y\nclass A(b.B): pass\n",
        "b.py": "from a import *\nimport a\ny = a.x\ndef f(): return a.f()\nclass B(a.A): pass\n",
        "c/__init__.py": "from .d import *\nfrom . import d, c\nfrom .. import c\n__all__ = d.__all__\n",
        "c/d.py": "from . import *\nfrom .d import *\nfrom c import z\nz = z + 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{text}requires_grad = model.eval()\n", encoding="utf-8")
    found = checked(tmp_path)
    assert (found.read, found.findings) == (5, ())
