"""The hooks that this repository offers to pre-commit."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from lint_examples import EXAMPLE
from places import ROOT

from kftune import yaml_text
from kftune.cli.call import call

HOOKS: Any = yaml_text.load_file(ROOT / ".pre-commit-hooks.yaml")

# Source: pre-commit 4, clientlib.py (MANIFEST_HOOK_DICT); what it needs, and what it takes besides.
NEEDED = {"id", "name", "entry", "language"}
TAKEN = {"description", "types", "types_or", "files", "exclude", "args", "require_serial", "pass_filenames", "stages"}


def run(hook: dict[str, Any], *files: Path) -> int:
    program, command, *options = shlex.split(hook["entry"])
    assert program == "kftune"
    return call(command, "", [*options, *map(str, files)])


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_is_what_pre_commit_takes(hook: dict[str, Any]):
    assert set(hook) >= NEEDED
    assert set(hook) - NEEDED <= TAKEN
    assert hook["language"] == "python"


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_passes_over_other_files(hook: dict[str, Any], tmp_path: Path):
    texts = {
        "values.yaml": "replicas: 3\n",
        "compose.yaml": "services: {web: {image: a}}\n",
        "chart.yaml": "kind: {{ .Values.kind }}\n",
        "list.json": "[1, 2]\n",
        "empty.yaml": "",
        "deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\n",
        "e.yaml": EXAMPLE,
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    assert run(hook, *(tmp_path / name for name in texts)) == 0
    assert {name: (tmp_path / name).read_text() for name in texts} == texts


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_fails_at_what_the_cluster_refuses(hook: dict[str, Any], tmp_path: Path):
    file = tmp_path / "e.yaml"
    file.write_text(EXAMPLE.replace("maxTrialCount: 12", "maxTrialCount: 1"))
    assert run(hook, file) == 1


def test_the_fixing_hook_fixes(tmp_path: Path):
    file = tmp_path / "e.yaml"
    file.write_text(EXAMPLE.replace("        backoffLimit: 0\n", ""))
    (hook,) = (hook for hook in HOOKS if hook["id"] == "kftune-lint-fix")
    assert run(hook, file) == 0
    assert "backoffLimit: 0" in file.read_text()
