"""The process that runs the user's code under observation. Started by `freezelint.live.process.run`, with a
mailbox to report to."""

from __future__ import annotations

import builtins
import faulthandler
import os
import sys
import threading
import traceback
import types
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import replace
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any, NoReturn, cast

from freezelint.errors import BadInputError
from freezelint.evidence import Failure, Limit, Trace
from freezelint.live.process import failures
from freezelint.live.process.drafts import import_from, read_source
from freezelint.live.process.mailbox import Mailbox
from freezelint.live.reading.places import user_location
from freezelint.live.settings import LiveSettings


def main(directory: str) -> NoReturn:
    """Do what the mailbox in this directory asks for, and leave."""
    child = _Child(Mailbox(Path(directory)))
    try:
        child.observe()
    except BadInputError as error:
        child.leave("bad-input", str(error))
    except BaseException as error:
        told = traceback.format_exception_only(type(error), error)[-1].strip()
        child.leave("internal", told, traceback.format_exc())


class _Child:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._exit: Callable[[int], NoReturn] = os._exit
        self._drafts: dict[str, bytes] = {}
        self._built: Any = None  # by a factory
        self._kept: list[Any] = []  # files that faulthandler writes to, and the module that was `__main__`

    def observe(self) -> NoReturn:
        """Run the user's code with the recorder watching."""
        request = self._mailbox.asked()
        target, settings = request["target"], request["settings"]
        self._drafts = self._mailbox.drafts()
        import_from(self._drafts)
        self._watch_for_death(settings.timeout)
        self._import_torch()
        from freezelint.live.process.spawning import one_process_runs_here
        from freezelint.live.recorder import Recorder

        recorder = Recorder(
            target,
            settings,
            self._mailbox.put_progress,
            self._mailbox.put_trace,
            # What is to be measured afterwards goes on.
            (lambda: None) if settings.measure else lambda: self._done(recorder),
        )
        surroundings = (
            _device(settings, recorder),
            _hermetic(settings, recorder, self._mailbox),
            one_process_runs_here(recorder.note),
        )
        with ExitStack() as stack:
            for around in surroundings:
                stack.enter_context(around)
            with recorder:
                self._mailbox.put_progress(f"running {target}")
                failure = self._failure(request, recorder)
                if failure is not None or self._built is None or not settings.measure:
                    # Inside the `with`: nothing needs undoing in a process that is about to end.
                    self._finish(recorder.trace(failure))
            self._finish(self._measured(recorder, settings))

    def leave(self, status: str, message: str = "", details: str = "") -> NoReturn:
        """Report how it ended and end at once: no handler, `finally` or `atexit` of the script's runs any
        more."""
        self._mailbox.put_outcome(status, message, details)
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError, OSError, ValueError):
                stream.flush()
        self._exit(0)

    def _done(self, recorder: Any) -> NoReturn:
        self._finish(recorder.trace())

    def _measured(self, recorder: Any, settings: LiveSettings) -> Trace:
        """The evidence, with what the corrections save. A step that cannot be repeated is a limit."""
        from freezelint.judge import judge
        from freezelint.live.applying.objects import Objects
        from freezelint.live.measuring import measure

        built, trace = self._built, cast("Trace", recorder.trace())
        self._mailbox.put_trace(trace)
        self._mailbox.put_progress("measuring")
        findings = [finding for finding in judge([trace]) if finding.code in settings.measure]
        objects = Objects(recorder, built.model)
        try:
            measured = measure(trace, findings, objects, built.model, built.optimizer, built.step)
        except (Exception, SystemExit) as error:
            if failures.is_own_fault(error):
                raise
            told = traceback.format_exception_only(type(error), error)[-1].strip()
            why = f"the step could not be repeated: {told}"
        else:
            why = "" if measured else "nothing was found that can be corrected on the model and the optimizer"
            trace = replace(trace, measurements=measured)
        limits = (Limit("what a step costs was not measured", why),) if why else ()
        return replace(trace, limits=(*trace.limits, *limits))

    def _finish(self, trace: Trace) -> NoReturn:
        if self._mailbox.outcome() is None:
            self._mailbox.put_trace(trace)
        self.leave("done")

    def _watch_for_death(self, timeout: float) -> None:
        """Leave a word about where the code was, however the process dies, or hangs until its time is up."""
        fault = self._mailbox.fault.open("w", encoding="utf-8")
        stacks = self._mailbox.stacks.open("w", encoding="utf-8")
        faulthandler.enable(fault)
        # A thread without the GIL writes this: signals, every one of them, are the script's.
        faulthandler.dump_traceback_later(min(timeout, threading.TIMEOUT_MAX), file=stacks)
        self._kept += [fault, stacks]
        own = os.getpid()

        def leaving(status: int) -> NoReturn:
            if os.getpid() == own:
                self._mailbox.put_left(user_location())
            self._exit(status)

        os._exit = leaving

    def _import_torch(self) -> None:
        self._mailbox.put_progress("importing torch")
        try:
            import torch  # noqa: F401
        except (ImportError, OSError) as error:
            absent = isinstance(error, ModuleNotFoundError) and error.name == "torch"
            self.leave("no-torch", "" if absent else f"{type(error).__name__}: {error}")

    def _failure(self, request: dict[str, Any], recorder: Any) -> Failure | None:
        """Run the user's code to its end; why it did not reach a step, where it did not."""
        target = request["target"]
        try:
            if request["kind"] == "script":
                self._run_script(target, request["arguments"])
            elif request["kind"] == "map":
                sys.argv = [target]  # not those that this process was started with
                return self._map(target, request["depth"])
            else:
                from freezelint.live.process import factory

                sys.argv = [target]
                built = factory.build(target)
                if isinstance(built, Failure):
                    return built
                self._built = built
                factory.train(built, recorder, request["settings"].steps)
            failures.join_threads()
        except BadInputError:
            raise
        except BaseException as error:
            stepped = recorder.trace().steps_done
            if isinstance(error, SystemExit) and not error.code and stepped:
                recorder.finished = True
                return None
            if not isinstance(error, SystemExit):
                _print_exception(error)
            if failures.is_own_fault(error):
                raise
            return failures.from_exception(error, target, hermetic=request["settings"].hermetic)
        recorder.finished = True
        return None if recorder.trace().steps_done else failures.no_step(target)

    def _map(self, target: str, depth: int | None) -> Failure | None:
        """Sum up the model that the factory builds."""
        from freezelint.live.process.mapping import rows_of

        found = rows_of(target, depth)
        if isinstance(found, Failure):
            return found
        self._mailbox.put_map(found)
        return None

    def _run_script(self, target: str, arguments: list[str]) -> None:
        """As `python target arguments…` would, in a module of its own, so that nothing of ours is in the
        script's namespace."""
        path = str(Path(target).absolute())
        module = types.ModuleType("__main__")
        module.__file__ = path
        module.__loader__ = SourceFileLoader("__main__", path)
        module.__package__ = None
        module.__dict__.update(__builtins__=builtins, __cached__=None)
        self._kept.append(sys.modules["__main__"])
        sys.modules["__main__"] = module
        sys.argv = [target, *arguments]
        source = read_source(path, self._drafts)
        exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)


def _device(settings: LiveSettings, recorder: Any) -> AbstractContextManager[Any]:
    from freezelint.live.devices import placed

    return placed(settings.device, recorder.note)


def _hermetic(settings: LiveSettings, recorder: Any, mailbox: Mailbox) -> AbstractContextManager[Any]:
    if not settings.hermetic:
        return nullcontext()
    from freezelint.live.hermetic import installed

    # The parent removes the mailbox with all that is in it: this process leaves without tidying up.
    return installed(recorder.note, recorder.mark, mailbox.directory)


def _print_exception(error: BaseException) -> None:
    """The traceback that Python would have printed, without the frames of freezelint's."""
    told = traceback.TracebackException.from_exception(error)
    frames = [frame for frame in told.stack if not failures.is_ours(frame.filename)]
    told.stack = traceback.StackSummary.from_list(frames)
    print("".join(told.format()), end="", file=sys.stderr, flush=True)
