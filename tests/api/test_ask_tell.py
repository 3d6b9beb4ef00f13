"""`kftune.ask_tell` hands out trials to a loop, and stores what it tells: nothing told is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from python_api import GOOD

import kftune
from kftune import AskedTrial, AskTell, Choice, Hparam, Hparams, LogUniform
from kftune.errors import MetricError, RunError, StoreError, StudyError, UsageError
from kftune.results import open_results


class Net(Hparams):
    """A net."""

    lr: float = Hparam(1e-3, gt=0, search=LogUniform(1e-4, 1e-2))
    """Step size."""
    units: int = Hparam(64, ge=1, search=Choice(32, 64))
    """Width."""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def opened(**options: Any) -> AskTell[Net]:
    return kftune.ask_tell(Net, **{"max_trials": 4, "algorithm": "random", "seed": 3, "objective": "loss", **options})


def taken(loop: AskTell[Net]) -> AskedTrial[Net]:
    """Asks for a trial that must be there."""
    trial = loop.ask()
    assert trial is not None
    return trial


def test_several_trials_are_out_at_once_and_told_in_any_order():
    with opened() as loop:
        first, second = taken(loop), taken(loop)
        assert isinstance(first.hparams, Net)
        assert loop.tell(second, loss=0.2) == "Succeeded"
        loop.report(first, step=1, loss=0.5)
        loop.report(first, {"loss": 0.1}, step=2)
        assert not loop.should_stop(first)
        assert loop.tell(first) == "Succeeded"
        assert [loop.tell(trial, loss=1) for trial in loop] == ["Succeeded"] * 2
        assert loop.ask() is None
        assert (loop.reason, loop.best.name) == ("MaxTrialsReached", "net-0001")
    results = loop.results
    assert [trial.objective for trial in results.trials()] == [0.1, 0.2, 1.0, 1.0]
    with results.open() as stored:
        assert stored.curves(stored.trials()[0])["loss"].steps.tolist() == [1, 2]
    assert results.reason == "MaxTrialsReached"


def test_a_stopping_rule_gives_a_trial_up():
    with opened(stopping={"threshold": {"above": 10}}) as loop:
        bad = taken(loop)
        loop.report(bad, step=1, loss=11)
        assert loop.should_stop(bad)
        assert loop.tell(bad) == "EarlyStopped"
        assert loop.ask() is not None
    stopped, cut_short = loop.results.trials()
    assert (stopped.stopped_by, stopped.message[:27]) == ("threshold", "stopped early by threshold:")
    assert (cut_short.state, loop.results.reason) == ("Killed", "Interrupted")


def test_a_goal_ends_the_study_and_those_that_are_out():
    with opened(objective={"metric": "loss", "direction": "minimize", "goal": 0.1}) as loop:
        one, other = taken(loop), taken(loop)
        loop.tell(one, loss=0.05)
        assert loop.ask() is None
        assert (loop.reason, loop.should_stop(other)) == ("GoalReached", True)
        assert loop.tell(other) == "Killed"


def test_failures_count_and_end_the_study():
    with opened(max_failed=2) as loop:
        for trial in loop:
            loop.fail(trial, "no memory")
        assert loop.reason == "MaxFailedReached"
        with pytest.raises(RunError, match="no trial of Net has succeeded"):
            loop.best  # noqa: B018
    assert [(trial.state, trial.message) for trial in loop.results.trials()] == [("Failed", "no memory")] * 2


def test_constraints_and_duplicates_are_handled_as_in_a_run():
    with opened(search={"lr": None}, constraints=["units <= 32"]) as loop:
        only = taken(loop)
        assert only.hparams.units == 32
        assert (loop.ask(), loop.reason) == (None, None)
        loop.tell(only, loss=1)
        assert (loop.ask(), loop.reason) == (None, "SearchSpaceExhausted")


KILLED = f"""{GOOD}
import os, signal
with kftune.ask_tell(Net, max_trials=4, seed=3, algorithm="random", objective="loss", parallel=2) as loop:
    told, out, other = loop.ask(), loop.ask(), loop.ask()
    loop.tell(told, loss=0.5)
    loop.tell(other, loss=0.25)
    print(out.hparams, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_loses_no_told_trial_and_asks_for_the_others_again(tmp_path: Path):
    (tmp_path / "killed.py").write_text(KILLED)
    done = subprocess.run([sys.executable, "killed.py"], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    code = KILLED.replace(
        "    told,", "    again = loop.ask(); print(again.hparams, again.number); raise SystemExit\n    told,"
    )
    (tmp_path / "killed.py").write_text(code)
    resumed = subprocess.run([sys.executable, "killed.py"], capture_output=True, text=True, check=True)
    assert resumed.stdout == f"{done.stdout.strip()} 2\n"
    with open_results(tmp_path / "runs" / "net") as results:
        assert [trial.state for trial in results.trials()] == ["Succeeded", "Killed", "Succeeded"]


def test_two_loops_do_not_write_one_folder():
    with opened(), pytest.raises(StoreError):
        opened()


def test_what_a_loop_cannot_do_is_refused_or_warned_of():
    with pytest.raises(RunError, match="choose the type stopping in place of promotion"):
        opened(stopping={"asha": {"min_resource": 1, "type": "promotion"}})
    with pytest.warns(UserWarning, match=r"budget\.trial_timeout of the study has no effect"), opened(trial_timeout=3):
        pass


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda loop, trial: loop.tell(trial), UsageError, r"must have a value of loss; write tell\(trial, loss=...\)"),
        (lambda loop, trial: loop.tell(trial, loss=float("nan")), MetricError, "must be a finite number"),
        (lambda loop, trial: loop.tell(trial, los=1), UsageError, "los is not among loss; add it to metrics"),
        (lambda loop, trial: (loop.fail(trial, "x"), loop.tell(trial, loss=1)), UsageError, "a trial is told once"),
        (lambda loop, trial: kftune.ask_tell(cast(Any, 3)), UsageError, "a class of hyperparameters, but got 3"),
        (
            lambda loop, trial: opened(max_trails=3),
            UsageError,
            "unknown option 'max_trails'; did you mean 'max_trials'",
        ),
        (lambda loop, trial: opened(max_trials=0), StudyError, "max_trials"),
        (lambda loop, trial: opened(objectives=[]), UsageError, "objective is not given with objectives"),
    ],
)
def test_a_mistake_is_answered_and_the_loop_goes_on(wrong: Any, error: type[Exception], message: str):
    with opened() as loop:
        trial = taken(loop)
        with pytest.raises(error, match=message):
            wrong(loop, trial)
        assert loop.tell(taken(loop), loss=1) == "Succeeded"
