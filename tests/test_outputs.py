"""How a step's script takes its arguments and writes its outputs."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from kfp import dsl

from kftune import outputs
from kftune.errors import MetricError, UsageError
from kftune.files import write_text


def test_a_file_that_cannot_be_written_is_named_and_not_its_temporary_one(tmp_path):
    path = tmp_path / ("x" * 250)  # with more around it, longer than file systems allow
    with pytest.raises(OSError, match="File name too long") as caught:
        write_text(path, "text")
    assert caught.value.filename == str(path)


def test_taken_arguments_are_split_from_the_rest():
    taken, rest = outputs.take(
        ["lstm", "--data=/in/a=b", "--lr=0.1", "--executor_output=/x", "--empty="], "data", "executor-output", "empty"
    )
    assert taken == {"data": "/in/a=b", "executor-output": "/x"}
    assert rest == ["lstm", "--lr=0.1"]


def test_a_value_may_be_the_next_argument():
    taken, rest = outputs.take(["lstm", "--data", "/in", "--lr", "0.1", "--val-loss=/x"], "data", "val_loss")
    assert (taken, rest) == ({"data": "/in", "val_loss": "/x"}, ["lstm", "--lr", "0.1"])


@pytest.mark.parametrize("argv", [["--data"], ["--data", "--lr=0.1"]])
def test_an_argument_without_its_value_is_refused(argv):
    with pytest.raises(UsageError, match="--data needs a value: --data=VALUE"):
        outputs.take(argv, "data")


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


def test_classification_metrics_are_what_kfps_own_artifact_would_hold(tmp_path):
    false, true, thresholds = [0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0], [float("inf"), 0.9, 0.4, 0.1]
    outputs.write_classification_metrics(
        tmp_path / "judged",
        labels=["leak", "no leak"],
        confusion_matrix=[[8, 2], [1, 9]],
        roc_curve=(false, true, thresholds),
        executor_output=tmp_path / "executor.json",
        name="judged",
    )
    kfps = dsl.ClassificationMetrics()
    kfps.log_confusion_matrix(["leak", "no leak"], [[8, 2], [1, 9]])
    kfps.log_roc_curve(false, true, [1.9, *thresholds[1:]])
    assert json.loads((tmp_path / "judged").read_text()) == kfps.metadata
    told = json.loads((tmp_path / "executor.json").read_text())
    assert told == {"artifacts": {"judged": {"artifacts": [{"metadata": kfps.metadata}]}}}


def test_several_artifacts_of_a_step_are_shown_together(tmp_path):
    shown = tmp_path / "executor.json"
    shown.write_text('{"parameterValues": {"val_loss": 0.5}}')
    outputs.write_metrics(tmp_path / "metrics", {"val_loss": 0.5}, shown)
    outputs.write_classification_metrics(
        tmp_path / "judged", labels=["a"], confusion_matrix=[[1]], executor_output=shown, name="judged"
    )
    outputs.write_metrics(tmp_path / "metrics", {"val_loss": 0.25}, shown)
    told = json.loads(shown.read_text())
    assert told["parameterValues"] == {"val_loss": 0.5}
    assert told["artifacts"]["metrics"] == {"artifacts": [{"metadata": {"val_loss": 0.25}}]}
    assert set(told["artifacts"]) == {"metrics", "judged"}


def test_a_long_roc_curve_keeps_its_ends_and_500_points(tmp_path):
    rates = [number / 100_000 for number in range(100_001)]
    outputs.write_classification_metrics(tmp_path / "judged", roc_curve=(rates, rates, rates[::-1]))
    points = json.loads((tmp_path / "judged").read_text())["confidenceMetrics"]
    assert len(points) == 500
    assert [points[0]["recall"], points[-1]["recall"]] == [0.0, 1.0]
    assert sorted({point["recall"] for point in points}) == [point["recall"] for point in points]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "give one"),
        ({"labels": ["a", "b"]}, "got 2 labels and rows of []"),
        ({"labels": ["a", "b"], "confusion_matrix": [[1, 2], [3]]}, "got 2 labels and rows of [2, 1]"),
        ({"confusion_matrix": [[1]]}, "got 0 labels and rows of [1]"),
        ({"roc_curve": ([0.0, 1.0], [0.0, 1.0], [0.5])}, "and 1 thresholds"),
        ({"roc_curve": ([], [], [])}, "two points or more"),
        ({"roc_curve": ([0.0, float("nan")], [0.0, 1.0], [1.0, 0.5])}, "only finite numbers"),
    ],
)
def test_classification_metrics_that_no_page_could_show_are_refused(tmp_path, given, words):
    with pytest.raises(MetricError, match=re.escape(words)):
        outputs.write_classification_metrics(tmp_path / "judged", **given, executor_output=tmp_path / "executor.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [float("nan"), [float("inf")]])
def test_numbers_that_are_not_finite_are_refused(tmp_path, value):
    with pytest.raises(MetricError, match="finite"):
        outputs.write(tmp_path / "value", value)
    assert not (tmp_path / "value").exists()


def test_the_module_imports_the_standard_library_only():
    code = "import sys, kftune.outputs; print([m for m in ('pydantic', 'yaml') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
