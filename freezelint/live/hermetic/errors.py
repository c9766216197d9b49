"""What a hermetic run raises where it has nothing to offer."""

from __future__ import annotations


class HermeticError(OSError):
    """The script asked for something that `--hermetic` neither downloads nor can replace.

    It is an `OSError` because that is what a failed download is: libraries pass it on unchanged, and a script
    that has a plan for a machine without network follows it.
    """
