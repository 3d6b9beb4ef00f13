"""What the machine lacks for a while is no failure of a trial. The limits are real: files, processes, the disk."""

from __future__ import annotations

import itertools
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from local_study import log_of, run, sh, study, trials_in
from places import SUPPORT

from kftune.errors import KftuneError
from kftune.local import Event, Note, StudyStarted, run_study
from kftune.local.pipeline import run_pipeline
from kftune.local.pipeline.events import PipelineStarted
from kftune.local.processes import patience
from kftune.local.processes.limits import within_limits
from kftune.local.study.events import OnEvent
from kftune.pipeline import pipeline_from_dict

CGROUP = Path("/sys/fs/cgroup/pids")


def notes(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Note)]


@pytest.fixture
def few_files() -> Iterator[None]:
    """Restores the limit of open files."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def leave_files(count: int) -> None:
    """Lets this process open so many more files."""
    used = {int(path.name) for path in Path("/proc/self/fd").iterdir()}
    free = (number for number in itertools.count() if number not in used)
    limit = next(itertools.islice(free, count, None))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def lowering(kind: type[Event], count: int, events: list[Event]) -> OnEvent:
    """A listener that keeps events, and leaves so many files after one of a kind."""

    def listen(event: Event) -> None:
        events.append(event)
        if isinstance(event, kind):
            leave_files(count)

    return listen


@contextmanager
def control_group(most: int) -> Iterator[Path]:
    """A control group with so many processes at most."""
    group = CGROUP / f"kftune-test-{os.getpid()}"
    group.mkdir()
    (group / "pids.max").write_text(str(most))
    try:
        yield group
    finally:
        time.sleep(0.1)
        group.rmdir()


# -- before the start -------------------------------------------------------------------------------------------------


def test_a_soft_limit_of_open_files_is_raised_to_what_the_trials_need(few_files):
    leave_files(10)
    told: list[str] = []
    assert within_limits(30, told) == 30
    assert told == []
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 120


def test_a_limit_that_cannot_be_raised_lowers_how_many_run_at_once(tmp_path):
    code = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
sys.path.insert(0, {str(SUPPORT)!r})
from local_study import run, sh, study
outcome, events = run(study(sh("echo loss=1; sleep 0.1"), trials=8, budget={{"parallel": 8}}), {str(tmp_path)!r})
print(outcome.counts, events[0].parallel, events[1].message)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("{'Succeeded': 8} ")
    parallel, note = done.stdout.split("} ")[1].split(" ", 1)
    assert 1 <= int(parallel) < 8
    assert note == (f"{parallel} of 8 trials at once: each has 4 open files, and the limit is 64 (ulimit -n)\n")


def test_the_limit_of_a_user_s_processes_counts_those_that_run(monkeypatch):
    # Root has no such limit, so this only pretends to be another user.
    monkeypatch.setattr(os, "geteuid", lambda: 1)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (4, 4) if kind == resource.RLIMIT_NPROC else (99999, 99999))
    told: list[str] = []
    assert within_limits(8, told) < 4
    assert told[0].endswith("of 8 trials at once: the limit of this user's processes is 4 (ulimit -u)")


# -- at the start of a trial ------------------------------------------------------------------------------------------


def test_trials_wait_for_open_files_and_none_has_failed(tmp_path, few_files):
    events: list[Event] = []

    listen = lowering(StudyStarted, 10, events)
    script = "echo loss=1; sleep 0.2"
    outcome = run_study(study(sh(script), trials=6, budget={"parallel": 6}), tmp_path, on_event=listen)
    assert outcome.counts == {"Succeeded": 6}
    assert [trial.attempt for trial in trials_in(tmp_path)] == [1] * 6
    assert any(note.startswith("processes wait for their start: Too many open files; ") for note in notes(events))


def test_without_an_end_of_the_trouble_the_run_ends_and_keeps_its_points(tmp_path, few_files, monkeypatch):
    monkeypatch.setattr(patience, "LONGEST", 0.5)

    listen = lowering(StudyStarted, 2, [])
    a_study = study(sh("echo loss=1"), trials=3, budget={"parallel": 2})
    with pytest.raises(KftuneError) as caught:
        run_study(a_study, tmp_path, on_event=listen)
    assert str(caught.value) == (
        "no process can be started: Too many open files; raise the limit of open files (ulimit -n), or run fewer at "
        "the same time. No trial has failed for it: the same command goes on"
    )
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    waiting = [(trial.number, trial.assignment) for trial in trials_in(tmp_path)]
    outcome, _ = run(a_study, tmp_path)
    assert outcome.counts == {"Succeeded": 3}
    assert [(trial.number, trial.assignment) for trial in trials_in(tmp_path)][: len(waiting)] == waiting


def test_a_waiting_trial_that_is_stopped_has_not_started(tmp_path, few_files):
    listen = lowering(StudyStarted, 2, [])
    limit = {"budget": {"parallel": 2}, "stopping": {"wall_clock": 0.5}}
    outcome = run_study(study(sh("echo loss=1"), trials=3, **limit), tmp_path, on_event=listen)
    assert outcome.reason == "WallClock"
    assert {trial.state for trial in trials_in(tmp_path)} == {"Killed"}


def test_steps_of_a_pipeline_wait_too(tmp_path, few_files):
    events: list[Event] = []

    listen = lowering(PipelineStarted, 10, events)
    steps = {f"s{number}": {"kind": "container", "command": ["sleep", "0.3"]} for number in range(6)}
    outcome = run_pipeline(pipeline_from_dict({"name": "waits", "steps": steps}), tmp_path, parallel=6, on_event=listen)
    assert outcome.state == "Succeeded"
    assert any("Too many open files" in note for note in notes(events))


@pytest.mark.skipif(not os.access(CGROUP, os.W_OK), reason="needs a control group of its own for processes")
def test_trials_wait_for_processes(tmp_path):
    code = f"""
