"""What a command line starts, also through a shell, without running any of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kftune.errors import RunError
from kftune.local.processes.commands import first_in_shell, installs
from kftune.local.processes.programs import Remedies, check_program

ENV = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ""}
REMEDIES = Remedies("install it", "it is looked for there", "install the module")
TRAIN = ["python", "train.py"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("python train.py --lr=1", [["python", "train.py", "--lr=1"]]),
        ("python train.py --lr=$LR more", [TRAIN]),
        ("exec python train.py", [TRAIN]),
        ("LR=1 python train.py 2>&1 | tee log", [TRAIN]),
        ("set -e; export A=1\nA=2; python train.py", [["set", "-e"], ["export", "A=1"], TRAIN]),
        ("pip install -r x.txt && python train.py", [["pip", "install", "-r", "x.txt"], TRAIN]),
        ("echo hi >/dev/null && python train.py", [["echo", "hi"], TRAIN]),
        ("cd src && python train.py", [["cd", "src"]]),
        ("echo 'print(1)' > train.py; python train.py", [["echo", "print(1)"]]),
        ("python make.py && python train.py", [["python", "make.py"]]),
        ("$RUN train.py; python train.py", []),
        ('exec "$@"; python train.py', []),
        ("if true; then python train.py; fi", []),
        ("python train.py )", []),
    ],
)
def test_only_what_starts_before_anything_can_change_is_known(text, found):
    assert [command.words for command in first_in_shell(["sh", "-c", text])] == found


@pytest.mark.parametrize("argv", [["sh"], ["sh", "train.sh"], ["python", "-c", "x"], ["sh", "-c"]])
def test_a_command_line_without_a_shell_s_text_has_nothing_in_a_shell(argv):
    assert list(first_in_shell(argv)) == []


@pytest.mark.parametrize(
    "argv",
    [
        TRAIN,
        ["sh", "-c", "python train.py"],
        ["bash", "-ec", "set -x; python3 train.py --a=$A"],
        ["torchrun", "--nproc_per_node=2", "train.py"],
        ["python", "-m", "torch.distributed.run", "train.py"],
        ["sh", "-c", f"{sys.executable} train.py"],
    ],
)
def test_a_script_that_is_not_there_is_refused_wherever_the_command_has_it(tmp_path, argv):
    with pytest.raises(RunError, match=f"the script must be there, but {tmp_path}/train.py is not; it is looked for"):
        check_program(argv, tmp_path, ENV, REMEDIES)


@pytest.mark.parametrize("argv", [["python", "-m", "train.main"], ["sh", "-c", "set -e; exec python -m train.main"]])
def test_a_module_that_is_not_there_is_refused(tmp_path, argv):
    message = f"but 'train' is not installed and not in {tmp_path}; install the module"
    with pytest.raises(RunError, match=message):
        check_program(argv, tmp_path, ENV, REMEDIES)


@pytest.mark.parametrize("text", ["./run.sh a", "/no/such/program"])
def test_a_path_in_a_shell_s_text_that_is_not_there_is_refused(tmp_path, text):
    with pytest.raises(RunError, match=r"the program must be one that runs here, but .* is not there; install it"):
        check_program(["sh", "-c", text], tmp_path, ENV, REMEDIES)


@pytest.mark.parametrize(
    "text",
    [
        "cd elsewhere && python train.py",
        "cp /src/train.py . && python train.py",
        "python $DIR/train.py",
        "some-alias x",
        "pip install x && python -m made_by_pip",
        "export PYTHONPATH=src; python -m elsewhere",
        "PYTHONPATH=src python -m elsewhere",
        "python -m json.tool",
        "test -f train.py || exit 0; python train.py",
        "cat train.py",
        "python train.py )",
    ],
)
def test_what_may_run_is_not_refused(tmp_path, text):
    check_program(["sh", "-c", text], tmp_path, ENV, REMEDIES)


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (["pip", "install", "x"], "pip install x"),
        (["sh", "-c", "pip3.11 install -q -r req.txt && python train.py"], "pip3.11 install -q -r req.txt"),
        (["bash", "-c", "if true; then python3 -m pip install x==$V; fi"], "python3 -m pip install"),
        (["sh", "-c", "uv pip install x; python a.py"], "uv pip install x"),
        (["pip", "install", "--root-user-action=ignore", "x"], "pip install --root-user-action=ignore x"),
        (["sh", "-c", "apt-get update && apt-get install -y git"], "apt-get install -y git"),
        (["sh", "-c", "python -m venv v; . v/bin/activate; pip install x"], ""),
        (["sh", "-c", "pip install --target=lib x; pip list"], ""),
        (["python", "pip.py", "install"], ""),
        (["sh", "-c", "echo pip install"], ""),
    ],
)
def test_a_command_that_changes_what_is_installed_is_found(argv, command):
    assert installs(argv) == command


def test_files_are_not_needed_to_read_a_command(tmp_path: Path):
    assert installs(["sh", "-c", "pip install x )"]) == ""
