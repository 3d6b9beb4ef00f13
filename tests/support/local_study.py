"""Small studies for the tests of local runs. Their trials are real processes that end immediately."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from kftune import Choice, Conditional, Hparam, Hparams, IntUniform, LogUniform
from kftune.local import Event, Outcome, TrialFinished, run_study
from kftune.results import Trial, open_results
from kftune.results.tables import CHECKSUM, add_checksums
from kftune.study import Study


class Net(Hparams):
    """A small class to search."""

    lr: float = Hparam(1e-3, search=LogUniform(1e-4, 1e-1))
    """Step size."""
    units: int = Hparam(32, search=IntUniform(8, 256))
    """Width."""
    optimizer: str = Hparam("adam", search=Choice("adam", "sgd", "rmsprop"))
    """Optimizer."""


class Tiny(Hparams):
    """A space of six points."""

    a: int = Hparam(1, search=Choice(1, 2, 3))
    """Three values."""
    b: bool = Hparam(False, search=Choice(False, True))
    """Two values."""


class Branches(Hparams):
    """The momentum matters for sgd only, so there are four points."""

    momentum: float = Hparam(0.5, search=Conditional(Choice(0.1, 0.5, 0.9), when={"optimizer": ("sgd",)}))
    """Declared before the field that it depends on."""
    optimizer: str = Hparam("adam", search=Choice("adam", "sgd"))
    """Decides whether there is a momentum."""


def sh(script: str) -> tuple[str, ...]:
    """Returns a step's command that runs a shell script; the hyperparameters are its $0, $1, …"""
    return ("sh", "-c", script)


def python(script: str) -> tuple[str, ...]:
    """Returns a step's command that runs a Python script; the hyperparameters are in sys.argv."""
    return ("python", "-c", script)


def study(command: tuple[str, ...] = sh("echo loss=0.5"), trials: int = 3, **parts: Any) -> Study:
    """Returns a study with `trials` trials; nested parts (`budget`, `step`, `algorithm`, `objective`) are merged in."""
    data: dict[str, Any] = {"name": "Small study", "hparams": Net, **parts}
    data["objective"] = {"metric": "loss", "direction": "minimize", **parts.get("objective", {})}
    data["algorithm"] = {"name": "random", "seed": 7, **parts.get("algorithm", {})}
    data["budget"] = {"max_trials": trials, **parts.get("budget", {})}
    data["step"] = {"command": command, "grace_period": 5, **parts.get("step", {})}
    return Study(**data)


def run(a_study: Study, folder: Path, **options: Any) -> tuple[Outcome, list[Event]]:
    """Runs a study. Returns its outcome and its events."""
    events: list[Event] = []
    return run_study(a_study, folder, on_event=events.append, **options), events


def trials_in(folder: Path) -> list[Trial]:
    """Returns the stored trials."""
    with open_results(folder) as results:
        return results.trials()


def kept_curves(folder: Path) -> dict[int, dict[str, tuple[list[int], list[float]]]]:
    """Returns the steps and the values of the stored curves, by trial and metric."""
    found: dict[int, dict[str, tuple[list[int], list[float]]]] = {}
    with open_results(folder) as results:
        for number, metric, curve in results.all_curves():
            found.setdefault(number, {})[metric] = (curve.steps.tolist(), curve.values.tolist())
    return found


def finished(events: list[Event]) -> list[TrialFinished]:
    """Returns the events of finished trials, in order."""
    return [event for event in events if isinstance(event, TrialFinished)]


def one_trial(a_study: Study, folder: Path, **options: Any) -> Trial:
    """Runs a study of one trial. Returns the trial."""
    run(a_study, folder, **options)
    (trial,) = trials_in(folder)
    return trial


def log_of(folder: Path, trial: Trial) -> str:
    """Returns the output of a trial."""
    return (folder / "logs" / f"{trial.name}.log").read_text(errors="replace")


def wait_until(condition: Any, seconds: float = 20) -> None:
    """Waits until a condition holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.005)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat[stat.rindex(b")") + 2 :].split()[0] not in (b"Z", b"X")


def stored_rows(folder: Path) -> dict[int, tuple[Any, ...]]:
    """Returns the row of every finished trial by number, read directly from SQLite."""
    path = folder / "trials.db"
    if not path.exists():
        return {}
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute("SELECT * FROM trials WHERE ended IS NOT NULL AND state != 'Killed'").fetchall()
    except sqlite3.OperationalError:  # the first run was killed before it created the tables
        return {}
    finally:
        connection.close()
    return {row[0]: row for row in rows}


def change(folder: Path, statement: str, *values: object) -> None:
    """Changes the stored trials by a statement of SQL, so that it looks as if kftune had stored them so."""
    connection = sqlite3.connect(folder / "trials.db")
    add_checksums(connection)
    with connection:
        connection.execute(statement, values)
        connection.execute(f"UPDATE trials SET checksum = {CHECKSUM}")  # noqa: S608  # the names are our own
        connection.execute("UPDATE meta SET checksum = checksum_of_text(key, value)")
    connection.close()


class Runs:
    """Runs of one study, one after another, each in a process that can be killed."""

    def __init__(self, folder: Path, **arguments: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(folder), json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready"

    def start(self) -> int:
        """Starts a run, and returns its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return int(self._line())

    def wait(self) -> None:
        """Waits for the end of the run."""
        assert self._line() == "ended"

    def __enter__(self) -> Runs:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def serve() -> None:
    """Forks a run of a study for each line of standard input, and prints its process id. This is faster than a new
    Python each time. Arguments: the results folder, and the keyword arguments of `study` as JSON, with retry_failed for
    `run_study`."""
    folder, arguments = Path(sys.argv[1]), json.loads(sys.argv[2])
    retry_failed = arguments.pop("retry_failed", False)
    a_study = study(tuple(arguments.pop("command")), **arguments)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os._exit(run_study(a_study, folder, retry_failed=retry_failed).exit_code)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        os.waitpid(pid, 0)
        sys.stdout.write("ended\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
