"""Whoever reads the output of kftune has ended, or the disk is full: a run stops in order, other commands say so."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from local_study import wait_until

# The first process ends after a moment, so that the run has something to write; the others wait for SIGTERM.
SCRIPT = (
    "echo loss=1; test -e quick && exit 0; mkdir first 2>/dev/null && { sleep 0.5; exit 0; }; "
    "trap 'echo bye > bye; exit 0' TERM; touch waits; while :; do sleep 0.05; done"
)
FILES = {
    "nets.py": """\
from kftune import Hparam, Hparams, LogUniform

class Net(Hparams):
    \"\"\"A class.\"\"\"
    lr: float = Hparam(1e-3, search=LogUniform(1e-4, 1e-1))
    \"\"\"Step size.\"\"\"
""",
    "study.yaml": f"""\
name: net
hparams: nets:Net
objective: {{metric: loss, direction: minimize}}
budget: {{max_trials: 3, parallel: 2}}
step: {{command: [sh, -c, "{SCRIPT}"]}}
""",
    "list.yaml": f"""\
hparams: nets:Net
objective: {{metric: loss, direction: minimize}}
step: {{command: [sh, -c, "{SCRIPT}"]}}
experiments: {{one: {{lr: 0.1}}, two: {{lr: 0.2}}, three: {{lr: 0.3}}}}
""",
    "pipeline.yaml": f"""\
name: pipe
steps:
  one: {{kind: container, command: [sh, -c, "{SCRIPT}"]}}
  two: {{kind: container, command: [sh, -c, "{SCRIPT}"]}}
""",
    "tune.py": """\
import sys
import kftune
from kftune.errors import OutputError

try:
    kftune.tune("study.yaml")
except OutputError:
    sys.exit(130)
""",
    "experiment.yaml": f"""\
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {{name: exp, namespace: team-a}}
spec:
  objective: {{type: minimize, objectiveMetricName: loss}}
  algorithm: {{algorithmName: random}}
  parallelTrialCount: 2
  maxTrialCount: 3
  maxFailedTrialCount: 1
  parameters:
  - {{name: lr, parameterType: double, feasibleSpace: {{min: "0.1", max: "0.9"}}}}
  trialTemplate:
    primaryContainerName: main
    trialParameters: [{{name: lr, reference: lr}}]
    trialSpec:
      apiVersion: batch/v1
      kind: Job
      spec:
        template:
          spec:
            restartPolicy: Never
            containers:
            - name: main
              image: registry.example/x:1
              command: [sh, -c, "{SCRIPT}", "x${{trialParameters.lr}}"]
""",
}
KFTUNE = [sys.executable, "-m", "kftune"]
RUNS = {
    "study": [*KFTUNE, "run", "study.yaml"],
    "pipeline": [*KFTUNE, "run", "pipeline.yaml", "--parallel", "2"],
    "tune": [sys.executable, "tune.py"],
}
MORE_RUNS = {
    "study as JSON": [*KFTUNE, "run", "study.yaml", "--json"],
    "Experiment": [*KFTUNE, "run", "experiment.yaml"],
    "experiment list": [*KFTUNE, "experiments", "--config", "list.yaml", "--parallel", "2"],
}
VIEWS = [[], pytest.param(["--plain"], marks=pytest.mark.nightly)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def begin(command: list[str], project: Path, **streams: object) -> subprocess.Popen[str]:
    return subprocess.Popen(command, cwd=project, text=True, **streams)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize(
    "command",
    [*RUNS.values(), *(pytest.param(each, marks=pytest.mark.nightly) for each in MORE_RUNS.values())],
    ids=" ".join,
)
def test_a_closed_pipe_stops_a_run_with_its_grace_and_the_same_command_goes_on(project: Path, command: list[str]):
    with begin(command, project, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        wait_until((project / "waits").exists)
        assert run.stdout is not None
        run.stdout.close()
        assert run.wait(20) == 130
        assert run.stderr is not None
        error = run.stderr.read()
    assert "Traceback" not in error
    assert (project / "bye").read_text() == "bye\n"
    (project / "quick").touch()
    assert subprocess.run(command, cwd=project, capture_output=True, check=False).returncode == 0


def test_a_full_disk_under_the_output_stops_a_run(project: Path):
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(RUNS["study"], cwd=project, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 130
    assert run.stderr == (
        "kftune: a run stops when its output cannot be written: No space left on device; the same command goes on. To "
        "run without a reader, redirect the output to a file or /dev/null\n"
    )


def leave_terminal(command: list[str], project: Path, before: Callable[[], object]) -> int:
    """Runs a command in a terminal that closes while it runs; returns its exit code."""
    ours, theirs = pty.openpty()
    with begin(
        # A new session takes the terminal as its own, so that its end sends SIGHUP.
        [sys.executable, "-c", TAKES_TERMINAL, *command],
        project,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=before,
        env={**os.environ, "TERM": "xterm"},
    ) as run:
        os.close(theirs)
        wait_until((project / "waits").exists)
        os.close(ours)
        return run.wait(30)


TAKES_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


@pytest.mark.parametrize("options", VIEWS)
def test_a_closed_terminal_stops_a_run_in_order(project: Path, options: list[str]):
    assert (
        leave_terminal([*RUNS["study"], *options], project, lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL)) == 130
    )
    assert (project / "bye").exists()


@pytest.mark.parametrize("options", VIEWS)
def test_under_nohup_a_run_goes_on_without_its_terminal(project: Path, options: list[str]):
    script = SCRIPT.replace("while :; do sleep 0.05; done", "sleep 0.5")
    (project / "study.yaml").write_text(FILES["study.yaml"].replace(SCRIPT, script))
    assert (
        leave_terminal([*RUNS["study"], *options], project, lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) == 0
    )
    assert not (project / "bye").exists()


def test_a_command_that_reads_ends_as_others_do_when_nobody_reads_on(project: Path):
    (project / "quick").touch()
    subprocess.run(RUNS["study"], cwd=project, capture_output=True, check=True)
    results = [*KFTUNE, "results", "study.yaml"]
    with begin(results, project, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reading:
        assert reading.stdout is not None
        reading.stdout.close()
        assert reading.wait(20) == 141
        assert reading.stderr is not None
        assert reading.stderr.read() == ""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(results, cwd=project, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        "kftune: No space left on device\n",
    )
