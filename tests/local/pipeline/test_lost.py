"""A step that something outside ends by a signal starts again, apart from the tries after its own failures."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from local_pipeline import Project
from local_study import wait_until

from kftune.local.pipeline import StepRetries, StepStarted

LOST = {"preemption": {"retries": 2}}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def ends(project: Project, *endings: str) -> dict[str, object]:
    """A step whose tries end so, one after the other, and then succeed."""
    body = f"""
    try_number = times("a")
    write("made", str(try_number))
    endings = {list(endings)}
    if try_number <= len(endings):
        print("try", try_number, flush=True)
        exec(endings[try_number - 1])
    """
    return project.step("a", body, outputs={"made": "int"})


KILL, TERM, FAIL = "os.kill(os.getpid(), 9)", "os.kill(os.getpid(), 15)", "sys.exit(137)"


@pytest.mark.parametrize("ending", [KILL, TERM])
def test_a_lost_step_starts_again_and_its_last_try_counts(project, ending):
    run = project.run(project.pipeline({"a": ends(project, ending) | LOST}))
    assert run.ends["a"].outputs == {"made": 2}
    assert [event.attempt for event in run.events if isinstance(event, StepStarted)] == [1, 2]
    (retry,) = [event for event in run.events if isinstance(event, StepRetries)]
    assert (retry.attempt, retry.wait) == (1, 0.0)
    assert retry.message.startswith("was ended from outside by SIG")
    folder = Path(str(run.ends["a"].log)).parent
    assert (folder / "log.attempt1.txt").read_text() == "try 1\n"
    assert (folder / "log.txt").read_text() == ""


def test_a_step_that_fails_by_itself_is_not_retried(project):
    run = project.run(project.pipeline({"a": ends(project, FAIL) | LOST}))
    assert (run.states, project.count("a")) == ({"a": "Failed"}, 1)


@pytest.mark.parametrize(
    ("tries", "state"),
    [([KILL, FAIL, TERM], "Succeeded"), ([FAIL, KILL, TERM], "Succeeded"), ([KILL, FAIL, FAIL], "Failed")],
)
def test_lost_tries_and_failed_tries_are_counted_apart(project, tries, state):
    run = project.run(project.pipeline({"a": ends(project, *tries) | LOST | {"retries": 1}}))
    assert run.states == {"a": state}


def test_a_step_that_is_lost_once_too_often_counts_as_failed(project):
    run = project.run(project.pipeline({"a": ends(project, KILL, KILL, KILL, KILL) | LOST | {"retries": 1}}))
    assert (run.states, project.count("a")) == ({"a": "Failed"}, 4)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_lost_tune_step_goes_on_with_its_study(project, number):
    module = f"lost_by_{number}"
    (project.folder / f"{module}.py").write_text(
        "from kftune import Choice, Hparam, Hparams\n\n\nclass Hp(Hparams):\n"
        '    """One value."""\n\n    a: int = Hparam(1, search=Choice(1, 2, 3, 4))\n    """It."""\n'
    )
    # The second trial ends its parent, which is the process of the tune step.
    script = f"""
    if times("trial") == 2:
        os.kill(os.getppid(), {int(number)})
        time.sleep(60)
    print("loss=" + given["a"])
    """
    trial = project.step("trial", script)
    study = {
        "name": "s",
        "hparams": f"{module}:Hp",
        "objective": {"metric": "loss", "direction": "minimize"},
        "algorithm": {"name": "grid"},
        "budget": {"max_trials": 4},
        "step": {"command": trial["command"], "grace_period": 1},
    }
    run = project.run(project.pipeline({"tune": {"kind": "tune", "study": study, **LOST}}))
    assert run.states == {"tune": "Succeeded"}
    assert run.ends["tune"].outputs["best.a"] == 1
    assert project.count("trial") == 5


def test_a_kill_of_kftune_during_the_second_try_leaves_a_run_that_goes_on(project):
    wait = "time.sleep(60)"
    pipeline = project.pipeline({"a": ends(project, KILL, wait) | LOST})
    (project.folder / "pipeline.yaml").write_text(json.dumps(pipeline.to_dict()))
    command = [sys.executable, "-m", "kftune", "pipeline", "run", "pipeline.yaml", f"--dir={project.runs}", "--plain"]
    runner = subprocess.Popen(command, cwd=project.folder, stdout=subprocess.DEVNULL)
    wait_until(lambda: [path.read_text() for path in project.runs.glob("*/steps/a/log.txt")] == ["try 2\n"])
    runner.kill()
    runner.wait()
    done = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    (log,) = project.runs.glob("*/steps/a/log.txt")
    logs = {path.name: path.read_text() for path in log.parent.glob("log*.txt")}
    assert logs == {"log.attempt1.txt": "try 1\n", "log.attempt2.txt": "try 2\n", "log.txt": ""}
