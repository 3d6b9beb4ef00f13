"""Compares findings about commands with recorded runs of Katib's wrapper in dash and bash."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from growth import is_linear
from recorded import cases
from wrapped_runs import WRAPPED, breakage, file_of, kind_of

from kftune.lint.shell.lines import command_findings
from kftune.lint.shell.words import is_plain
from kftune.lint.trial.collector import collector_findings

# Breakages that the command does not show, and one that lint finds but that the recorded run did not show.
EXPLAINED = {
    "w0184": "whether a folder exists is not known here",
    "w0289": "whether a folder exists is not known here",
    "w0437": "whether a folder exists is not known here",
    "w0221": "a login shell's PATH depends on the image's profile",
    "w0257": "a login shell's PATH depends on the image's profile",
    "w0565": "a login shell's PATH depends on the image's profile",
    "w0559": "a variable that is set nowhere in the pod may come with the image",
    "w0462": "`train a || train b`: recorded with both failing; when the first succeeds its output is lost",
    "w0191": "`! train a`: the script itself inverts the exit code",
    "w0365": "an empty script: nothing is broken, and nothing is measured",
    "w0366": "an empty script: nothing is broken, and nothing is measured",
    "w0372": "an empty script: nothing is broken, and nothing is measured",
    "w0402": "an empty script: nothing is broken, and nothing is measured",
    "w0454": "there is no shell called ash",
    "w0480": "early stopping does not reach a training in a nested shell; this run was not stopped",
}
CASES = [case for case in cases("wrapper") if kind_of(case) in WRAPPED and case["result"].get("ok")]


def container_of(case: dict[str, Any]) -> dict[str, Any]:
    return {"command": case["input"]["command"], "args": case["input"]["args"]}


def codes_of(case: dict[str, Any]) -> set[str]:
    found = [*command_findings(container_of(case), (), kind_of(case), early_stopping=bool(case["input"]["rules"]))]
    collecting = {"collector": {"kind": kind_of(case)}, "source": {"fileSystemPath": file_of(case)}}
    if kind_of(case) != "StdOut":
        found += collector_findings({"metricsCollectorSpec": collecting, "objective": {"objectiveMetricName": "loss"}})
    return {each.code for each in found if each.severity != "advice"}


def is_admitted(case: dict[str, Any]) -> bool:
    """The webhook accepts absolute paths only."""
    return kind_of(case) == "StdOut" or file_of(case).get("path", "").startswith("/")


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("dash") and shutil.which("bash")), reason="needs dash and bash")
def test_a_command_has_findings_if_and_only_if_the_wrapper_breaks_it(tmp_path: Path):
    known = [case for case in CASES if is_admitted(case) and case["id"] not in EXPLAINED]
    broken = {case["id"]: breakage(case, tmp_path / case["id"]) for case in known}
    found = {case["id"]: codes_of(case) for case in known}
    assert {name: codes for name, codes in found.items() if bool(codes) != bool(broken[name])} == {}


def test_a_plain_command_has_no_findings():
    plain = [case for case in CASES if is_plain([*case["input"]["command"], *case["input"]["args"]])]
    found = {case["id"]: list(command_findings(container_of(case), (), kind_of(case))) for case in plain}
    assert len(plain) > 50
    assert {name: findings for name, findings in found.items() if findings} == {}


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
