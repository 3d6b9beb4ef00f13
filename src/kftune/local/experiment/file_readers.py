"""The readers of what trials write to files. A trial in a container can replace its files by anything."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from kftune import confined
from kftune.errors import ConfinedError, ReadingStoppedError
from kftune.katib.trial import event_files
from kftune.katib.trial.collector import Row
from kftune.katib.trial.stopping import StopRule
from kftune.local.experiment.readers import BETWEEN_LOOKS, CHUNK, Collection, LinesReader, RowsReader
from kftune.local.study.missing_objective import SEARCHED

_LONGEST_LOOK = 0.1  # s; signals wait for it
_LONGEST_MARK = 1 << 6


class FileReader(LinesReader):
    """File, and StdOut behind Katib's own shell line: a file that the trial writes."""

    def __init__(self, collection: Collection, trial: str, rules: Sequence[StopRule]) -> None:
        super().__init__(collection, trial, rules)
        self._path = collection.local_path(trial)
        self._output = collection.output(trial)
        self._position = 0
        self.next_look = time.monotonic() + BETWEEN_LOOKS

    def look(self) -> Sequence[str]:
        """Reads what was added to the file, and at most so much that signals are heard soon."""
        names, more = self._read_some()
        self.next_look = time.monotonic() + (0.0 if more else BETWEEN_LOOKS)
        return names

    def _read_some(self) -> tuple[list[str], bool]:
        """Reads the next part of the file; returns the metrics in it, and whether there is more."""
        names: list[str] = []
        until = time.monotonic() + _LONGEST_LOOK
        try:
            with confined.open_file(self._output, self._path) as file:
                file.seek(self._position)
                while chunk := file.read1(CHUNK):
                    self._position += len(chunk)
                    names += self._lines(chunk)
                    if time.monotonic() > until:
                        return names, True
        except ConfinedError as error:
            self._failure = self._failure or str(error)
        except OSError:
            pass  # it is not there yet, or cannot be read yet
        return names, False

    def _read_rest(self) -> None:
        stop, more = confined.after_a_moment(self._collection.interrupted), True
        while more and not self._failure:
            _, more = self._read_some()
            if more and stop():
                self.given_up = f"{self._path} was not read to its end: the run was interrupted"
                return
        self._rest_of_lines()

    def why_failed(self) -> str:
        """Returns why the collector fails: there is no file, or behind Katib's shell line no mark in it."""
        if self._failure:
            return self._failure
        if self._collection.wrapped and not self._is_marked():
            return (
                "Katib's shell line around the command ended without Katib's mark of completion: its collector fails, "
                "and the trial with it"
            )
        if not confined.is_file(self._output, self._path):
            path = self._metrics.path
            return (
                f"nothing was written to {self._path}, used here for {path}: Katib's collector fails, and the "
                f"trial with it. A program that has the path in its code runs in its image (--runtime container), or "
                f"takes it as an argument"
            )
        return ""

    def _is_marked(self) -> bool:
        folder = self._path.parent
        try:
            marks = [
                each for each in confined.files(self._output, folder) if each.match("*.pid") and each.parent == folder
            ]
        except OSError:
            return False
        return any(self._text(mark) == b"completed" for mark in marks)

    def _text(self, mark: Path) -> bytes:
        return (confined.end_of(self._output, mark, _LONGEST_MARK) or b"").strip()

    def _end(self, log: Path) -> bytes:
        return confined.end_of(self._output, self._path, SEARCHED) or b""


class EventReader(RowsReader):
    """TensorFlowEvent: event files below a folder."""

    def _read_rest(self) -> None:
        collection, output = self._collection, self._collection.output(self._trial)
        stop = confined.after_a_moment(collection.interrupted)
        try:
            paths = confined.files(output, collection.local_path(self._trial))
            files = ((path, partial(confined.open_file, output, path, stop=stop)) for path in paths)
            found = event_files.reports_in(files, self._metrics.names)
        except ReadingStoppedError as error:
            self.given_up = str(error)
            return
        except OSError as error:
            self._failure = str(error)
            return
        self._rows.take(Row(*event_files.row(*each)) for each in found)
        for metric, scalar in sorted(found, key=lambda each: each[1].wall_time):
            self._reported.add(metric, scalar.text, scalar.step, scalar.wall_time - self._reported.began)

    def _why_missing(self, log: Path) -> str:
        place = self._collection.local_path(self._trial)
        return (
            f"no event file below {place}, used here for {self._metrics.path}, has the tag {self._metrics.objective!r}"
        )
