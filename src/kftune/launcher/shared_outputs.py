"""What the pods of a job write: on a shared volume, from where the launcher takes it as the step's outputs.

SHARE/kftune/outputs/JOB/NAME    one output, a file or folder
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from kftune import confined
from kftune.errors import ClusterError

# The launcher and the pods of the job may run as different users.
_FOR_ALL = 0o777


class SharedOutputs:
    """The outputs of one job.

    Args:
        share: The volume's path, the same here and in the job's pods; None if there are no outputs.
        job: The job's name.
        targets: Output -> where the step's output is expected here.
        optional: Outputs that may be missing.
        say: Called with each line for the log.

    Attributes:
        paths: Output -> its path on the volume.
    """

    def __init__(
        self,
        share: Path | None,
        job: str,
        targets: Mapping[str, str],
        optional: frozenset[str] = frozenset(),
        say: Callable[[str], object] = print,
    ) -> None:
        self._folder = (share or Path()) / "kftune" / "outputs" / job
        self._targets = targets
        self._optional = optional
        self._say = say
        self.paths = {name: str(self._folder / name) for name in targets}

    def prepare(self) -> None:
        """Makes the empty folder in which the pods write.

        Raises:
            OSError: That is not possible.
        """
        if not self._targets:
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(_FOR_ALL)

    def are_there(self) -> bool:
        """Returns whether there is something to take, or nothing is expected."""
        return not self._targets or self._folder.is_dir()

    def take(self) -> None:
        """Copies all outputs to where the step's outputs are expected.

        Raises:
            ClusterError: One was not written.
            ConfinedError: One is, or holds, a link that leads out of it, or another kind of file.
            OSError: One cannot be read or written.
        """
        for name, target in self._targets.items():
            try:
                kind = confined.check(self._folder, name)
            except FileNotFoundError as error:
                if name in self._optional:
                    continue
                raise ClusterError(
                    f"the job has succeeded, but nothing wrote its output {name}; the process of rank 0 has to write "
                    f"it to the path that it gets in --{name}"
                ) from error
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            if kind == "folder":
                shutil.copytree(self._folder / name, target, symlinks=True, dirs_exist_ok=True)
                continue
            with (
                confined.open_file(self._folder, name, most=confined.ANY_SIZE) as source,
                Path(target).open("wb") as copy,
            ):
                shutil.copyfileobj(source, copy)

    def remove(self) -> None:
        """Removes them from the volume. What cannot be removed stays, and the log says so."""
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._targets and self._folder.exists():
            self._say(f"{self._folder} cannot be removed")
