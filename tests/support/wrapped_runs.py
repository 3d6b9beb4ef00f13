"""Finds what broke in recorded runs of wrapped commands, by comparison with runs of the unwrapped commands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from kftune.katib.trial.quoting import as_meant

WRAPPED = ("StdOut", "File", "TensorFlowEvent")
VARIABLES = {"HOME": "/home/u", "MODEL_DIR": "/models", "KATIB_TRIAL_NAME": "t1"}


def file_of(case: dict[str, Any]) -> dict[str, Any]:
    place = (case["input"]["metricsCollectorSpec"].get("source") or {}).get("fileSystemPath") or {}
    return dict(place)


def kind_of(case: dict[str, Any]) -> str:
    return str((case["input"]["metricsCollectorSpec"].get("collector") or {}).get("kind"))


def meant(case: dict[str, Any]) -> list[str]:
    """Returns the words that the command was written for; quotes around a value are for Katib's shell."""
    given = case["input"]
    command, args = as_meant(given["command"], given["args"], given["metricsCollectorSpec"])
    return command + args


def without_wrapper(case: dict[str, Any], shell: str, folder: Path) -> tuple[int, list[list[str]], bool]:
    """Runs the container's own command, with the given shell as `sh`.

    Returns:
        The exit code, the arguments that the training received, and whether its output was captured.
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
        for token in meant(case)
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
    """Returns arguments to compare, without the parts that differ between runs."""
    return sorted(re.sub(r"\d{2,}|x{20,}.*", "#", str(each)) for each in arguments)


def breakage(case: dict[str, Any], folder: Path) -> set[str]:
    """Returns the differences between the recorded run and the container's own command."""
    found: set[str] = set()
    trains = "train" in str(case["input"]["command"] + case["input"]["args"])
    given = case["input"]
    expected = "from-train" if trains else "loss="
    for name, run in case["run"].items():
        if "skipped" in run:
            return {run["skipped"]}
        if case.get("argv_kept", {}).get(name) is False and meant(case) == given["command"] + given["args"]:
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
