"""Looking again: what the witnesses say of files that are not written yet."""

from __future__ import annotations

import os
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from freezelint.evidence import Trace
from freezelint.finding import Finding
from freezelint.fixing.drafts import DraftedSources, Drafts
from freezelint.fixing.script import Script
from freezelint.judge import judge
from freezelint.source.files.project import Project, Sources
from freezelint.source.files.source_file import PassedOverError, SourceFile, UnreadableError, decoded

# The findings that are told, of all that a witness has: neither suppressed, nor known, nor switched off.
Telling = Callable[[Sequence[Finding], Drafts], Sequence[Finding]]
Key = tuple[str, str]
_State = frozenset[tuple[str, bytes]]
_MOST_KNOWN = 16


@dataclass(frozen=True)
class Look:
    """What one witness said of one state of the files. `seen` are the findings that are told, with their
    evidence; `steps` and `limits` tell how far it saw; `failure` is why it saw nothing, where it did not.
    `mistakes` are what Python would raise for, and `raised` how often it did, as far as a reader can tell.
    """

    seen: tuple[tuple[Finding, Trace], ...] = ()
    steps: int = 0
    limits: int = 0
    failure: str = ""
    mistakes: frozenset[str] = frozenset()
    raised: int = 0

    @cached_property
    def counts(self) -> Counter[Key]:
        """How many findings each rule has in each file. Lines move when files are edited; these do not."""
        return Counter(key(finding) for finding, _ in self.seen)


def key(finding: Finding) -> Key:
    """What of a finding stays the same when its file is edited elsewhere."""
    return (finding.code, finding.path)


class Unit:
    """What can be looked at as a whole, again and again: a file that is read, or a target that is run."""

    name: str
    finds = True  # whether its first look had something to tell

    def __init__(self) -> None:
        self._known: OrderedDict[_State, Look] = OrderedDict()

    def look(self, drafts: Drafts) -> Look:
        """What the witness says of this state of the files. States that differ in nothing that matters to it
        are one, and those asked for last are remembered.
        """
        state = frozenset((path, data) for path, data in drafts.changed.items() if self.depends_on([path]))
        if state not in self._known:
            self._known[state] = self._look(drafts)
        self._known.move_to_end(state)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return self._known[state]

    def _look(self, drafts: Drafts) -> Look:
        raise NotImplementedError

    def depends_on(self, paths: Sequence[str]) -> bool:
        """Whether one of these (real) paths may matter to it."""
        raise NotImplementedError

    def script(self, path: str, drafts: Drafts) -> Script | None:
        """The file of this path as it is now; None where it is none that can be mended."""
        raise NotImplementedError


class ReadFile(Unit):
    """A file as the source reader reads it, with the project around it. `asks` are the real paths of the
    modules that it imports, at however many removes; `closed` tells which of these must not be changed.
    """

    def __init__(
        self,
        name: str,
        path: Path | None,
        sources: Sources,
        telling: Telling,
        asks: frozenset[str] = frozenset(),
        roots: tuple[Path, ...] = (),
        *,
        finds: bool = True,
        closed: Callable[[str], bool] = lambda _: False,
    ) -> None:
        super().__init__()
        self.name, self.path, self.asks, self.finds = name, path, asks, finds
        self._sources, self._telling, self._roots = sources, telling, roots
        self._own, self._closed = os.path.realpath(name), closed

    def depends_on(self, paths: Sequence[str]) -> bool:
        return any(path == self._own or path in self.asks for path in paths)

    def script(self, path: str, drafts: Drafts) -> Script | None:
        if path != self.name and self._closed(path):
            return None
        sources = DraftedSources(self._sources, drafts)
        try:
            file = self._file(drafts, sources) if path == self.name else sources.load(Path(path))
            return Script(file, sources.tree(file))
        except (UnreadableError, PassedOverError):
            return None

    def _look(self, drafts: Drafts) -> Look:
        from freezelint.source.judging import findings_with_evidence, traces_of
        from freezelint.source.reader import read

        sources = DraftedSources(self._sources, drafts)
        try:
            file = self._file(drafts, sources)
            sources.tree(file)
        except (UnreadableError, PassedOverError) as error:
            return Look(failure=str(error))
        project = Project(file, self._roots, sources)
        reading = read(file, project)
        evidence = {id(finding): (finding, trace) for finding, trace in findings_with_evidence(reading)}
        told = self._telling([finding for finding, _ in evidence.values()], drafts)
        steps = max((len(trace.completed) for trace in traces_of(reading)), default=0)
        limits = len({*reading.limits, *project.limits.values()})
        usual = [runs[0] for runs in reading.entries]
        return Look(
            tuple(_with_evidence(told, evidence.values())),
            steps,
            limits,
            mistakes=frozenset(mistake for run in usual for mistake in run.mistakes),
            raised=sum(run.raised for run in usual),
        )

    def _file(self, drafts: Drafts, sources: Sources) -> SourceFile:
        if self.path is None:
            return decoded(drafts.read(self.name), self.name)
        return sources.load(self.path)


class RunTarget(Unit):
    """A script or factory as the live audit runs it. `run` gives its trace with these files in the place of
    those on the disk; `inside` tells whether a file is one of the project's.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[Drafts], Trace],
        sources: Sources,
        telling: Telling,
        inside: Callable[[str], bool],
    ) -> None:
        super().__init__()
        self.name = name
        self._run, self._sources, self._telling, self._inside = run, sources, telling, inside

    def depends_on(self, paths: Sequence[str]) -> bool:
        return bool(paths)

    def script(self, path: str, drafts: Drafts) -> Script | None:
        if not self._inside(path):
            return None
        sources = DraftedSources(self._sources, drafts)
        try:
            file = sources.load(Path(path))
            return Script(file, sources.tree(file))
        except (UnreadableError, PassedOverError):
            return None

    def _look(self, drafts: Drafts) -> Look:
        trace = self._run(drafts)
        found = judge([trace])
        told = self._telling(found, drafts)
        failure = trace.failure.message if trace.failure is not None else ""
        return Look(tuple((finding, trace) for finding in told), trace.steps_done, len(trace.limits), failure)


def _with_evidence(
    told: Iterable[Finding], evidence: Collection[tuple[Finding, Trace]]
) -> Iterator[tuple[Finding, Trace]]:
    """The findings that are told, each with the evidence that it was found in: telling may rate them anew."""
    for finding in told:
        for original, trace in evidence:
            if original.code == finding.code and original.location == finding.location:
                yield finding, trace
                break
        else:  # of a comment that suppresses nothing
            yield finding, Trace("source", finding.path)
