"""The guard: waits for the end of a run that was killed, so that it cannot end its processes itself, and ends them.

``python -I -S program.py PID`` with a socket as standard input, on which the process PID tells of what it starts. It
imports little, so that it is ready at once, and of kftune one file only, by its path.

A message has fields with a zero byte between them. NAME and VALUE are a variable of a process's environment:
``starts NAME FOLDER GRACE`` before the first start of one whose value is in a folder, ``over NAME FOLDER`` after the
last; ``started NAME VALUE PID SECONDS GRACE COMMAND…`` of one that has run for a moment, with the descriptors of its
output and its log, and the command that removes its container; ``ended NAME VALUE`` at its end.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence

_LARGEST = 1 << 14
_BETWEEN_LOOKS = 0.02
# How long killed processes and the removal of a container may take.
_PATIENCE = 30.0


class Process:
    """What is known of a process."""

    def __init__(
        self, pid: int, started: float, grace: float, remove: Sequence[str] = (), descriptors: Sequence[int] = ()
    ) -> None:
        self.pid = pid
        self.started = started
        self.grace = grace
        self.remove = remove
        self.descriptors = descriptors

    def drain(self) -> None:
        """Writes what it has printed to its log: without a reader, printing would end it."""
        if len(self.descriptors) < 2:
            return
        output, log = self.descriptors
        try:
            while chunk := os.read(output, _LARGEST):
                os.write(log, chunk)
        except OSError:  # there is nothing more now, or the disk is full
            return

    def forget(self) -> None:
        """Closes what is open for it."""
        for each in self.descriptors:
            os.close(each)


class Known:
    """What the run has told."""

    def __init__(self) -> None:
        self.folders: dict[tuple[str, str], float] = {}
        self.processes: dict[tuple[str, str], Process] = {}

    def take(self, message: bytes, descriptors: Sequence[int]) -> None:
        """Takes a message.

        Args:
            message: Its fields.
            descriptors: What came with it.
        """
        kind, name, value, *fields = map(os.fsdecode, message.split(b"\0"))
        mark = (name, value)
        if mark in self.processes:
            self.processes.pop(mark).forget()
        if kind == "starts":
            self.folders[mark] = float(fields[0])
        elif kind == "over":
            self.folders.pop(mark, None)
        elif kind == "started":
            pid, started, grace, *remove = fields
            self.processes[mark] = Process(int(pid), float(started), float(grace), remove, descriptors)


def main(parent: int) -> None:
    """Waits for the end of a process, then ends what it has started."""
    os.chdir("/")
    known = Known()
    _listen(known, parent)
    if known.folders:
        _Ending(known).run()


def _listen(known: Known, parent: int) -> None:
    """Keeps what is running until the end of the run."""
    channel = socket.socket(fileno=0)
    # Others may hold the other end of the socket: processes that the run has forked.
    sources = [0, *_end_of(parent)]
    while True:
        # What was sent before the end is read first.
        if 0 not in select.select(sources, [], [])[0]:
            return
        message, descriptors, _, _ = socket.recv_fds(channel, _LARGEST, 2)
        if not message:
            return
        known.take(message, descriptors)


def _end_of(parent: int) -> list[int]:
    """Returns a descriptor that becomes readable at the end of the parent; none on a system without them."""
    try:
        found = os.pidfd_open(parent)
    except OSError:
        return []
    # It may have ended before, and the number may be another's.
    return [found] if os.getppid() == parent else []


class _Ending:
    """Ends processes: asks their groups, and kills these and all else with their marks after the grace.

    What has started since then belongs to the next run, which ends what it finds itself.
    """

    def __init__(self, known: Known) -> None:
        import runpy  # noqa: PLC0415  # most guards never need it

        self._moment = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._known = known
        beside = f"{__file__.rpartition('/')[0]}/../process_table.py"
        self._table = runpy.run_path(beside)["ProcFiles"]()

    def run(self) -> None:
        """Ends them."""
        left = [each for each in self._known.processes.values() if self._runs(each)]
        known = {each.pid for each in left}
        # Those that had just started lead their groups, as all do.
        left += [each for each in self._marked() if each.pid not in known and _leads(each.pid)]
        for each in left:
            _send(os.killpg, each.pid, signal.SIGTERM)
        began = time.monotonic()
        while left:
            time.sleep(_BETWEEN_LOOKS)
            waited = time.monotonic() - began
            for each in left:
                each.drain()
            for each in [each for each in left if waited > each.grace or not self._runs(each)]:
                _send(os.killpg, each.pid, signal.SIGKILL)
                each.drain()
                left.remove(each)
        until = time.monotonic() + _PATIENCE
        while (found := self._marked()) and time.monotonic() < until:
            for each in found:
                _send(os.kill, each.pid, signal.SIGKILL)
            time.sleep(_BETWEEN_LOOKS)
        for each in self._known.processes.values():
            if each.remove:
                _call(each.remove)

    def _runs(self, process: Process) -> bool:
        return bool(self._table.is_same(process.pid, process.started))

    def _marked(self) -> list[Process]:
        """Returns the processes with a mark in the folders of the run."""
        found = []
        for (name, folder), grace in self._known.folders.items():
            for pid, value in self._table.variables(os.fsencode(name)):
                began = self._table.started(pid)
                if value.startswith(os.fsencode(folder)) and began is not None and began <= self._moment:
                    found.append(Process(pid, began, grace))
        return found


def _send(send: object, pid: int, number: int) -> None:
    try:
        send(pid, number)  # type: ignore[operator]
    except (ProcessLookupError, PermissionError):
        return


def _leads(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False


def _call(command: Sequence[str]) -> None:
    import subprocess  # noqa: PLC0415  # only containers need it

    try:
        subprocess.run(command, timeout=_PATIENCE, check=False, capture_output=True)
    except (OSError, subprocess.SubprocessError):
        return


if __name__ == "__main__":
    main(int(sys.argv[1]))
