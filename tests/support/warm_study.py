"""Small studies whose trials run a module, from a warm worker or as usual."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from local_study import log_of, run, study, trials_in

from kftune.local import Note
from kftune.local.processes.spawning import Spawned
from kftune.local.processes.warm.worker import Forked, WarmWorker
from kftune.results import Trial

MODULE = {"command": (), "module": "trial_module", "warm": True}
"""The step of such a study."""


class WarmRun(NamedTuple):
    """A run of a study."""

    trials: list[Trial]
    logs: list[str]
    """What each trial printed, with NAME for its name and 0x for addresses."""
    notes: list[str]

    def ends(self) -> list[tuple[object, ...]]:
        """Returns how each trial ended, to compare one with another."""
        ends = zip(self.trials, self.logs, strict=True)
        return [(each.state, each.exit_code, normal(each, each.message), log) for each, log in ends]


def normal(trial: Trial, text: str) -> str:
    """Returns a text without what differs between equal trials."""
    return re.sub(r"0x[0-9a-f]+", "0x", text.replace(trial.name, "NAME"))


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Writes the files of a project, and returns the path of its study."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder / "study.yaml"


def run_module(folder: Path, source: str | Mapping[str, str], trials: int = 3, **parts: Any) -> WarmRun:
    """Runs a study of a module, and returns what happened.

    Args:
        folder: An empty folder.
        source: The module, or all files of the project.
        trials: How many.
        **parts: Parts of the study.
    """
    path = write(folder, {"trial_module.py": source} if isinstance(source, str) else source)
    step = {**MODULE, **parts.pop("step", {})}
    _, events = run(study((), trials=trials, step=step, **parts), folder / "runs", study_path=path)
    found = trials_in(folder / "runs")
    logs = [normal(trial, log_of(folder / "runs", trial)) for trial in found]
    return WarmRun(found, logs, [event.message for event in events if isinstance(event, Note)])


class Forks:
    """The processes that workers have forked; the run waits for each worker until it has imported.

    So the first trial starts as usual, and all others are forked unless the worker refuses.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pids: list[int] = []
        self.workers: list[int] = []
        is_ready, fork = WarmWorker.is_ready, WarmWorker.fork

        def wait(worker: WarmWorker) -> bool:
            until = time.monotonic() + 60
            while not is_ready(worker) and not worker.problem:
                assert time.monotonic() < until, "the worker imports without end"
                time.sleep(0.005)
            return is_ready(worker)

        def note(
            worker: WarmWorker, argv: Sequence[str], env: Mapping[str, str], cwd: Path, output: int
        ) -> Spawned | None:
            self.workers.append(worker.pid)
            forked = fork(worker, argv, env, cwd, output)
            self.pids += [forked.pid] if isinstance(forked, Forked) else []
            return forked

        monkeypatch.setattr(WarmWorker, "is_ready", wait)
        monkeypatch.setattr(WarmWorker, "fork", note)
