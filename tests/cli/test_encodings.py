"""A terminal, or a process, whose encoding is not UTF-8: no command fails, and data for programs is UTF-8 anyway."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from kftune import yaml_text

CLASS = '''
from kftune import Choice, Hparam, Hparams

class Toy(Hparams):
    """Größe ☃"""

    lr: float = Hparam(0.1, search=Choice(0.1, 0.2))
    """Schrittgröße ☃"""
'''
# Long enough for the live view to draw a frame.
SCRIPT = "import time, toy_hparams; print('loss=0.5 ' + ascii(toy_hparams.Toy.from_args().lr)); time.sleep(0.5)"
STUDY = """
name: "Größe ☃"
description: Maß für 日本
hparams: toy_hparams:Toy
objective: {metric: loss, direction: minimize}
budget: {max_trials: 1}
step: {command: [python, train.py], image: "registry.example/toy:1"}
"""
PIPELINE = """
name: flow
description: "Größe ☃"
parameters: {who: "Jürgen ☃"}
steps:
  one: {kind: container, image: "registry.example/toy:1", command: [echo, x]}
"""
ASCII = {"PYTHONIOENCODING": "ascii", "NO_COLOR": "1"}
C_LOCALE = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
LATIN = {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "toy_hparams.py": CLASS,
        "train.py": SCRIPT,
        "study.yaml": STUDY,
        "pipeline.yaml": PIPELINE,
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def kftune(folder: Path, arguments: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "kftune", *arguments]
    return subprocess.run(command, cwd=folder, env={**os.environ, **variables}, capture_output=True, check=False)


@pytest.mark.parametrize("variables", [ASCII, C_LOCALE], ids=["ascii", "C"])
def test_no_command_fails_for_an_encoding(folder, variables):
    for arguments in (
        ["show", "study.yaml"],
        ["show", "pipeline.yaml"],
        ["registry", "show", "toy_hparams:Toy"],
        ["run", "study.yaml"],
        ["run", "pipeline.yaml"],
        ["status", "study.yaml"],
        ["best", "study.yaml"],
        ["results", "study.yaml"],
        ["logs", "study.yaml", "1"],
        ["render", "study.yaml", "--out", "built"],
    ):
        done = kftune(folder, arguments, variables)
        assert (done.returncode, b"Traceback" in done.stdout + done.stderr) == (0, False), done
    for arguments in (
        ["show", "größe.yaml"],
        ["show", "study.yaml", "größe=1"],
        ["größe"],
        ["run", "study.yaml", "--ö"],
    ):
        done = kftune(folder, arguments, variables)
        assert done.returncode == 2
        assert done.stderr.startswith(b"kftune: ")


def test_a_character_that_the_terminal_lacks_is_escaped(folder):
    assert kftune(folder, ["show", "study.yaml"], ASCII).stdout.startswith(b"Gr\\xf6\\xdfe \\u2603: Ma\\xdf f\\xfcr ")
    assert kftune(folder, ["show", "study.yaml"], LATIN).stdout.startswith("Größe \\u2603: Maß für ".encode("latin-1"))


@pytest.mark.parametrize("variables", [ASCII, C_LOCALE], ids=["ascii", "C"])
def test_data_for_programs_is_utf_8(folder, variables):
    kftune(folder, ["run", "study.yaml"], {})
    shown = json.loads(kftune(folder, ["show", "study.yaml", "--format", "json"], variables).stdout)
    assert shown["name"] == "Größe ☃"
    found = json.loads(kftune(folder, ["results", "study.yaml", "--format", "json"], variables).stdout)
    assert found["study"]["name"] == "Größe ☃"
    rendered = kftune(folder, ["render", "pipeline.yaml", "--target", "argo"], variables).stdout.decode("utf-8")
    assert "Jürgen ☃" in rendered
    assert [*yaml_text.load_all(rendered)]
    events = kftune(folder, ["run", "pipeline.yaml", "--json"], variables).stdout
    assert "Jürgen ☃" in events.decode("utf-8")


def test_the_live_view_of_a_terminal_without_utf_8_runs(folder):
    reading, writing = pty.openpty()
    command = [sys.executable, "-m", "kftune", "run", "study.yaml"]
    environment = {**os.environ, **ASCII, "TERM": "xterm"}
    running = subprocess.Popen(command, cwd=folder, env=environment, stdout=writing, stderr=writing)
    os.close(writing)
    shown = b"".join(iter(lambda: _read(reading), b""))
    assert running.wait() == 0, shown
    assert b"Gr\\xf6\\xdfe" in shown


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # Linux: the other end is closed
        return b""


def test_an_argument_that_the_encoding_of_the_process_lacks_says_what_to_set(folder):
    text = (folder / "toy_hparams.py").read_text(encoding="utf-8")
    (folder / "toy_hparams.py").write_text(
        text + '    opt: str = Hparam("ä", search=Choice("ä", "☃"))\n', encoding="utf-8"
    )
    done = kftune(folder, ["run", "study.yaml"], C_LOCALE)
    assert done.returncode == 1
    assert b"the program could not be started: arguments and variables are passed in ascii" in done.stdout
    assert b"set LANG=C.UTF-8 or PYTHONUTF8=1" in done.stdout
