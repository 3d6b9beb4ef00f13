"""A kill of kftune at any commit point loses no finished trial, repeats none, and mixes no values.

Each run is killed by SIGKILL at a chosen point (`crashing.aim`); its trials go on. Then it runs again to its end.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from applied import CONFIG
from crashing import ENTITIES, RUNS, SHARED_TRIALS, TRIALS, Ended, Server, finished_rows
from local_study import trials_in

from kftune.results import SCORED
from kftune.results.entities import EntitiesFolder

# How many kills of each run the default test makes; the nightly one makes one at each point, and as many pairs.
KILLS = {
    "run_a_study": 9,
    "run_with_retries": 8,
    "run_with_pauses": 9,
    "run_for_entities": 9,
    "run_an_experiment": 7,
    "run_experiments": 7,
    "run_fresh": 7,
    "run_a_pipeline": 5,
    "apply": 3,
    "write_curves": 3,
    "salvage": 2,
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The process that runs kftune."""
    process = Server()
    yield process
    process.close()


def starts_in(folder: Path) -> Counter[str]:
    """How often each trial, or step, started."""
    ledger = folder / "ledger"
    return Counter(ledger.read_text().split() if ledger.exists() else [])


def processes_of(folder: Path) -> Iterator[int]:
    """Yields the processes of trials and steps below a folder."""
    mark = os.fsencode(f"KFTUNE_OUTPUT_DIR={folder}/")
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            yield from [int(entry.name)] * (mark in (entry / "environ").read_bytes())


def entities_of(folder: Path) -> list[Path]:
    """Returns the folders of the entities in a folder of results."""
    return [path.parent for path in sorted(folder.glob("*/trials.db"))]


def rows_by_name(folder: Path) -> dict[str, object]:
    """Returns the rows of the finished trials in a folder, by the trial's name."""
    rows = finished_rows(folder)
    names = {trial.number: trial.name for trial in trials_in(folder)} if rows else {}
    return {names[number]: row for number, row in rows.items()}


class Case:
    """One kind of run, killed in a folder of its own."""

    def __init__(self, server: Server, name: str, folder: Path) -> None:
        self.server, self.name, self.folder = server, name, folder
        folder.mkdir()
        server.prepare(name, folder)

    def kill(self, at: int, *, again: bool = False) -> Ended:
        """Runs and kills it, and checks that what had finished before is as it was."""
        before, starts = self.finished(), starts_in(self.folder)
        ended = self.server.run(self.name, self.folder, at, again=again)
        self.compare(before, starts)
        return ended

    def finish(self) -> None:
        """Runs it to its end, and checks everything."""
        before, starts = self.finished(), starts_in(self.folder)
        ended = self.server.run(self.name, self.folder, again=True)
        assert ended.status == 0, (self.folder / "output").read_text()
        self.compare(before, starts)
        CHECKS[self.name](self.folder)
        assert not [*processes_of(self.folder)], "a process is left"

    def finished(self) -> dict[str, object]:
        """What has finished: name -> its row, or what its file says."""
        if self.name == "run_a_pipeline":
            done = self.folder.glob("runs/*/steps/*/done.json")
            return {f"{path.parts[-4]}/{path.parent.name}": path.read_text() for path in done}
        aside = any(self.folder.glob("runs.old-*"))
        if (self.name == "run_fresh" and not aside) or self.name == "salvage":
            return {}  # what is there is moved aside, or cannot be read
        runs = self.folder / "runs"
        return {name: row for folder in (runs, *entities_of(runs)) for name, row in rows_by_name(folder).items()}

    def compare(self, before: dict[str, object], starts: Counter[str]) -> None:
        """Checks that what had finished is as it was, and did not start again."""
        after, now = self.finished(), starts_in(self.folder)
        assert {name: after.get(name) for name in before} == before, "what had finished was lost or changed"
        names = {name.rpartition("/")[2] for name in before}
        assert {name: now[name] for name in names} == {name: starts[name] for name in names}, "it ran again"


def check_trials(folder: Path) -> None:
    trials = trials_in(folder / "runs")
    assert [trial.number for trial in trials] == list(range(1, TRIALS + 1))
    # A trial that finds the checkpoint of other values fails.
    assert {trial.state for trial in trials} <= set(SCORED), [(trial.name, trial.message) for trial in trials]
    assert [trial.objective for trial in trials] == [float(trial.assignment["lr"]) for trial in trials]
    assert {trial.name for trial in trials} <= set(starts_in(folder))


def check_retries(folder: Path) -> None:
    check_trials(folder)
    assert {trial.retried.failed for trial in trials_in(folder / "runs")} <= {0, 1}


