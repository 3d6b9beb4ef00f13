"""`kftune run` runs whatever kind of file it is given."""

from __future__ import annotations

from pathlib import Path

import pytest
from mistake_texts import printed

PIPELINE = """\
name: greet
parameters: {who: you}
steps:
  greet:
    kind: container
    command: [sh, -c, 'for a; do case $a in --text=*) printf hello > "${a#--text=}";; esac; done', sh]
    inputs: {who: "${parameters.who}"}
    outputs: {text: str}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    return tmp_path


@pytest.mark.parametrize("command", [["run"], ["pipeline", "run"]])
def test_a_pipeline_runs_with_both_commands(folder: Path, command: list[str]):
    assert printed([*command, "pipeline.yaml", "who=me", "--plain"], folder).startswith("exit 0\n")
    (output,) = folder.glob("runs/greet/*/steps/greet/**/text")
    assert output.read_text() == "hello"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--gpus", "0"], "--gpus is for a study or an Experiment, but pipeline.yaml is a pipeline"),
        (["--as-katib"], "--as-katib is for an Experiment, but pipeline.yaml is a pipeline"),
        (
            ["--retry-failed"],
            "--retry-failed is for a study or an Experiment, but pipeline.yaml is a pipeline; without the option, the "
            "failed steps of its latest run run again",
        ),
        (["--parallel", "0"], "--parallel must be at least 1, but got 0"),
    ],
)
def test_an_option_for_another_kind_of_file_is_refused(folder: Path, options: list[str], message: str):
    assert printed(["run", "pipeline.yaml", *options], folder) == f"exit 2\nkftune: {message}\n"


@pytest.mark.parametrize("command", [["run", "--dir", "", "pipeline.yaml"], ["best", "--dir", "", "x"], ["show", ""]])
def test_an_empty_path_is_not_the_current_folder(folder: Path, command: list[str]):
    assert "a path must not be empty; write . for the current folder" in printed(command, folder)
    assert [path.name for path in folder.iterdir()] == ["pipeline.yaml"]
