"""What lint says of commands, held against recorded runs of Katib's wrapper in dash and bash."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from growth import is_linear
from recorded import cases
from wrapped_runs import WRAPPED, breakage, file_of, kind_of

from kftune.lint.shell.commands import command_findings
from kftune.lint.trial.collecting import collecting_findings

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
CASES = [case for case in cases("wrapper") if kind_of(case) in WRAPPED and case["result"].get("ok")]


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
@pytest.mark.parametrize(
    ("piece", "size"),
    [("(", 5000), ("$(", 5000), ("a;", 20_000), ("'x", 100_000), ("if a; then ", 5000), ("x=(", 2000), ("`", 1000)],
)
def test_the_cost_of_a_large_or_deep_script_grows_with_its_size(collector: str, piece: str, size: int):
    def work(size: int) -> None:
        text = piece * size
        for command in (["sh", "-c", text], ["bash", "-c", text], ["train", text]):
            list(command_findings({"command": command}, (), collector))

    assert is_linear(work, size // 2, size)
