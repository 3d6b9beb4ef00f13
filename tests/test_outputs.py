"""How a step's script takes its arguments and writes its outputs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from kfp import dsl

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


def test_a_classification_is_what_kfps_own_class_makes_of_it_and_stands_beside_the_metrics(tmp_path):
    theirs = dsl.ClassificationMetrics()
    theirs.log_confusion_matrix(["good", "bad"], [[8, 2], [1, 9]])
    theirs.log_roc_curve([0.0, 1.0], [0.5, 1.0], [0.9, 0.1])
    told = tmp_path / "told"
    outputs.write_metrics(tmp_path / "metrics", {"accuracy": 0.85}, told)
    points = [(0.0, 0.5, 0.9), (1.0, 1.0, 0.1)]
    outputs.write_classification(tmp_path / "file", ["good", "bad"], [[8, 2], [1, 9]], told, roc=points)
    assert json.loads((tmp_path / "file").read_text()) == {
        "labels": ["good", "bad"],
        "matrix": [[8, 2], [1, 9]],
        "roc": [[0.0, 0.5, 0.9], [1.0, 1.0, 0.1]],
    }
    assert json.loads(told.read_text())["artifacts"] == {
        "metrics": {"artifacts": [{"metadata": {"accuracy": 0.85}}]},
        "classification": {"artifacts": [{"metadata": theirs.metadata}]},
    }


def test_a_confusion_matrix_without_a_row_for_each_label_is_refused(tmp_path):
    with pytest.raises(MetricError, match=r"each of the 2 labels, but got 1 rows of \[2\] values"):
        outputs.write_classification(tmp_path / "file", ["good", "bad"], [[8, 2]])


@pytest.mark.parametrize("value", [float("nan"), [float("inf")]])
def test_numbers_that_are_not_finite_are_refused(tmp_path, value):
    with pytest.raises(MetricError, match="finite"):
        outputs.write(tmp_path / "value", value)
    assert not (tmp_path / "value").exists()


def test_the_module_imports_the_standard_library_only():
    code = "import sys, kftune.outputs; print([m for m in ('pydantic', 'yaml') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
