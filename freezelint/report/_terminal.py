"""Standard output and standard error: colours, one-line complaints, and the line that tells what is going
on."""

from __future__ import annotations

import os
import sys
from typing import TextIO

_CODES = {"red": "31", "yellow": "33", "blue": "34", "cyan": "36", "bold": "1", "dim": "2"}
_CLEAR_LINE = "\r\x1b[K"


def painted(text: str, *styles: str, color: bool) -> str:
    """The text in these colours, where colours are wanted."""
    if not color or not text:
        return text
    return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"


def wants_color(choice: str, stream: TextIO) -> bool:
    """Whether to write colours to this stream: `always`, `never`, or `auto`, which respects NO_COLOR and dumb
    terminals."""
    if choice != "auto":
        return choice == "always"
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def write(text: str) -> None:
    """Put the report on standard output. A reader that has gone away (`| head`) is no fault, nor is a narrow
    encoding."""
    try:
        sys.stdout.write(_encodable(text, sys.stdout))
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more when it ends: give it somewhere to write.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def write_bytes(data: bytes) -> None:
    """Put a source on standard output as it is."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def complain(message: str) -> None:
    """Tell on standard error, in one line, why nothing could be done."""
    told = painted("error:", "red", "bold", color=wants_color("auto", sys.stderr))
    say(f"{told} {' '.join(message.split())}")


def say(text: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(_encodable(f"{text}\n", sys.stderr))
    sys.stderr.flush()


class ProgressLine:
    """One line on a terminal that is written over in place, and gone at the end. Silent where nobody
    looks."""

    def __init__(self, *, wanted: bool) -> None:
        self._shown = wanted and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def show(self, what: str) -> None:
        """Tell what is going on now."""
        self._put(painted(f"freezelint: {what}", "dim", color=wants_color("auto", sys.stderr)))

    def clear(self) -> None:
        """Leave no trace."""
        self._put("")

    def _put(self, text: str) -> None:
        if self._shown:
            sys.stderr.write(f"{_CLEAR_LINE}{_encodable(text, sys.stderr)}")
            sys.stderr.flush()


def _encodable(text: str, stream: TextIO) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
