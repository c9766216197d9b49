"""What a fork of the warm server does. Imports freezelint only when it is where the script is to run, as a
fresh process would.
"""

from __future__ import annotations

import os
import sys


def run_in_fork(post: str, directory: str, output: str) -> None:
    """Become the child of a live run: own process group, own directory, output to a file."""
    os.setsid()
    written = os.open(output, os.O_WRONLY | os.O_CREAT)
    os.dup2(written, 1)
    os.dup2(written, 2)
    os.chdir(directory)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    sys.path[0] = directory
    from freezelint.live.process.child import main

    main(post)
