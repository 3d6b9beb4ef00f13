"""The files of a pipeline's runs; nothing else joins these paths.

runs/circuits/
  lock                            held by the run that writes
  cache/KEY.json                  which task of which run has done what KEY stands for
  20261121-083000-1a2b3c4d/       a run: when it began, and a hash of pipeline, parameters and runtime
    run.json                      what runs, and how it ended
    steps/train/                  a step; steps/LOOP/0001/STEP/ of a loop
      log.txt                     what it printed; log.attempt1.txt and so on of tries that failed
      outputs/NAME                what it wrote
      work/                       its KFTUNE_OUTPUT_DIR
      study/                      of a tune step: the study's results, as `kftune run` keeps them
      done.json                   it has succeeded; written last, whole or not at all
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kftune.errors import StoreError
from kftune.files import write_text
from kftune.local.pipeline.artifacts import Made
from kftune.local.study.events import now

FORMAT = "kftune.pipeline-run/1"
"""The form of run.json and done.json; it changes when a key changes its meaning."""


@dataclass(frozen=True)
class TaskFolder:
    """The files of one task."""

    path: Path

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.path / "log.txt"

    @property
    def outputs(self) -> Path:
        """What it wrote."""
        return self.path / "outputs"

    @property
    def work(self) -> Path:
        """Its own files."""
        return self.path / "work"

    @property
    def study(self) -> Path:
        """A tune step's results."""
        return self.path / "study"

    @property
    def request(self) -> Path:
        """What the process of a tune step is to do."""
        return self.path / "tune.json"

    @property
    def done(self) -> Path:
        """Says that it has succeeded."""
        return self.path / "done.json"

    def move_log_aside(self, attempt: int) -> None:
        """Keeps the log of a try that failed, out of the way of the next."""
        if not self.log.exists():
            return
        while (aside := self.path / f"log.attempt{attempt}.txt").exists():
            attempt += 1
        self.log.rename(aside)

    def write_done(self, made: Mapping[str, Made], facts: Mapping[str, Any]) -> None:
        """Keeps that the task has succeeded.

        Raises:
            OSError: It cannot be written.
        """
        outputs = {
            name: {"type": each.type, **({"sha256": each.digest} if each.digest else {"value": each.value})}
            for name, each in made.items()
        }
        write_text(self.done, json.dumps({"format": FORMAT, **facts, "outputs": outputs}, indent=2) + "\n")

    def read_done(self) -> tuple[dict[str, Made], dict[str, Any]] | None:
        """What the task wrote, and the facts that were kept; None when it has not succeeded, or files are gone."""
        facts = _read(self.done)
        if facts is None:
            return None
        made = {}
        for name, told in facts["outputs"].items():
            path = self.outputs / name
            if not path.exists():
                return None
            made[name] = Made(told["type"], path, told.get("value"), told.get("sha256", ""))
        return made, facts


@dataclass(frozen=True)
class PipelineRunFolder:
    """The files of one run."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name."""
        return self.path.name

    @property
    def steps(self) -> Path:
        """Folder of all tasks."""
        return self.path / "steps"

    def task(self, name: str) -> TaskFolder:
        """The files of a task."""
        return TaskFolder(self.steps / name)

    @property
    def meta(self) -> Path:
        """What runs."""
        return self.path / "run.json"

    def write(self, meta: Mapping[str, Any]) -> None:
        """Keeps what runs, or how it ended.

        Raises:
            OSError: It cannot be written.
        """
        write_text(self.meta, json.dumps({"format": FORMAT, **meta}, indent=2, ensure_ascii=False) + "\n")


@dataclass(frozen=True)
class PipelineFolder:
    """The files of all runs of a pipeline."""

    path: Path

    @property
    def lock(self) -> Path:
        """Locked as long as a run writes here."""
        return self.path / "lock"

    def cached(self, key: str) -> Path:
        """Which task has done what a key stands for."""
        return self.path / "cache" / f"{key}.json"

    def runs(self) -> list[tuple[PipelineRunFolder, dict[str, Any]]]:
        """All runs, the latest first."""
        found = []
        for path in sorted(self.path.glob("*/run.json"), reverse=True):
            meta = _read(path)
            if meta is not None:
                found.append((PipelineRunFolder(path.parent), meta))
        return found

    def unfinished(self, identity: str) -> tuple[PipelineRunFolder, dict[str, Any]] | None:
        """The latest run of that identity, if it has not succeeded."""
        latest = next(((run, meta) for run, meta in self.runs() if meta.get("identity") == identity), None)
        return None if latest is None or latest[1].get("state") == "Succeeded" else latest

    def new_run(self, identity: str) -> PipelineRunFolder:
        """A run that begins now; `PipelineRunFolder.write` makes its folder."""
        stem = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{identity[:8]}"
        path, number = self.path / stem, 1
        while path.exists():
            number += 1
            path = self.path / f"{stem}-{number}"
        return PipelineRunFolder(path)

    def remember(self, key: str, run: PipelineRunFolder, task: str) -> None:
        """Keeps which task has done what a key stands for.

        Raises:
            OSError: It cannot be written.
        """
        write_text(self.cached(key), json.dumps({"run": run.name, "task": task, "time": now()}) + "\n")

    def recall(self, key: str) -> tuple[str, TaskFolder] | None:
        """The run and the task that have done what a key stands for; None where none has."""
        told = _read(self.cached(key))
        if told is None:
            return None
        return told["run"], PipelineRunFolder(self.path / told["run"]).task(told["task"])


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise StoreError(f"this file of a run is damaged: {error}; remove it", str(path)) from error
    if not isinstance(content, dict):
        raise StoreError("this file of a run is damaged; remove it", str(path))
    return content
