"""The files of a pipeline's runs. Their names are in kftune.results.pipeline_names.

runs/circuits/
  lock                            locked by the run that writes
  cache/KEY.json                  which task of which run has the result of KEY
  20261121-083000-1a2b3c4d/       a run: its start, and a hash of pipeline, parameters and runtime
    run.json                      what runs, and how it ended
    steps/train/                  a step; steps/LOOP/0001/STEP/ of a loop
      log.txt                     what it printed; log.attempt1.txt and so on of tries that failed
      outputs/NAME                what it wrote
      work/                       its KFTUNE_OUTPUT_DIR
      study/                      of a tune step: the study's results, as `kftune run` keeps them
      done.json                   it has succeeded; written last, completely or not at all
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

from kftune import json_input
from kftune.errors import StoreError
from kftune.files import write_text
from kftune.local.pipeline.artifacts import Made
from kftune.local.study.events import now
from kftune.results.pipeline_names import CACHE, DONE, LOCK, LOG, REQUEST, RUN_FILE, STEPS, STUDY
from kftune.results.pipeline_names import RUN_FORMAT as FORMAT


class TaskFolder:
    """The files of one task.

    Attributes:
        path: Its folder.
        log: What it printed.
        outputs: What it wrote.
        work: Its own files.
        study: A tune step's results.
        request: What the process of a tune step must do.
        done: Shows that it has succeeded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path / LOG
        self.outputs = path / "outputs"
        self.work = path / "work"
        self.study = path / STUDY
        self.request = path / REQUEST
        self.done = path / DONE

    def move_log_aside(self, attempt: int) -> None:
        """Renames the log of a failed try, so that the next one starts its own."""
        if not self.log.exists():
            return
        while (aside := self.path / f"log.attempt{attempt}.txt").exists():
            attempt += 1
        self.log.rename(aside)

    def write_done(self, made: Mapping[str, Made], facts: Mapping[str, Any]) -> None:
        """Stores that the task has succeeded.

        Args:
            made: What it wrote.
            facts: Further entries of the file.

        Raises:
            OSError: It cannot be written.
        """
        outputs = {
            name: {"type": each.type}
            | ({"sha256": each.digest} if each.digest else {"value": each.value, "text": each.text})
            for name, each in made.items()
        }
        write_text(self.done, _text({"format": FORMAT, **facts, "outputs": outputs}))

    def read_done(self) -> tuple[dict[str, Made], dict[str, Any]] | None:
        """Returns what the task wrote, and the further entries; None if it has not succeeded, or files are gone."""
        facts = _read(self.done)
        if facts is None:
            return None
        try:
            return self._made(facts["outputs"]), facts
        except FileNotFoundError:
            return None
        except (KeyError, TypeError, AttributeError) as error:
            raise _damaged(self.done) from error

    def _made(self, outputs: Mapping[str, Mapping[str, Any]]) -> dict[str, Made]:
        made = {}
        for name, output in outputs.items():
            path = self.outputs / name
            # A value without its text is of an older kftune.
            if not path.exists() or not output.keys() & {"sha256", "text"}:
                raise FileNotFoundError(path)
            made[name] = Made(
                output["type"], path, output.get("value"), output.get("sha256", ""), output.get("text", "")
            )
        return made


class PipelineRunFolder:
    """The files of one run.

    Attributes:
        path: Its folder.
        name: The run's name.
        steps: Folder of all tasks.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.steps = path / STEPS

    def task(self, name: str) -> TaskFolder:
        """Returns the files of a task."""
        return TaskFolder(self.steps / name)

    def write(self, meta: Mapping[str, Any]) -> None:
        """Stores what runs, or how it ended.

        Raises:
            OSError: It cannot be written.
        """
        write_text(self.path / RUN_FILE, _text({"format": FORMAT, **meta}))


class PipelineFolder:
    """The files of all runs of a pipeline.

    Attributes:
        lock: Locked while a run writes here.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lock = path / LOCK

    def unfinished(self, identity: str) -> tuple[PipelineRunFolder, dict[str, Any]] | None:
        """Returns the latest run of that identity, and what it runs; None if it has succeeded, or there is none."""
        for path in sorted(self._path.glob(f"*/{RUN_FILE}"), reverse=True):
            meta = _read(path)
            if meta is not None and meta.get("identity") == identity:
                return None if meta.get("state") == "Succeeded" else (PipelineRunFolder(path.parent), meta)
        return None

    def new_run(self, identity: str) -> PipelineRunFolder:
        """Returns a run that starts now; `PipelineRunFolder.write` makes its folder."""
        stem = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{identity[:8]}"
        path, number = self._path / stem, 1
        while path.exists():
            number += 1
            path = self._path / f"{stem}-{number}"
        return PipelineRunFolder(path)

    def remember(self, key: str, run: PipelineRunFolder, task: str) -> None:
        """Stores which task has the result of a key.

        Args:
            key: The key.
            run: The task's run.
            task: Its name.

        Raises:
            OSError: It cannot be written.
        """
        write_text(self._cached(key), _text({"run": run.name, "task": task, "time": now()}))

    def recall(self, key: str) -> tuple[str, TaskFolder] | None:
        """Returns the run and the task with the result of a key; None if there is none."""
        found = _read(self._cached(key))
        return (
            None if found is None else (found["run"], PipelineRunFolder(self._path / found["run"]).task(found["task"]))
        )

    def _cached(self, key: str) -> Path:
        return self._path / CACHE / f"{key}.json"


def _text(content: Mapping[str, Any]) -> str:
    """Returns what a file of a run has, with a checksum."""
    return json.dumps({**content, "crc32": _checksum(content)}, indent=2, ensure_ascii=False) + "\n"


def _checksum(content: Mapping[str, Any]) -> str:
    return f"{crc32(json.dumps(content, sort_keys=True).encode()):08x}"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json_input.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise _damaged(path) from error
    # An older kftune writes no checksum.
    if not isinstance(content, dict) or content.pop("crc32", None) not in (None, _checksum(content)):
        raise _damaged(path)
    return content


def _damaged(path: Path) -> StoreError:
    return StoreError("this file of a run is damaged; remove it", str(path))
