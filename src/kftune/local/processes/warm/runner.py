"""Starts processes from a warm worker where that gives the same result, and as usual where it does not."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kftune.local.processes.leftovers import stop_leftovers
from kftune.local.processes.runners import ProcessRunner
from kftune.local.processes.spawning import Spawned

if TYPE_CHECKING:  # only studies with a warm worker need them
    from kftune.local.processes.warm.worker import WarmWorker

# All that fits into one message of the socket. A longer command line may be one that the system refuses.
_LONGEST = 100_000
_AS_USUAL = "each trial imports for itself"


class WarmRunner(ProcessRunner):
    """Starts processes of one module. The first ones start as usual, while the worker imports.

    Args:
        module: The module.
        asked: Whether its file asks for a worker; None starts one if the module imports torch.
        mark: A variable and the beginning of its value, by which the worker and its processes are found again.
        shared: The variables that differ between processes, each with its value while the worker imports, or None.
    """

    def __init__(
        self, module: str, *, asked: bool | None, mark: tuple[str, str], shared: Mapping[str, str | None]
    ) -> None:
        super().__init__()
        self._module = module
        self._asked = asked
        self._mark = mark
        self._shared = shared
        self._begun = False
        self._worker: WarmWorker | None = None

    def close(self) -> None:
        """Ends the worker, and the guard."""
        super().close()
        if self._worker is not None:
            self._worker.close()
            self._drop_broken()
            # What its forks have forked has its environment, which names no trial.
            stop_leftovers("=".join(self._mark))

    def _spawn(self, argv: Sequence[str], executable: str, env: Mapping[str, str], cwd: Path, output: int) -> Spawned:
        if not self._begun:
            self._begun = True
            self._begin(argv, executable, env, cwd)
            forked = None
        else:
            forked = self._fork(argv, env, cwd, output)
        process = forked or super()._spawn(argv, executable, env, cwd, output)
        return process if self._worker is None else self._worker.watch(process)

    def _fork(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, output: int) -> Spawned | None:
        """Returns a process that the worker has forked; None if there is none, or not yet."""
        worker = self._worker
        if worker is None:
            return None
        forked = worker.fork(argv, env, cwd, output) if worker.is_ready() and _fits(argv) else None
        self._drop_broken()
        return forked

    def _begin(self, argv: Sequence[str], executable: str, env: Mapping[str, str], cwd: Path) -> None:
        """Starts the worker, if the module should have one."""
        if not hasattr(os, "pidfd_open"):
            if self._asked:
                self.tell(f"step.warm needs Linux; here {_AS_USUAL}")
            return
        # Only now is it known that trials start.
        from kftune.local.processes.warm.imports import find_imports  # noqa: PLC0415

        found = find_imports(self._module, [*env["PYTHONPATH"].split(os.pathsep), *sys.path])
        if found.late:
            self.tell(
                f"trials do not share the import of {found.late}: {found.changed_at} comes before it and may change "
                f"what it does; move the import to the top, or set step.warm to false"
            )
        if not self._asked and not found.is_slow:
            return
        from kftune.local.processes.warm.worker import WarmWorker  # noqa: PLC0415

        try:
            self._worker = WarmWorker(
                argv[:3],
                executable=executable,
                env={name: value for name, value in {**env, **self._shared}.items() if value is not None},
                mark=self._mark,
                cwd=cwd,
                imports=found.imports,
            )
        except OSError as error:
            self.tell(f"there is no warm worker, so {_AS_USUAL}: {error}")

    def _drop_broken(self) -> None:
        if self._worker is not None and self._worker.problem:
            self.tell(f"from here on {_AS_USUAL}: {self._worker.problem}; step.warm=false starts no worker")
            self._worker = None


def _fits(argv: Sequence[str]) -> bool:
    """Whether a command line can go to the worker.

    Raises:
        ValueError: An argument cannot be passed to a process.
    """
    size = 0
    for argument in argv:
        encoded = os.fsencode(argument)
        if b"\0" in encoded:
            raise ValueError("embedded null byte")
        size += len(encoded)
    return size <= _LONGEST