import sys
sys.path.insert(0, {str(SUPPORT)!r})
from local_study import run, sh, study
from pathlib import Path
Path(sys.argv[1], "cgroup.procs").write_text("0")
outcome, events = run(study(sh("echo loss=1; exec sleep 0.2"), trials=8, budget={{"parallel": 8}}), {str(tmp_path)!r})
print(outcome.counts, [event.message for event in events if event.kind == "note"])
"""
    with control_group(5) as group:
        done = subprocess.run([sys.executable, "-c", code, group], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("{'Succeeded': 8} ['")
    assert "processes wait for their start: Resource temporarily unavailable" in done.stdout


# -- on a full disk ---------------------------------------------------------------------------------------------------


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with 2 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", place], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("needs the right to mount")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_log_and_the_results_wait_for_space(tiny_disk):
    fill = f"cat /dev/zero > {tiny_disk}/filler 2>/dev/null; (sleep 0.5; rm {tiny_disk}/filler) &"
    outcome, events = run(study(sh(f"{fill} seq 1 50000; echo loss=1"), trials=1), tiny_disk / "runs")
    assert outcome.counts == {"Succeeded": 1}
    (trial,) = trials_in(tiny_disk / "runs")
    assert log_of(tiny_disk / "runs", trial).splitlines() == [*map(str, range(1, 50001)), "loss=1"]
    assert any("No space left on device; the run waits" in note for note in notes(events))


def test_a_disk_that_stays_full_ends_the_run_and_trials_get_their_grace(tiny_disk, monkeypatch):
    monkeypatch.setattr(patience, "LONGEST", 0.5)
    bye = tiny_disk.parent / "bye"
    fill = f"trap 'touch {bye}; exit 0' TERM; cat /dev/zero > {tiny_disk}/filler 2>/dev/null; seq 1 50000;"
    a_study = study(sh(f"test -e {bye} || {{ {fill} while :; do sleep 0.05; done; }}; echo loss=1"), trials=2)
    with pytest.raises(KftuneError, match=r"No space left on device; free some space on the disk of the results\. No"):
        run_study(a_study, tiny_disk / "runs")
    assert bye.exists()
    (tiny_disk / "filler").unlink()
    outcome, _ = run(a_study, tiny_disk / "runs")
    assert outcome.counts == {"Succeeded": 2}


def test_a_log_that_may_not_grow_ends_and_metrics_are_still_read(tmp_path):
    code = f"""
import resource, sys
sys.path.insert(0, {str(SUPPORT)!r})
from local_study import run, sh, study
from kftune.local import StudyStarted
command = sh("seq 1 100000; echo loss=1")
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
outcome, events = run(study(command, trials=1), {str(tmp_path)!r})
print(outcome.counts, [event.message for event in events if event.kind == "note"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "{'Succeeded': 1} ['small-study-0001.log ends here, and metrics are still read: File too large']\n"
    )