def check_entities(folder: Path) -> None:
    found = [trials_in(path) for path in entities_of(folder / "runs")]
    assert [[trial.number for trial in trials] for trials in found] == [[1, 2, 3], [1, 2], [1, 2]]
    trials = [trial for of_entity in found for trial in of_entity]
    assert len(trials) == SHARED_TRIALS
    assert {trial.state for trial in trials} == {"Succeeded"}, [(trial.name, trial.message) for trial in trials]
    assert [trial.objective for trial in trials] == [float(trial.assignment["lr"]) for trial in trials]
    # A place that a kill has freed is that of the same trial again.
    assert {trial.name for trial in trials} == set(starts_in(folder))
    entities = EntitiesFolder(folder / "runs")
    assert [each.name for each in entities.entities()] == list(ENTITIES)
    assert entities.state()[1] == "SharedBudget"


def check_fresh(folder: Path) -> None:
    check_trials(folder)
    (aside,) = folder.glob("runs.old-*")
    assert [trial.objective for trial in trials_in(aside)] == [0.5, 0.5]


def check_pipeline(folder: Path) -> None:
    assert set(starts_in(folder)) == {"one", "two", "three"}
    logs = [*folder.glob("runs/*/steps/three/log.txt")]
    assert logs
    assert {log.read_text() for log in logs} == {"result=2\n"}
    last = max(folder.glob("runs/*/run.json"))
    assert json.loads(last.read_text())["state"] == "Succeeded"


def check_applied(folder: Path) -> None:
    expected = CONFIG.replace("lr: 0.001   # by", "lr: 1.0e-05   # by").replace("'units': \"64\"", "'units': \"32\"")
    assert (folder / "config.yaml").read_text() == expected


def check_curves(folder: Path) -> None:
    assert (
        (folder / "curves.csv").read_text().startswith("trial,metric,step,value,seconds\nsmall-study-0001,loss,1,0.5,")
    )


CHECKS = {
    **dict.fromkeys(RUNS, check_trials),
    "run_with_retries": check_retries,
    "run_for_entities": check_entities,
    "run_fresh": check_fresh,
    "run_a_pipeline": check_pipeline,
    "apply": check_applied,
    "write_curves": check_curves,
}


def points_of(server: Server, name: str, folder: Path) -> int:
    """How many commit points an undisturbed run has."""
    case = Case(server, name, folder)
    ended = server.run(name, folder)
    assert ended.status == 0, (folder / "output").read_text()
    CHECKS[case.name](folder)
    return len(ended.points)


def kill_at(server: Server, name: str, folder: Path, moments: Iterable[tuple[int, ...]]) -> int:
    """Kills runs at points, each in a folder of its own; returns how many kills came before the end."""
    kills = 0
    for number, moment in enumerate(moments):
        case = Case(server, name, folder / str(number))
        for index, at in enumerate(moment):
            kills += case.kill(at, again=index > 0).status < 0
        case.finish()
    return kills


@pytest.mark.parametrize("name", KILLS)
def test_kills_at_commit_points_lose_nothing_repeat_nothing_and_mix_nothing(server, tmp_path, name):
    points, count = points_of(server, name, tmp_path / "whole"), KILLS[name]
    # Spread over the run. Two trials run at once, so a run may have a few points less than the one before.
    reached = points - points // 10
    moments = [(1 + (each * reached + len(name)) // count % reached,) for each in range(count)]
    assert kill_at(server, name, tmp_path, moments) >= count - 1


@pytest.mark.nightly  # more than a thousand kills
@pytest.mark.parametrize("name", KILLS)
def test_a_kill_at_each_commit_point_and_a_second_one_after_it_lose_repeat_and_mix_nothing(server, tmp_path, name):
    points, chance = points_of(server, name, tmp_path / "whole"), random.Random(18)
    moments = [(at, *([chance.randrange(1, points + 1)] * (at % 2))) for at in range(1, points + 1)]
    assert kill_at(server, name, tmp_path, moments) >= points * 0.9


def test_the_kills_are_as_many_as_was_promised():
    assert KILLS.keys() == RUNS.keys()
    assert sum(KILLS.values()) == 69


@pytest.mark.parametrize(
    "kind", ["before half of a line", "after _commit", "before os.mkdir", "before subprocess.Popen"]
)
def test_the_points_are_where_something_changes(server, tmp_path, kind):
    Case(server, "run_a_study", tmp_path / "whole")
    assert server.run("run_a_study", tmp_path / "whole").points.count(kind) >= TRIALS
