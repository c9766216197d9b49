"""What ends a run with exit status 2: bad input, and faults of freezelint itself. Messages are one line:
what, where, what to do."""

from __future__ import annotations


class BadInputError(Exception):
    """The arguments, the configuration or a file cannot be used; the message says why and what to do."""


class InternalError(Exception):
    """freezelint itself failed. `details` is the traceback, for whoever reports it."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details
