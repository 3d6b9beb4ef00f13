"""What lint says of commands, held against recorded runs of Katib's wrapper in dash and bash."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from recorded import recorded

from kftune.lint.collecting import collecting_findings
from kftune.lint.commands import command_findings

WRAPPED = ("StdOut", "File", "TensorFlowEvent")
# Breakages that cannot be told from the command, and one that is told but did not show in the recorded run.
EXPLAINED = {
    "w0184": "whether a folder exists is not known here",
    "w0289": "whether a folder exists is not known here",
    "w0437": "whether a folder exists is not known here",
    "w0221": "a login shell's PATH depends on the image's profile",
    "w0257": "a login shell's PATH depends on the image's profile",
    "w0565": "a login shell's PATH depends on the image's profile",
    "w0559": "a variable that is set nowhere in the pod may come with the image",
    "w0107": "arguments with quotes of their own: python gets other text than was written, and it is what was meant",
    "w0462": "`train a || train b`: recorded with both failing; when the first succeeds its output is lost",
    "w0191": "`! train a`: the exit code is turned round by the script itself",
    "w0365": "an empty script: nothing is broken, and nothing is measured",
    "w0366": "an empty script: nothing is broken, and nothing is measured",
    "w0372": "an empty script: nothing is broken, and nothing is measured",
    "w0402": "an empty script: nothing is broken, and nothing is measured",
    "w0454": "there is no shell called ash",
    "w0480": "early stopping does not reach a training in a shell of its own; this run was not stopped",
}
VARIABLES = {"HOME": "/home/u", "MODEL_DIR": "/models", "KATIB_TRIAL_NAME": "t1"}


def file_of(case: dict[str, Any]) -> dict[str, Any]:
    place = (case["input"]["metricsCollectorSpec"].get("source") or {}).get("fileSystemPath") or {}
    return dict(place)


def kind_of(case: dict[str, Any]) -> str:
    return str((case["input"]["metricsCollectorSpec"].get("collector") or {}).get("kind"))


CASES = [case for case in recorded("wrapper") if kind_of(case) in WRAPPED and case["result"].get("ok")]


def without_wrapper(case: dict[str, Any], shell: str, folder: Path) -> tuple[int, list[list[str]], bool]:
    """Runs the container's own command, where `sh` is the shell given.

    Returns:
        The exit code, the arguments that the training received, and whether its output was seen.
    """
    given = case["input"]
    programs = folder / "bin"
    programs.mkdir()
    (folder / "work").mkdir()
    (folder / "work" / "train.py").touch()
    (folder / "work" / "run.sh").write_text("train\ntrain second\n")
    code = given["train_rc"] if given["train_rc"] != 143 else 0
    program = programs / "train"
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\0" "$#" "$@" >> {folder}/received\necho loss=0.5\necho err >&2\nexit {code}\n'
    )
    program.chmod(0o755)
    (programs / "sh").symlink_to(shutil.which(shell) or shell)
    environment = {**VARIABLES, "PATH": f"{programs}:{os.environ['PATH']}"}
    tokens = [
        re.sub(r"\$\$|\$\(([^)]*)\)", lambda found: VARIABLES.get(found[1], found[0]) if found[1] else "$", token)
        for token in (given["command"] + given["args"])
    ]
    tokens[0] = tokens[0].replace("/ABS", str(programs))
    try:
        done = subprocess.run(
            tokens, cwd=folder / "work", env=environment, capture_output=True, stdin=subprocess.DEVNULL, check=False
        )
    except OSError:
        return 127, [], False
    received = folder / "received"
    parts = received.read_bytes().decode().split("\0")[:-1] if received.exists() else []
    arguments = []
    while parts:
        count = int(parts[0])
        arguments.append(parts[1 : count + 1])
        parts = parts[count + 1 :]
    return done.returncode, arguments, b"loss=" in done.stdout


def shown(arguments: list[list[str]]) -> list[str]:
    """Arguments to compare; what differs from run to run is cut."""
    return sorted(re.sub(r"\d{2,}|x{20,}.*", "#", str(each)) for each in arguments)


def breakage(case: dict[str, Any], folder: Path) -> set[str]:
    """How the recorded run differs from the container's own command."""
    found: set[str] = set()
    trains = "train" in str(case["input"]["command"] + case["input"]["args"])
    expected = "from-train" if trains else "loss="
    for name, run in case["run"].items():
        if "skipped" in run:
            return {run["skipped"]}
        if case.get("argv_kept", {}).get(name) is False:
            found.add("other arguments")
        for shell in ["dash", "bash"] if name == "both" else [name]:
            place = folder / f"{name}-{shell}"
            place.mkdir(parents=True)
            code, arguments, seen = without_wrapper(case, shell, place)
            marked = any("completed" in text for text in run["marker"].values())
            if shown(run["received"]) != shown(arguments):
                found.add("other arguments")
            if kind_of(case) == "StdOut" and seen and expected not in (run["metrics_file"] or ""):
                found.add("no output captured")
            if code == 0 and not marked:
                found.add("success counts as failure")
            if code != 0 and marked:
                found.add("failure counts as success")
            if code != 0 and case["input"]["train_rc"] == 0 and not arguments and trains:
                found.add("the training does not run")
    return found


def told(case: dict[str, Any]) -> set[str]:
    given = case["input"]
    container = {"command": given["command"], "args": given["args"]}
    found = [*command_findings(container, (), kind_of(case), early_stopping=bool(given["rules"]))]
    collecting = {"collector": {"kind": kind_of(case)}, "source": {"fileSystemPath": file_of(case)}}
    if kind_of(case) != "StdOut":
        found += collecting_findings({"metricsCollectorSpec": collecting, "objective": {"objectiveMetricName": "loss"}})
    return {each.code for each in found if each.severity != "habit"}


def is_admitted(case: dict[str, Any]) -> bool:
    """The webhook takes absolute paths only."""
    return kind_of(case) == "StdOut" or file_of(case).get("path", "").startswith("/")


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("dash") and shutil.which("bash")), reason="needs dash and bash")
def test_lint_tells_the_commands_that_the_wrapper_broke_from_those_that_ran_well(tmp_path: Path):
    wrong = {}
    for case in filter(is_admitted, CASES):
        happened = breakage(case, tmp_path / case["id"])
        codes = told(case)
        if bool(happened) != bool(codes) and case["id"] not in EXPLAINED:
            wrong[case["id"]] = (case["input"]["command"], case["input"]["args"], happened, codes)
    assert wrong == {}


@pytest.mark.parametrize("collector", WRAPPED)
def test_a_large_or_deep_script_ends_soon(collector: str):
    start = time.perf_counter()
    for text in [
        "(" * 5000,
        "$(" * 5000,
        "a;" * 20_000,
        "'" + "x" * 200_000,
        "if a; then " * 5000,
        "x=(" * 2000,
        "`" * 999,
    ]:
        list(command_findings({"command": ["sh", "-c", text]}, (), collector))
        list(command_findings({"command": ["bash", "-c", text]}, (), collector))
        list(command_findings({"command": ["train", text]}, (), collector))
    assert time.perf_counter() - start < 20
