"""Names, values, messages and logs of others do not control the terminal that shows them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from kftune.shown import on_one_line, shown

# A title for the window, a clear screen, the same with C1 letters, text from right to left, a NUL, a bell.
ATTACKS = ("\x1b]0;owned\x07", "\x1b[2J", "\u009b2J", "\u202e", "\x00", "\x07", "\u2066")
HOSTILE = "".join(ATTACKS[:4])
STUDY = r"""
name: "small\e]0;owned\a\e[2J\u009b2J\u202e"
description: "d\e]0;owned\a\e[2J\u009b2J\u202e"
hparams: hostile_hparams:Small
objective: {metric: loss, direction: minimize}
metrics: [{name: acc, regex: "acc\u202e: ([0-9.]+)"}]
algorithm: {name: random, seed: 1}
budget: {max_trials: 1}
step:
  command: [sh, -c, "cat told; echo loss=0.5; echo \e[2J\u202e >&2", "\e[2J\u202e\u009b2J"]
  env: {TEXT: "\e[2J\u202e"}
  image: registry.example/a:1
"""
CLASS = r"""
from kftune import Choice, Hparam, Hparams


class Small(Hparams):
    '''It is small.'''

    text: str = Hparam("b\x1b[2J\u202e\u009b2J", search=Choice("a\x1b[2J\u202e\u009b2J", "b\x1b[2J\u202e\u009b2J"))
    'Meaning \x1b[2J\u202e.'
"""


RAISES = r"""
from kftune import Hparams


class Raises(Hparams):
    @classmethod
    def leaves(cls):
        raise ValueError("\x1b]0;owned\x07\x1b[2J\u009b2J\u202e")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "hostile_hparams.py").write_text(CLASS)
    (folder / "study.yaml").write_text(STUDY)
    (folder / "hostile_raises.py").write_text(RAISES)
    (folder / "raises.yaml").write_text(STUDY.replace("hostile_hparams:Small", "hostile_raises:Raises"))
    (folder / "told").write_text(f"{HOSTILE}\nprogress 1\rprogress 2\n")
    kftune(folder, "run", "study.yaml")
    return folder


def kftune(folder: Path, *arguments: str) -> bytes:
    """What a command writes to a pipe."""
    command = [sys.executable, "-m", "kftune", *arguments]
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout


def kftune_in_terminal(folder: Path, *arguments: str) -> bytes:
    """What a command writes to a terminal."""
    reader, writer = pty.openpty()
    command = [sys.executable, "-m", "kftune", *arguments]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"}
    with subprocess.Popen(command, cwd=folder, stdin=writer, stdout=writer, stderr=writer, env=environment) as process:
        os.close(writer)
        pieces = [*iter(lambda: read_of(reader), b"")]
        os.close(reader)
        process.wait(60)
    return b"".join(pieces)


def read_of(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other side is closed
        return b""


COMMANDS = {
    "show": ["show", "study.yaml"],
    "lint": ["lint", "study.yaml", "--fail-on", "never"],
    "annotations": ["lint", "study.yaml", "--format", "github", "--fail-on", "never"],
    "render": ["render", "study.yaml", "--target", "katib"],
    "run again": ["run", "study.yaml", "--fresh"],
    "results": ["results", "study.yaml"],
    "best": ["best", "study.yaml"],
    "status": ["status", "study.yaml"],
    "report": ["report", "study.yaml", "--format", "text"],
    "logs": ["logs", "study.yaml", "1"],
    "list": ["list", "."],
    "class": ["registry", "show", "hostile_hparams:Small"],
    "unknown file": ["show", f"no{HOSTILE}.yaml"],
    "unknown command": [f"sh{HOSTILE}ow"],
    "unknown option": ["show", f"--{HOSTILE}"],
    "unknown key": ["show", "study.yaml", f"a{HOSTILE}b=1"],
    "traceback": ["show", "raises.yaml"],
    "data": ["show", "study.yaml", "--format", "json"],
}


def controls(printed: bytes) -> list[str]:
    text = printed.decode("utf-8", "replace")
    return [attack for attack in ATTACKS if attack in text]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_terminal_obeys_nothing_that_others_wrote(folder, command):
    printed = kftune_in_terminal(folder, *COMMANDS[command])
    assert controls(printed) == []
    assert len(printed) > 20


@pytest.mark.parametrize("command", ["show", "lint", "annotations", "run again", "logs", "unknown key"])
def test_a_pipe_that_may_lead_to_a_terminal_gets_none_of_it_either(folder, command):
    assert controls(kftune(folder, *COMMANDS[command])) == []


def test_a_log_is_escaped_unless_its_bytes_are_asked_for(folder):
    log = kftune(folder, "logs", "study.yaml", "1")
    assert rb"\x1b]0;owned\x07\x1b[2J\x9b2J\u202e" in log
    assert b"progress 1\rprogress 2\n" in log
    assert HOSTILE.encode() in kftune(folder, "logs", "study.yaml", "1", "--raw")


def test_data_for_programs_stays_as_it_is(folder):
    data = json.loads(kftune(folder, "show", "study.yaml", "--format", "json"))
    assert data["name"] == f"small{HOSTILE}"
    told = kftune(folder, "export", "study.yaml", "--to", "azureml", "-o", f"{HOSTILE}.yaml", "--format", "json")
    assert json.loads(told)["written"] == [f"{HOSTILE}.yaml"]


@pytest.mark.parametrize(
    ("text", "is_shown"),
    [
        ("plain\ttext\nétat ខ្មែរ\u200bអក្សរ می\u200cخواهم 👩\u200d🔬 naïve\u0301", None),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\rb\x7f\x85\u2028\ufeff", r"a\rb\x7f\x85\u2028\ufeff"),
    ],
)
def test_letters_of_all_scripts_stay_and_controls_become_escapes(text, is_shown):
    assert shown(text) == (text if is_shown is None else is_shown)


def test_only_kftunes_own_colours_pass():
    assert shown("\x1b[31mred\x1b[0m\x1b[8mhidden", colours=True) == "\x1b[31mred\x1b[0m\\x1b[8mhidden"
    assert on_one_line("a\nb\tc\r") == r"a\nb\tc\r"
