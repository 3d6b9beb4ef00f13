"""A run that is cut short goes on: nothing that has finished is lost, nothing is repeated, the budget holds."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from local_study import Net, Runs, Tiny, change, is_alive, run, sh, stored_rows, study, trials_in, wait_until

from kftune.errors import StoreError
from kftune.results import TrialEnd, open_results
from kftune.results.store import Store
from kftune.study import Study

# Random moments, for what aimed kills (tests/crash) do not reach: a worker that has forked the trials.
KILLS, MORE_KILLS = 6, 20
TRIALS, MORE_TRIALS = 100, 200


def tree(root: int) -> list[int]:
    """A process and all that it has started, and these."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            stat = (entry / "stat").read_bytes()
        except OSError:
            continue
        parents[int(entry.name)] = int(stat[stat.rindex(b")") + 2 :].split()[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def kill(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def starts_in(ledger: Path) -> Counter[str]:
    """How often each trial wrote its name."""
    return Counter(ledger.read_text().split() if ledger.exists() else [])


STOPS = {"threshold": {"above": 0.99}}


def by_shell(folder: Path) -> dict[str, Any]:
    """A step that starts as a program each time."""
    script = f"echo $KFTUNE_TRIAL_NAME >> {folder}/ledger; sleep 0.0$(($$ % 5 + 2)); echo loss=0.$$"
    return {"command": sh(script), "budget": {"parallel": 2}}


def by_shell_with_stopping(folder: Path) -> dict[str, Any]:
    """About half of the trials are stopped while they sleep."""
    begins = f"echo $KFTUNE_TRIAL_NAME >> {folder}/ledger; sleep 0.0$(($$ % 5 + 2))"
    script = f"{begins}; echo loss=$(($$ % 2)); sleep 0.1; echo loss=0.$$"
    return {"command": sh(script), "budget": {"parallel": 2}, "stopping": STOPS}


def by_worker(folder: Path, program: str = "") -> dict[str, Any]:
    """A step whose processes a warm worker forks."""
    (folder / "module_of_kills.py").write_text(
        "import os, sys, time\nwith open(os.path.dirname(__file__) + '/ledger', 'a') as ledger:\n"
        "    print(os.environ['KFTUNE_TRIAL_NAME'], file=ledger)\n"
        f"{program}time.sleep(os.getpid() % 5 / 100 + 0.02)\nprint(f'loss=0.{{os.getpid()}}')\n"
    )
    step = {"command": (), "module": "module_of_kills", "warm": True}
    return {"command": (), "step": step, "budget": {"parallel": 2}}


def by_worker_with_stopping_and_retries(folder: Path) -> dict[str, Any]:
    """Some tries fail, and about half of the others are stopped while they sleep."""
    program = (
        "if os.getpid() % 5 == 0: sys.exit(3)\n"
        "if os.getpid() % 2: print('loss=1', flush=True); time.sleep(1)\n"
    )  # fmt: skip
    budget = {"parallel": 2, "retries": {"failed": 50}}
    return {**by_worker(folder, program), "budget": budget, "stopping": STOPS}


@pytest.mark.parametrize(
    ("step", "states", "size"),
    [
        (by_worker_with_stopping_and_retries, {"Succeeded", "EarlyStopped"}, (KILLS, TRIALS)),
        *(
            pytest.param(step, states, (MORE_KILLS, MORE_TRIALS), marks=pytest.mark.nightly)
            for step, states in (
                (by_shell, {"Succeeded"}),
                (by_shell_with_stopping, {"Succeeded", "EarlyStopped"}),
                (by_worker, {"Succeeded"}),
                (by_worker_with_stopping_and_retries, {"Succeeded", "EarlyStopped"}),
            )
        ),
    ],
)
def test_kills_at_any_moment_lose_no_finished_trial_repeat_none_and_keep_the_budget(
    tmp_path, monkeypatch, step, states, size
):
    kills, number_of_trials = size
    folder, ledger = tmp_path / "runs", tmp_path / "ledger"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Runs(folder, **step(tmp_path), trials=number_of_trials) as runs:
        moments, longest = random.Random(20), 0.3
        before: dict[int, tuple[object, ...]] = {}
        starts_of_finished: Counter[str] = Counter()
        for number in range(kills):
            runner = runs.start()
            time.sleep(moments.uniform(0, longest))
            # Every other time the trials survive: the next run must find them.
            kill([[runner], tree(runner)][number % 2])
            runs.wait()
            after = stored_rows(folder)
            assert {trial: after.get(trial) for trial in before} == before, "a finished trial was lost or changed"
            before = after
            longest *= 1 if before else 1.3  # on a busy machine a trial takes longer
            names = {f"small-study-{trial:04}" for trial in before}
            starts = starts_in(ledger)
            assert {name: starts[name] for name in starts_of_finished} == starts_of_finished, (
                "a finished trial ran again"
            )
            starts_of_finished = Counter({name: starts[name] for name in names})
        runner = runs.start()
        runs.wait()
    after = stored_rows(folder)
    assert {trial: after.get(trial) for trial in before} == before
    assert 0 < len(before) < number_of_trials, "the kills must come while the study runs"
    trials = trials_in(folder)
    assert [trial.number for trial in trials] == list(range(1, number_of_trials + 1))
    assert {trial.state for trial in trials} == states
    assert len({tuple(trial.assignment.items()) for trial in trials}) == number_of_trials
    starts = starts_in(ledger)
    assert set(starts) == {trial.name for trial in trials}
    # Two trials run at once, and a slot is free again only when the end of its trial is stored: so a kill finds at most
    # two trials of which the store has no end. An engine that starts the next one before it stores an end fails here.
    retries = sum(trial.retried.failed for trial in trials)
    assert starts.total() <= number_of_trials + 2 * kills + retries, "a kill costs no more than the trials that ran"
    # The same points as in a run that nobody disturbed.
    undisturbed, _ = run(study(trials=number_of_trials), tmp_path / "undisturbed")
    assert undisturbed.counts == {"Succeeded": number_of_trials}
    assert [trial.point for trial in trials] == [trial.point for trial in trials_in(tmp_path / "undisturbed")]


def test_a_study_that_is_done_tells_so_and_starts_nothing(tmp_path):
    run(study(trials=2), tmp_path)
    outcome, events = run(study(trials=2), tmp_path)
    assert [event.kind for event in events] == ["study_started", "study_finished"]
    assert (outcome.reason, outcome.counts) == ("MaxTrialsReached", {"Succeeded": 2})
    assert outcome.best is not None


def test_a_larger_budget_goes_on_and_another_algorithm_learns_from_what_is_there(tmp_path):
    run(study(trials=3), tmp_path)
    first = trials_in(tmp_path)
    outcome, _ = run(study(trials=15, algorithm={"name": "tpe"}), tmp_path)
    assert outcome.counts == {"Succeeded": 15}
    assert trials_in(tmp_path)[:3] == first
    with open_results(tmp_path) as results:
        assert (results.meta.algorithm, results.meta.max_trials) == ("tpe", 15)


def test_failures_of_earlier_runs_count(tmp_path):
    run(study(sh("exit 1"), trials=9, budget={"max_failed": 2}), tmp_path)
    assert run(study(sh("exit 1"), trials=9, budget={"max_failed": 2}), tmp_path)[0].counts == {"Failed": 2}
    assert run(study(sh("exit 1"), trials=9, budget={"max_failed": 3}), tmp_path)[0].counts == {"Failed": 3}


def test_an_exhausted_space_stays_exhausted(tmp_path):
    run(study(hparams=Tiny, trials=4), tmp_path)
    for _ in range(2):
        outcome, events = run(study(hparams=Tiny, trials=50), tmp_path)
        start = events[0].to_dict()
        assert (start["max_trials"], start["total"]) == (50, 6)
        assert (outcome.reason, outcome.counts) == ("SearchSpaceExhausted", {"Succeeded": 6})


# -- one folder, one run, one study -----------------------------------------------------------------------------


def test_a_second_run_on_a_folder_is_refused_and_the_first_goes_on(tmp_path):
    with Runs(tmp_path / "runs", command=sh("sleep 0.2; echo loss=1"), trials=4) as runs:
        runner = runs.start()
        wait_until(lambda: (tmp_path / "runs" / "trials.db").exists())
        with pytest.raises(StoreError) as caught:
            run(study(), tmp_path / "runs")
        assert str(caught.value) == (
            f"{tmp_path / 'runs'}: only one run at a time may write results here, and process {runner} does; wait "
            f"until it ends, stop it (kill {runner}), or give this run another folder (--dir)"
        )
        runs.wait()
    assert [trial.state for trial in trials_in(tmp_path / "runs")] == ["Succeeded"] * 4


def test_results_can_be_read_while_a_run_writes_them(tmp_path):
    with Runs(tmp_path / "runs", command=sh("sleep 0.05; echo loss=1"), trials=8) as runs:
        runs.start()
        wait_until(lambda: (tmp_path / "runs" / "logs" / "small-study-0001.log").exists())
        seen: set[int] = set()
        while len(seen) < 8:
            now = {trial.number for trial in trials_in(tmp_path / "runs") if trial.state == "Succeeded"}
            assert seen <= now
            seen = now
        runs.wait()


@pytest.mark.parametrize(
    ("changed", "change"),
    [
        ({"search": {"units": {"int": [8, 64]}}}, 'space.units: was {"int":[8,256]}, is {"int":[8,64]}'),
        (
            {"values": {"units": 8}},
            'fixed.units: was not there, is 8\n  space.units: was {"int":[8,256]}, is not there',
        ),
        ({"objective": {"metric": "acc"}}, 'objective.metric: was "loss", is "acc"'),
        ({"objective": {"regex": "my loss: ([0-9.]+)"}}, 'regex: was not there, is "my loss: ([0-9.]+)"'),
        ({"command": sh("echo loss=2")}, 'command.line: was ["sh","-c","echo loss=0.5"], is ["sh","-c","echo loss=2"]'),
    ],
)
def test_results_of_another_study_are_refused_with_what_changed(tmp_path, changed, change):
    run(study(), tmp_path)
    before = trials_in(tmp_path)
    with pytest.raises(StoreError) as caught:
        run(study(**changed), tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: all results of a study must come from the same space, objective and command, but since these "
        f"were written the study 'Small study' has changed:\n  {change}\nUndo the change, keep both in another "
        f"folder (--dir), or start again (--fresh moves these results aside)"
    )
    assert trials_in(tmp_path) == before


def test_another_default_of_the_class_is_another_study(tmp_path):
    run(with_dropout(0.1), tmp_path)
    with pytest.raises(StoreError, match=r"has changed:\n  defaults\.dropout: was 0\.1, is 0\.2\n"):
        run(with_dropout(0.2), tmp_path)
    fixed = with_dropout(0.2, values={"dropout": 0.1})
    assert fixed.defaults() == {}, "what is fixed or searched has no default that reaches a trial"
    assert with_dropout(0.2, search={"dropout": {"uniform": [0, 1]}}).defaults() == {}


def test_results_from_before_defaults_were_kept_go_on(tmp_path):
    run(with_dropout(0.1, trials=1), tmp_path)
    with sqlite3.connect(tmp_path / "trials.db") as connection:
        meta = json.loads(connection.execute("SELECT value FROM meta WHERE key = 'study'").fetchone()[0])
        del meta["compared"]["defaults"], meta["compared"]["regex"]
        meta["identity"] = "of older times"
    connection.close()
    change(tmp_path, "UPDATE meta SET value = ? WHERE key = 'study'", json.dumps(meta))
    with pytest.raises(StoreError, match=r'has changed:\n  objective\.metric: was "loss", is "acc"\n'):
        run(with_dropout(0.2, trials=2, objective={"metric": "acc"}), tmp_path)
    assert run(with_dropout(0.1, trials=2), tmp_path)[0].counts == {"Succeeded": 2}
    with pytest.raises(StoreError, match="defaults"):
        run(with_dropout(0.2, trials=2), tmp_path)


def with_dropout(default: float, **parts: Any) -> Study:
    class Changing(Net):
        dropout: float = default

    return study(hparams=Changing, **parts)


def test_fresh_moves_earlier_results_aside_and_deletes_nothing(tmp_path):
    folder = tmp_path / "runs"
    run(study(trials=2), folder)
    before = trials_in(folder)
    run(study(sh("echo loss=2"), trials=1), folder, fresh=True)
    run(study(sh("echo loss=3"), trials=1), folder, fresh=True)
    assert [trial.objective for trial in trials_in(folder)] == [3]
    aside = sorted(tmp_path.glob("runs.old-*"))
    assert len(aside) == 2
    assert trials_in(aside[0]) == before
    assert (aside[0] / "logs" / "small-study-0002.log").read_text() == "loss=0.5\n"


def test_fresh_moves_no_folder_in_which_other_files_are(tmp_path):
    folder = tmp_path / "project"
    run(study(trials=1), folder)
    before = trials_in(folder)
    (folder / "train.py").touch()
    with pytest.raises(StoreError, match=r"but it has train\.py\. Give .* another folder \(--dir\)"):
        run(study(trials=1), folder, fresh=True)
    assert [path.name for path in tmp_path.iterdir()] == ["project"]
    assert trials_in(folder) == before


def test_a_damaged_file_is_told_as_such(tmp_path):
    run(study(), tmp_path)
    for name in ("trials.db-wal", "trials.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "trials.db").write_bytes(b"this is no SQLite file" * 100)
    for use in (lambda: run(study(), tmp_path), lambda: trials_in(tmp_path)):
        with pytest.raises(StoreError, match=r"is not a database of SQLite; save what can be read of it .*--salvage"):
            use()


def test_an_end_that_was_stored_is_never_changed(tmp_path):
    run(study(trials=1), tmp_path)
    with open_results(tmp_path) as results:
        meta, (trial,) = results.meta, results.trials()
    with Store(tmp_path, meta) as store:
        later = TrialEnd(
            state="Failed", metrics={}, objective=None, ended="2030-01-01T00:00:00Z", duration=1.0, exit_code=1
        )
        store.end(1, later)
        assert store.trial(1) == trial


def test_a_killed_trial_s_process_is_gone_before_it_runs_again(tmp_path):
    with Runs(tmp_path / "runs", command=sh("sleep 0.5; echo loss=1"), trials=1) as runs:
        runner = runs.start()
        wait_until(lambda: any((tmp_path / "runs" / "logs").glob("*.log")))
        wait_until(lambda: stored_pid(tmp_path / "runs"))
        pid = stored_pid(tmp_path / "runs")
        kill([runner])
        runs.wait()
        assert is_alive(pid)
        runs.start()
        runs.wait()
    assert not is_alive(pid)
    (trial,) = trials_in(tmp_path / "runs")
    assert (trial.attempt, trial.state) == (2, "Succeeded")


def test_files_of_an_attempt_that_was_never_stored_are_kept_too(tmp_path):
    folder = tmp_path / "trials"
    with Runs(tmp_path, command=sh("echo loss=1 > $KFTUNE_OUTPUT_DIR/model; sleep 60"), trials=1) as runs:
        for aside in range(3):
            runner = runs.start()
            wait_until(
                lambda aside=aside: (
                    len(list(folder.glob("*.attempt*"))) == aside
                    and (folder / "small-study-0001" / "model").exists()
                    and stored_pid(tmp_path)
                )
            )
            kill(tree(runner))
            runs.wait()
            change(tmp_path, "UPDATE trials SET attempt = 1")
    kept = sorted(path.name for path in folder.iterdir())
    assert kept == ["small-study-0001", "small-study-0001.attempt1", "small-study-0001.attempt2"]


def stored_pid(folder: Path) -> int:
    return next((trial.pid for trial in trials_in(folder) if trial.pid), 0)
