"""How a step's script takes its arguments and writes its outputs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from kftune import outputs
from kftune.errors import MetricError, UsageError


def test_taken_arguments_are_split_from_the_rest():
    taken, rest = outputs.take(
        ["lstm", "--data=/in/a=b", "--lr=0.1", "--executor_output=/x", "--empty="], "data", "executor-output", "empty"
    )
    assert taken == {"data": "/in/a=b", "executor-output": "/x"}
    assert rest == ["lstm", "--lr=0.1"]


def test_an_argument_given_twice_is_refused():
    with pytest.raises(UsageError, match="--data must be given once"):
        outputs.take(["--data=a", "--data=b"], "data")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (1.0, "1.0"),
        (1e-05, "1e-05"),
        (True, "true"),
        ("a b\n", "a b\n"),
        ([1, "é"], '[1,"é"]'),
        ({"a": None}, '{"a":null}'),
    ],
)
def test_parameters_are_written_as_their_text(tmp_path, value, text):
    outputs.write(tmp_path / "new" / "value", value)
    assert (tmp_path / "new" / "value").read_text() == text


def test_metrics_go_to_the_file_and_to_what_kfp_reads(tmp_path):
    outputs.write_metrics(tmp_path / "metrics", {"val_loss": 0.5}, tmp_path / "executor" / "output.json")
    assert json.loads((tmp_path / "metrics").read_text()) == {"val_loss": 0.5}
    assert json.loads((tmp_path / "executor" / "output.json").read_text()) == {
        "artifacts": {"metrics": {"artifacts": [{"metadata": {"val_loss": 0.5}}]}}
    }


@pytest.mark.parametrize("value", [float("nan"), [float("inf")]])
def test_numbers_that_are_not_finite_are_refused(tmp_path, value):
    with pytest.raises(MetricError, match="finite"):
        outputs.write(tmp_path / "value", value)
    assert not (tmp_path / "value").exists()


def test_the_module_imports_the_standard_library_only():
    code = "import sys, kftune.outputs; print([m for m in ('pydantic', 'yaml') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
