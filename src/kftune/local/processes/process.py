"""A running process of a trial or step: its process group, output, time limits and end. Only this module starts one.

No call here waits. A caller gets from `waits_for` what to listen to, calls `on_output` and `on_exit` when that is
ready, and `on_time` when `next_time` has come, until `returncode` is set.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from kftune.local.processes.guard.channel import Guard
from kftune.local.processes.patience import Patience, is_trouble
from kftune.local.processes.process_table import start_of
from kftune.local.processes.spawning import PIPE, Spawn, has_ended, pidfd, spawn, with_pipe
from kftune.local.processes.sweep import NO_MARK, Sweep

CHUNK = 1 << 18
"""Bytes read at once."""

LONGEST_LOG = 1 << 30
"""Bytes of a log that are kept, so that a trial in an endless loop does not fill the disk."""

SIGNALS: Mapping[int, str] = {-signal.SIGKILL: "SIGKILL", -signal.SIGTERM: "SIGTERM"}
"""Exit codes of a process that a signal from outside may have ended, each with that signal."""

PASSED_ON: Mapping[int, str] = {**SIGNALS, 128 + signal.SIGKILL: "SIGKILL", 128 + signal.SIGTERM: "SIGTERM"}
"""The same for one that ends with 128 + N if signal N ended what it runs: a shell, or the client of a container."""

INTERRUPTED = 130
"""Exit code of a process of kftune that was asked to stop."""

NOT_STARTED = 126
"""Exit code of a process that could not be started after a wait, as of a shell."""

# A link in its place may lead to a file of the user.
_LOG = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
# A process that stays behind and holds the pipe open has this long to write the rest.
_LINGER = 0.25
# The guard hears of a process that runs longer than this.
_MOMENT = 0.1
# Without pidfd, a process is asked this often whether it has ended.
_BETWEEN_LOOKS = 0.02


class TrialProcess:
    """A running command in its own process group.

    Args:
        argv: The command; no shell reads it.
        executable: The program's path.
        env: The whole environment.
        cwd: Working folder.
        log: File that gets everything it prints.
        feed: Called with each piece of output.
        timeout: The longest it may run, in seconds.
        grace: Seconds between the request to stop and the kill.
        clean_up: Called once at the end of a process that was asked to stop or was killed. It ends what runs outside of
            the process group, such as the container that this process is the client of.
        explain: Says what an exit code means; None for the usual meanings.
        endings: Exit codes that show a signal from outside, each with that signal.
        start: Starts the process.
        patience: Waits while the machine cannot start it, or cannot write its log.
        sweep: Ends what it leaves behind.
        guard: Ends it if this process is killed.
        mark: The variable of its environment, and its value, by which both find it.
        remove: The command that removes its container.

    Attributes:
        pid: Its number; None before its start, which may have to wait.
        began: When it started (monotonic clock).
        started: When it started, by which it is known again; see `start_of`.
        ended: When it ended (monotonic clock).
        returncode: Its exit code; None while it runs.
        timed_out: Whether it ran longer than `timeout`.
        cut_short: Whether it was asked to stop, or killed, by this object.

    Raises:
        OSError: The program cannot be started.
        ValueError: An argument cannot be passed to a process.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        executable: str,
        env: Mapping[str, str],
        cwd: Path,
        log: Path,
        feed: Callable[[bytes], object],
        timeout: float | None = None,
        grace: float = 30.0,
        clean_up: Callable[[], object] | None = None,
        explain: Callable[[int], str] | None = None,
        endings: Mapping[int, str] = SIGNALS,
        start: Spawn = spawn,
        patience: Patience | None = None,
        sweep: Sweep | None = None,
        guard: Guard | None = None,
        mark: tuple[str, str] = NO_MARK,
        remove: Sequence[str] = (),
    ) -> None:
        self._launch = lambda output: start(argv, executable, env, cwd, output)
        self._log_path = log
        self._logged = self._received = 0
        self._feed = feed
        self.grace = grace
        self.timeout = timeout
        self.explain = explain
        self.endings = endings
        self._clean_up = clean_up
        self._patience = Patience() if patience is None else patience
        self.sweep = Sweep() if sweep is None else sweep
        self._guard = guard
        self._mark = mark
        self._remove = remove
        self.cut_short = False
        self.pid: int | None = None
        self.began = self.started = self.ended = 0.0
        self._exit: int | None = None
        self._open = self._exited = False
        self.returncode: int | None = None
        self.timed_out = False
        self._start_at: float | None = None
        self._tell_at: float | None = None
        self._is_told = False
        self._stop_at: float | None = None
        self._kill_at: float | None = None
        self._linger_until: float | None = None
        self._look_at: float | None = None
        self._start()

    def _start(self) -> None:
        """Starts the process, or waits when the machine cannot start it now."""
        self.sweep.starts(self._mark)
        if self._guard is not None:
            self._guard.starts(self._mark, self.grace)
        try:
            self._log = os.open(self._log_path, _LOG, 0o644)
            try:
                self.began, before = time.monotonic(), time.time()
                self._process, self._output = with_pipe(self._launch)
            except BaseException:
                os.close(self._log)
                raise
        except OSError as error:
            if not is_trouble(error):
                raise
            self.began = self.ended = time.monotonic()
            self._start_at = self._patience.next_try(error)
            return
        self._start_at = None
        self._patience.started()
        self.pid = self._process.pid
        self.started = start_of(self.pid, before)
        self._tell_at = None if self._guard is None else self.began + _MOMENT
        self._exit = pidfd(self.pid)
        self._open = True
        self._stop_at = None if self.timeout is None else self.began + self.timeout
        self._look_at = self.began if self._exit is None else None

    def _start_late(self) -> None:
        """Tries again to start the process; an error that lies in its command ends it."""
        if self.cut_short:
            self.returncode = -signal.SIGTERM
            self._let_go()
            return
        try:
            self._start()
        except (OSError, ValueError) as error:
            problem = f"the program could not be started: {error}"
            self.explain = lambda code: problem
            self.returncode = NOT_STARTED
            self._let_go()

    # -- what a caller listens to ----------------------------------------------------------------------------

    @property
    def waits_for(self) -> list[tuple[int, Callable[[], None]]]:
        """Descriptors that become readable, each with what to call then."""
        listened = []
        if self._open:
            listened.append((self._output, self.on_output))
        if self._exit is not None and not self._exited:
            listened.append((self._exit, self.on_exit))
        return listened

    @property
    def next_time(self) -> float | None:
        """When `on_time` must be called (monotonic clock); None while nothing is due."""
        if self._start_at is not None:
            return self._start_at
        if self._exited:
            return self._linger_until
        all_of_them = (self._stop_at, self._kill_at, self._look_at, self._tell_at)
        times = [moment for moment in all_of_them if moment is not None]
        return min(times, default=None)

    def on_output(self) -> None:
        """Reads the output that is there."""
        if self._open:
            self._read()
            self._finish_if_ended()

    def on_exit(self) -> None:
        """Notes that the process has ended, and reads the rest of its output."""
        if self._exited:
            return
        self._exited = True
        self.ended = time.monotonic()
        self._drain()
        self._linger_until = self.ended + _LINGER
        self._finish_if_ended()

    def on_time(self, now: float) -> None:
        """Does what is due.

        Raises:
            MachineError: The machine could not start it for too long.
        """
        if self._start_at is not None:
            self._start_late()
            return
        if self._tell_at is not None and now >= self._tell_at and not self._exited:
            self._tell_guard()
        if self._look_at is not None:
            self._look_at = now + _BETWEEN_LOOKS
            if not self._exited and has_ended(self._process.pid):
                self.on_exit()
        if self._exited:
            self._finish_if_ended(late=self._linger_until is not None and now >= self._linger_until)
        elif self._kill_at is not None and now >= self._kill_at:
            self.kill()
        elif self._stop_at is not None and now >= self._stop_at:
            self.timed_out = True
            self.stop()

    # -- stopping ----------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Asks the process group to end, and kills it after the grace period."""
        self.cut_short = True
        self._stop_at = None
        if self._start_at is not None:
            self._start_at = 0.0
        elif self._kill_at is None:
            self._signal(signal.SIGTERM)
            self._kill_at = time.monotonic() + self.grace

    def kill(self) -> None:
        """Kills the process group."""
        self.cut_short = True
        self._stop_at = self._kill_at = None
        self._signal(signal.SIGKILL)

    def reap(self) -> None:
        """Kills the process group and waits for its end."""
        self.kill()
        if self._start_at is not None:
            self._start_late()
        elif self.returncode is None:
            self._feed = _drop
            self._exited = True
            self._finish_if_ended(late=True)

    # -- inside ------------------------------------------------------------------------------------------------

    def _signal(self, number: signal.Signals) -> None:
        # The process is not reaped before `_finish_if_ended`, so its number still belongs to this group.
        if self.returncode is None and self.pid is not None:
            # macOS raises PermissionError for a group that has only dead processes left.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def _finish_if_ended(self, *, late: bool = False) -> None:
        if self.returncode is not None or not self._exited or (self._open and not late):
            return
        # As in a container, the end of the first process ends all others.
        self._signal(signal.SIGKILL)
        self._drain()
        self.returncode = self._process.wait()
        self._patience.ended()
        self._let_go()
        if self._open:
            os.close(self._output)
            self._open = False
        if self._exit is not None:
            os.close(self._exit)
        os.close(self._log)
        if self._clean_up is not None and (self.cut_short or self.returncode < 0):
            self._clean_up()

    def _let_go(self) -> None:
        """Tells that it has ended, or will not start."""
        self.sweep.ended(self._mark)
        if self._guard is not None and self._is_told:
            self._guard.ended(self._mark)

    def _tell_guard(self) -> None:
        """Tells the guard of a process that still runs."""
        self._tell_at = None
        if self._guard is not None and self.pid is not None:
            self._is_told = True
            descriptors = (self._output, self._log) if self._open else ()
            self._guard.started(
                self._mark,
                self.pid,
                self.started,
                grace=self.grace,
                remove=self._remove,
                descriptors=descriptors,
            )

    def _drain(self) -> None:
        """Reads what is in the pipe, and no more: a process that was left behind may write without end."""
        until = self._received + 2 * PIPE
        while self._open and self._received < until and self._read():
            pass

    def _read(self) -> bool:
        """Reads one piece; returns False when there is none."""
        try:
            chunk = os.read(self._output, CHUNK)
        except BlockingIOError:
            return False
        if not chunk:
            os.close(self._output)
            self._open = False
            return False
        self._received += len(chunk)
        self._keep(chunk)
        self._feed(chunk)
        return True

    def _keep(self, chunk: bytes) -> None:
        if self._logged >= LONGEST_LOG:
            return
        self._logged += len(chunk)
        if self._logged >= LONGEST_LOG:
            chunk += b"\n[kftune: the log ends here, it has 1 GiB; metrics are still read]\n"
        view = memoryview(chunk)
        while view and not self._patience.is_over:
            try:
                written = os.write(self._log, view)
            except OSError as error:
                written = self._write_late(view, error)
            view = view[written:]

    def _write_late(self, view: memoryview, error: OSError) -> int:
        """Waits until the log can be written; returns how much was. One that may not grow ends here."""
        if not is_trouble(error):
            self._patience.note(f"{self._log_path.name} ends here, and metrics are still read: {error.strerror}")
            self._logged = LONGEST_LOG
            return len(view)
        return self._patience.hold(f"{self._log_path.name} cannot be written", lambda: os.write(self._log, view))


def _drop(chunk: bytes) -> None:
    """Drops output."""
