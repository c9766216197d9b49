"""The directory through which a live run's parent and child speak: files, because they outlive any way for a
process to die.

The parent makes it, writes the request, and reads; the child writes everything else. Imports no torch.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from freezelint.evidence import Location, Trace
from freezelint.live.settings import LiveSettings
from freezelint.serialise import dumps, from_data, loads, to_data


class Mailbox:
    """Paths and formats of the files that a live run exchanges."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.request = directory / "request.json"
        self.fault = directory / "fault.txt"  # what faulthandler says when the process crashes
        self.stacks = directory / "stacks.txt"  # what it says when its time is up
        self._drafts = directory / "drafts.json"
        self._trace = directory / "trace.json"
        self._map = directory / "map.json"
        self._outcome = directory / "outcome.json"
        self._left = directory / "left.json"
        self._progress = directory / "progress.txt"
        self._heard = 0

    def ask(self, kind: str, target: str, settings: LiveSettings, **more: Any) -> None:
        """Parent: write down what is to be run."""
        request = {"kind": kind, "target": target, "settings": asdict(settings), **more}
        self.request.write_text(json.dumps(request), encoding="utf-8")

    def asked(self) -> dict[str, Any]:
        """Child: what is to be run."""
        request: dict[str, Any] = json.loads(self.request.read_text(encoding="utf-8"))
        return {**request, "settings": LiveSettings(**request["settings"])}

    def put_drafts(self, drafts: Mapping[str, bytes]) -> None:
        """Parent: the bytes that stand for those of files, by real path."""
        names = {}
        for number, (path, data) in enumerate(drafts.items()):
            names[path] = f"draft-{number}"
            (self.directory / names[path]).write_bytes(data)
        self._drafts.write_text(json.dumps(names), encoding="utf-8")

    def drafts(self) -> dict[str, bytes]:
        """Child: the bytes that stand for those of files, by real path."""
        if not self._drafts.exists():
            return {}
        names: dict[str, str] = json.loads(self._drafts.read_text(encoding="utf-8"))
        return {path: (self.directory / name).read_bytes() for path, name in names.items()}

    def put_trace(self, trace: Trace) -> None:
        """Child: the evidence so far, in place of what was there. A reader never sees half of it."""
        part = self.directory / f"trace.{os.getpid()}.part"
        part.write_text(dumps(trace), encoding="utf-8")
        part.replace(self._trace)

    def trace(self) -> Trace | None:
        """Parent: the latest evidence."""
        return loads(self._trace.read_bytes()) if self._trace.exists() else None

    def put_map(self, data: dict[str, Any]) -> None:
        """Child: what a factory's model looks like."""
        self._map.write_text(json.dumps(data), encoding="utf-8")

    def map(self) -> dict[str, Any] | None:
        """Parent: what a factory's model looks like."""
        return json.loads(self._map.read_text(encoding="utf-8")) if self._map.exists() else None

    def put_outcome(self, status: str, message: str = "", details: str = "") -> None:
        """Child: how the run ended. The first word stands: a process forked by the script may have been
        quicker."""
        part = self.directory / f"outcome.{os.getpid()}.part"
        part.write_text(
            json.dumps({"status": status, "message": message, "details": details}), encoding="utf-8"
        )
        with contextlib.suppress(FileExistsError):
            os.link(part, self._outcome)

    def outcome(self) -> dict[str, str] | None:
        """Parent: how the run ended; None while it has not, or when it died."""
        if not self._outcome.exists():
            return None
        outcome: dict[str, str] = json.loads(self._outcome.read_text(encoding="utf-8"))
        return outcome

    def put_left(self, location: Location | None) -> None:
        """Child: where the user's code is about to call `os._exit`."""
        if location is not None:
            self._left.write_text(json.dumps(to_data(location)), encoding="utf-8")

    def left(self) -> Location | None:
        """Parent: where the user's code called `os._exit`."""
        if not self._left.exists():
            return None
        return from_data(Location, json.loads(self._left.read_text(encoding="utf-8")))

    def put_progress(self, what: str) -> None:
        """Child: what is going on."""
        with self._progress.open("a", encoding="utf-8") as file:
            file.write(f"{' '.join(what.split())}\n")

    def progress(self) -> list[str]:
        """Parent: what was going on since the last time of asking."""
        if not self._progress.exists():
            return []
        said = self._progress.read_text(encoding="utf-8", errors="replace")
        complete = said[: said.rfind("\n") + 1]
        news = complete[self._heard :].splitlines()
        self._heard = len(complete)
        return news
