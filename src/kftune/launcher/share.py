"""The data that trials read from a shared volume: one copy of each content, until nothing reads it any more.

    SHARE/kftune/data/DIGEST/content        the file or folder
    SHARE/kftune/data/DIGEST/readers/NAME   an Experiment that reads it

No lock is needed, which not all shared volumes have. A copy appears by a rename, together with its first reader.
Removing the folder of the readers succeeds only when it is empty, and nobody can join without it.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from kftune.errors import ClusterError
from kftune.files import digest_of

_CONTENT, _READERS = "content", "readers"
_NEW, _REMOVED = ".new", ".removed"
# Seconds for another launcher to take away a copy that has lost its last reader.
_PATIENCE = 60.0
_AGAIN = 0.5


class SharedData:
    """The artifacts of one Experiment on the volume.

    Args:
        share: The volume's path, the same here and in the trials.
        artifacts: Name -> the file or folder here.
        reader: The Experiment's name.
        say: Called with each line for the log.
    """

    def __init__(
        self, share: Path, artifacts: Mapping[str, Path], reader: str, say: Callable[[str], object] = print
    ) -> None:
        self._folder = share / "kftune" / "data"
        self._reader = reader
        self._say = say
        digests = {name: digest_of(path) for name, path in artifacts.items()}
        self._sources = {digest: artifacts[name] for name, digest in digests.items()}
        self.paths = {name: str(self._folder / digest / _CONTENT) for name, digest in digests.items()}

    def hold(self) -> None:
        """Copies what is not there yet, and keeps it for this Experiment.

        Raises:
            ClusterError: An interrupted removal is in the way.
            OSError: The data cannot be read or written.
        """
        for digest, source in self._sources.items():
            new = self._folder / _NEW / f"{digest}.{self._reader}"
            # A try that was killed may have left it, half done.
            shutil.rmtree(new, ignore_errors=True)
            try:
                self._hold(self._folder / digest, source, new)
            finally:
                shutil.rmtree(new, ignore_errors=True)

    def _hold(self, entry: Path, source: Path, new: Path) -> None:
        end = time.monotonic() + _PATIENCE
        while not self._joined(entry):
            if not new.exists():
                self._copy(source, new)
            if _renamed(new, entry):
                return
            if time.monotonic() > end:
                raise ClusterError(f"the removal of {entry} was interrupted; remove what is left of it")
            time.sleep(_AGAIN)

    def _joined(self, entry: Path) -> bool:
        try:
            (entry / _READERS / self._reader).touch()
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ESTALE):
                raise
            return False
        return True

    def _copy(self, source: Path, new: Path) -> None:
        (new / _READERS).mkdir(parents=True)
        (new / _READERS / self._reader).touch()
        if source.is_dir():
            shutil.copytree(source, new / _CONTENT, symlinks=True)
            for folder, _, _ in os.walk(new / _CONTENT):
                # What is in a read-only folder could not be removed.
                Path(folder).chmod(Path(folder).stat().st_mode | stat.S_IRWXU)
        else:
            shutil.copyfile(source, new / _CONTENT)

    def release(self) -> None:
        """Removes the data that only this Experiment has read. What cannot be removed stays, and the log says so."""
        for digest in self._sources:
            try:
                self._release(digest)
            except OSError as error:
                self._say(f"{self._folder / digest} stays: {error.strerror}")

    def _release(self, digest: str) -> None:
        entry = self._folder / digest
        (entry / _READERS / self._reader).unlink(missing_ok=True)
        try:
            (entry / _READERS).rmdir()
        except OSError as error:
            # Others read it, or another launcher removes it.
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ESTALE):
                return
            raise
        removed = self._folder / _REMOVED / f"{digest}.{self._reader}.{time.time_ns()}"
        removed.parent.mkdir(exist_ok=True)
        entry.rename(removed)
        # The others there are left from removals that were interrupted, or another launcher removes them too.
        for each in removed.parent.iterdir():
            shutil.rmtree(each, ignore_errors=True)
        if removed.exists():
            self._say(f"{removed} cannot be removed")


def _renamed(new: Path, entry: Path) -> bool:
    try:
        new.rename(entry)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True
