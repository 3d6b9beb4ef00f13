"""A step hands on what it wrote, and no file of this machine that it only links to; none of it makes a run hang."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from local_pipeline import Project
from local_study import wait_until

HIDDEN = "of root only"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "victim").mkdir(mode=0o700)
    (tmp_path / "victim" / "secret.txt").write_text(HIDDEN)
    return Project(tmp_path)


ATTACKS = {
    "text link": ("os.symlink(here / 'victim' / 'secret.txt', given['out'])", "str"),
    "json link": ("os.symlink(here / 'victim' / 'secret.txt', given['out'])", "dict"),
    "file link": ("os.symlink(here / 'victim' / 'secret.txt', given['out'])", "artifact"),
    "folder link": ("os.symlink(here / 'victim', given['out'])", "artifact"),
    "link in a folder": ("os.mkdir(given['out']); os.symlink(here / 'victim', given['out'] + '/x')", "artifact"),
    "link up": ("os.mkdir(given['out']); os.symlink('../../../../../victim', given['out'] + '/x')", "artifact"),
    "zeros as text": ("os.symlink('/dev/zero', given['out'])", "str"),
    "zeros": ("os.symlink('/dev/zero', given['out'])", "artifact"),
    "FIFO as text": ("os.mkfifo(given['out'])", "str"),
    "FIFO": ("os.mkfifo(given['out'])", "artifact"),
    "FIFO in a folder": ("os.mkdir(given['out']); os.mkfifo(given['out'] + '/x')", "artifact"),
    "a text with holes": ("os.truncate(os.open(given['out'], os.O_CREAT | os.O_RDWR), 1 << 40)", "str"),
    "a file with holes": ("os.truncate(os.open(given['out'], os.O_CREAT | os.O_RDWR), 1 << 42)", "artifact"),
    "no way down": ("[os.makedirs(given['out'] + '/d' * n, exist_ok=True) for n in (150, 300)]", "artifact"),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("attack", "kind"), ATTACKS.values(), ids=ATTACKS.keys())
def test_an_output_is_what_the_step_wrote(project, attack, kind):
    victim = project.folder / "victim"
    steps = {
        "a": project.step("a", attack, outputs={"out": kind}, retries={"limit": 1, "backoff": 0.01}),
        "b": project.step("b", "print(given['got'])", inputs={"got": "${steps.a.outputs.out}"}),
    }
    run = project.run(project.pipeline(steps))
    assert run.states["a"] == "Failed"
    assert HIDDEN not in run.ends["a"].message
    assert "b" not in run.started
    assert [path.name for path in victim.iterdir()] == ["secret.txt"]


def test_a_link_inside_an_output_is_handed_on(project):
    body = "os.mkdir(given['out']); open(given['out'] + '/1', 'w').write('x'); os.symlink('1', given['out'] + '/last')"
    steps = {
        "a": project.step("a", body, outputs={"out": "artifact"}),
        "b": project.step("b", "print(open(given['got'] + '/last').read())", inputs={"got": "${steps.a.outputs.out}"}),
    }
    assert project.run(project.pipeline(steps)).log("b") == "x\n"


def test_a_large_output_does_not_keep_a_run_from_hearing_ctrl_c(project):
    body = "os.truncate(os.open(given['out'], os.O_CREAT | os.O_RDWR), 1 << 39)"
    project.step("a", body)
    (project.folder / "pipeline.yaml").write_text(
        "name: toy\nsteps:\n  a: {kind: container, command: [python, a.py], outputs: {out: artifact}}\n"
    )
    command = [sys.executable, "-m", "kftune", "run", "pipeline.yaml"]
    runner = subprocess.Popen(command, cwd=project.folder, stdout=subprocess.DEVNULL)
    wait_until(lambda: any(path.stat().st_size for path in project.folder.glob("runs/toy/*/steps/a/outputs/out")))
    time.sleep(1.0)
    runner.send_signal(signal.SIGINT)
    began = time.monotonic()
    assert runner.wait(30) == 130
    assert time.monotonic() - began < 10


def test_no_file_of_a_run_has_a_secret(project, monkeypatch):
    monkeypatch.setenv("TOKEN", "h1dd3n")
    secret = {"TOKEN": {"name": "tokens", "key": "a"}}
    steps = {"a": project.step("a", "assert os.environ['TOKEN'] == 'h1dd3n'", secrets=secret)}
    assert project.run(project.pipeline(steps)).states == {"a": "Succeeded"}
    files = [path for path in project.runs.rglob("*") if path.is_file()]
    assert len(files) > 2
    assert [path for path in files if b"h1dd3n" in path.read_bytes()] == []


def test_names_that_a_step_chooses_are_shown_without_what_a_terminal_obeys(project):
    body = "[open(Path(given['out']).with_name(f'{n}\\x1b[2J'), 'w').close() for n in range(10, 99)]"
    run = project.run(project.pipeline({"a": project.step("a", body, outputs={"out": "str"})}))
    assert "(it wrote 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 and 79 more)" in run.ends["a"].message
