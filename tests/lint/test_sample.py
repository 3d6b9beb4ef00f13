from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from growth import is_linear
from json_schema import problems
from lint_examples import EXAMPLE, example_text
from places import CIRCUITS

from kftune.cli.call import call
from kftune.katib.admission.cluster import Cluster
from kftune.katib.trial.collector import Row, collect
from kftune.lint.experiment import check_experiment
from kftune.lint.sampling import Sample, sample, sample_findings
from kftune.lint.schema import lint_schema
from kftune.lint.sources import SourceText, documents

Lint = Callable[..., tuple[int, str]]


@pytest.fixture
def lint(capsys: pytest.CaptureFixture[str]) -> Lint:
    def run(*arguments: str) -> tuple[int, str]:
        code = call("lint", "", list(arguments))
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def sampled(log: bytes, change: str = "") -> Sample:
    (document,) = documents(SourceText("e.yaml", example_text(change), named=True))
    spec = check_experiment(document, Cluster(), "0.19").verdict.spec
    assert spec is not None
    return sample(spec, log.split(b"\n"), "train.log")


def test_the_rows_are_those_of_the_collector_with_their_lines():
    log = b"start\nval_loss=0.5 train_loss=1\n2026-01-02T03:04:05Z val_loss=0.30\nval_loss = 4e-1\n"
    made = sampled(log, "spec: {objective: {additionalMetricNames: [train_loss]}}")
    rows = [(row.line, Row(metric.name, row.value, row.timestamp)) for metric in made.metrics for row in metric.rows]
    assert [row for _, row in sorted(rows, key=lambda pair: pair[0])] == collect(log, ["val_loss", "train_loss"])
    assert [(row.line, row.value) for row in made.metrics[0].rows] == [(2, "0.5"), (3, "0.30"), (4, "4e-1")]
    objective = made.metrics[0]
    assert (objective.min, objective.max, objective.latest, objective.counts) == ("0.30", "0.5", "0.30", "0.30")
    assert not made.near


def test_without_the_objective_katib_keeps_nothing():
    made = sampled(b"train_loss=0.5\n", "spec: {objective: {additionalMetricNames: [train_loss]}}")
    assert [metric.latest for metric in made.metrics] == ["unavailable", "unavailable"]
    assert [len(metric.rows) for metric in made.metrics] == [0, 1]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("\x1b[1mval_loss\x1b[0m=0.3", "it contains colour codes"),
        ("val_loss: 0.3", "it has ':' instead of '='"),
        ("epoch 1: lr: 0.1, val_loss: 0.3", "it has ':' instead of '='"),
        ("val_loss 0.3", "it has a space instead of '='"),
        ("val_loss is 0.3", "it has a space instead of '='"),
        ("val_loss -> 0.3", "it has '->' instead of '='"),
        ("'val_loss'=0.3", "quotes surround the name or the value"),
        ('val_loss="0.3"', "quotes surround the name or the value"),
        ("{'val_loss': 0.3}", "it has ':' instead of '=' and quotes surround the name or the value"),
        ("val/loss=0.3", "the log calls it 'val/loss'"),
        ("Val Loss=0.3", "the log calls it 'Val Loss'"),
        ("val-loss=0.3", "the log calls it 'val-loss'"),
        ("val.loss: 0.3", "it has ':' instead of '=' and the log calls it 'val.loss'"),
    ],
)
def test_a_line_that_is_nearly_a_report_says_why_it_is_none(line: str, why: str):
    made = sampled(f"epoch 1\n{line}\n".encode())
    assert [(near.line, near.metric, near.why) for near in made.near] == [(2, "val_loss", why)]
    assert made.near[0].remedy


@pytest.mark.parametrize("line", ["val_loss: 0.3", "'val_loss': 3e-1}", "epoch 1, val_loss -> .3,", "val_loss 0.3"])
def test_the_filter_that_is_offered_reads_the_line(line: str):
    (near,) = sampled(line.encode()).near
    _, told, regex = near.remedy.partition("add this filter to metricsFormat: ")
    assert told
    rows = collect(line.encode(), ["val_loss"], [regex])
    assert [float(row.value) for row in rows] == [0.3]
    assert ";" not in regex


@pytest.mark.parametrize("line", ["monitoring val_loss", "best val_loss of all", "validation_losses=3", "x=0.3", ""])
def test_a_line_that_only_names_the_metric_is_not_near(line: str):
    assert sampled(line.encode()).near == ()


def test_a_name_that_the_default_filter_cannot_find_gets_a_filter_that_can():
    change = "spec: {objective: {objectiveMetricName: val/loss}}"
    (near,) = sampled(b"val/loss=0.3\n", change).near
    assert near.why == "the filter does not match such a name"
    regex = near.remedy.removeprefix("add this filter to metricsFormat: ")
    assert [row.value for row in collect(b"val/loss=0.3\n", ["val/loss"], [regex])] == ["0.3"]
    (near,) = sampled(b"epoch 1: val/loss: 0.3\n", change).near
    assert near.why == "it has ':' instead of '=' and the filter does not match such a name"


@pytest.mark.parametrize(
    ("text", "value", "note"),
    [
        ("1,000", "1", "the filter reads only a part of '1,000'"),
        ("0x10", "0", "the filter reads only a part of '0x10'"),
        ("nan", "", "'nan' is not a number"),
        ("tensor(0.3)", "", "'tensor(0.3' is not a number"),
        ("98%", "98", ""),
        ("0.5,", "0.5", ""),
        ("0.5.", "0.5", ""),
    ],
)
def test_a_value_that_is_stored_as_something_else_is_reported(text: str, value: str, note: str):
    (row,) = sampled(f"val_loss={text} epoch=3".encode()).metrics[0].rows
    assert row.value == value
    assert row.note.startswith(note)
    assert bool(row.note) == bool(note)


def test_numbers_in_a_json_log_are_not_read():
    change = (
        "spec: {metricsCollectorSpec: {collector: {kind: File}, source: {fileSystemPath: {path: /out/m, format: JSON,"
        " kind: File}}}}"
    )
    made = sampled(b'{"val_loss": 0.3}\n{"Val-Loss": "0.3"}\n\n', change)
    assert [found.remedy for found in sample_findings(made)] == ['write the number as a string: {"val_loss": "0.3"}']
    assert [near.why for near in made.near] == [
        "its value is not a string, and Katib reads only strings",
        "the log calls it 'Val-Loss'",
    ]
    assert sampled(b'{"val_loss": "0.3"}\n', change).metrics[0].counts == "0.3"
    assert sampled(b"val_loss=0.3\n", change).error.startswith("line 1: failed to parse the json object")


def test_a_filter_that_stops_the_collector_is_reported_at_its_line():
    change = (
        "spec: {metricsCollectorSpec: {collector: {kind: StdOut}, source: {filter: {metricsFormat: ['(?=x)(a)(b)']}}}}"
    )
    assert sampled(b"start\nval_loss=1\n", change).error.startswith("line 2: ")


def test_a_collector_that_reads_no_log_says_so():
    assert sampled(b"val_loss=1", "spec: {metricsCollectorSpec: {collector: {kind: Push}}}").unread


def test_the_findings_stand_at_the_objective(lint: Lint, tmp_path: Path):
    (tmp_path / "e.yaml").write_text(EXAMPLE)
    (tmp_path / "train.log").write_bytes(b"val_loss: 0.3\n")
    code, text = lint(str(tmp_path / "e.yaml"), "--sample-log", str(tmp_path / "train.log"))
    assert code == 1
    assert f"{tmp_path}/e.yaml:9:26: KT501 fails: no line of" in text
    assert "line 1 almost, but it has ':' instead of '='" in text
    (tmp_path / "train.log").write_bytes(b"val_loss=0.3\n")
    assert lint(str(tmp_path / "e.yaml"), "--sample-log", str(tmp_path / "train.log"))[0] == 0
    assert lint(str(tmp_path / "e.yaml"), "--sample-log", "gone.log")[0] == 2


def test_a_study_tells_both_readers(lint: Lint, tmp_path: Path):
    study = CIRCUITS / "study.yaml"
    log = tmp_path / "train.log"
    log.write_text("step=1 val_loss=0.5 val_mae=0.4\nstep=2 val_loss=0.25 val_mae=nan train_loss=1\n")
    code, text = lint(str(study), "--sample-log", str(log), "--format", "json")
    assert code == 0
    told = json.loads(text)
    assert [metric["counts"] for metric in told["documents"][0]["sample"]["metrics"]] == ["0.25", "0.4", "1"]
    assert [(each["name"], each["values"], each["value"], each["refused"]) for each in told["studies"][0]["here"]] == [
        ("val_loss", 2, "0.25", 0),
        ("val_mae", 1, "0.4", 1),
        ("train_loss", 1, "1", 0),
    ]


def test_a_study_gets_a_regex_at_its_own_metric_and_no_filter(lint: Lint, tmp_path: Path):
    study = CIRCUITS / "study.yaml"
    log = tmp_path / "train.log"
    log.write_text("[val_loss=0.51] Val MAE: 0.4\ntrain_loss=0.5\n")
    code, text = lint(str(study), "--sample-log", str(log), "--select", "KT5")
    assert code == 1
    assert "study.yaml:10:21: KT501 fails: no line of" in text
    assert r"or give the study objective.regex: '\bval_loss\s*=\s*([0-9.eE+-]+)'" in text
    assert "study.yaml:12:5: KT502 advice: no line of" in text
    assert r"or give val_mae, under metrics, a regex: '\bVal MAE\s*:\s*([0-9.eE+-]+)'" in text
    assert "metricsFormat" not in text
    told = json.loads(lint(str(study), "--sample-log", str(log), "--format", "json")[1])
    assert [each["metric"] for each in told["studies"][0]["near"]] == ["val_loss", "val_mae"]
    assert told["documents"][0]["sample"]["near"] == []


def test_a_study_that_diverges_has_no_latest_value(lint: Lint, tmp_path: Path):
    study = tmp_path / "study.yaml"
    study.write_text((CIRCUITS / "study.yaml").read_text().replace("minimize, reduce: min", "minimize, reduce: latest"))
    log = tmp_path / "train.log"
    log.write_text("val_loss=0.5 val_mae=0.4 train_loss=1\nval_loss=nan\n")
    code, text = lint(str(study), "--sample-log", str(log), "--select", "KT5")
    assert code == 1
    assert "KT501 fails: the latest value of 'val_loss' in" in text
    assert "  val_loss: no value; 1 not a finite number\n" in text


def test_a_study_s_regex_that_cuts_numbers_is_reported_at_its_place(lint: Lint, tmp_path: Path):
    text = (CIRCUITS / "study.yaml").read_text()
    study = tmp_path / "study.yaml"
    study.write_text(text.replace("reduce: min}\nmetrics", "reduce: min, regex: 'val_loss: ([0-9.]+)'}\nmetrics"))
    log = tmp_path / "train.log"
    log.write_text("val_loss: 0.5 val_mae=0.4 train_loss=1\nval_loss: 1e-05\n")
    code, text = lint(str(study), "--select", "KT248,KT5")
    assert code == 0
    assert f"{study}:10:72: KT248 advice: the metric 'val_loss': a value printed as 1e-05 is read as '1'" in text
    assert text.count("KT248") == 1
    code, text = lint(str(study), "--select", "KT248,KT5", "--sample-log", str(log))
    assert code == 1
    assert f"{study}:10:72: KT503 wrong: {log}:2: val_loss is read as '1', where '1e-05' stands\n" in text
    assert "    write ([0-9.eE+-]+) for the group of its regex\n" in text


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("val_loss: 1e-05", "the filter reads only a part of '1e-05'"),
        ("val_loss: 0.5", ""),
    ],
)
def test_a_value_that_a_filter_cuts_is_reported(line: str, note: str):
    source = r"source: {filter: {metricsFormat: ['(\w+): ([0-9\.]+)']}}"
    change = f"spec: {{metricsCollectorSpec: {{collector: {{kind: StdOut}}, {source}}}}}"
    (row,) = sampled(line.encode(), change).metrics[0].rows
    assert row.note == note


def test_a_tune_step_s_study_is_read_too(lint: Lint, tmp_path: Path):
    log = tmp_path / "train.log"
    log.write_text("val_loss: 0.51 val_mae=0.4 train_loss=1\n")
    code, text = lint(str(CIRCUITS / "pipeline.yaml"), "--sample-log", str(log), "--select", "KT5")
    assert code == 1
    assert "pipeline.yaml:" in text
    assert "KT501 fails: no line of" in text
    assert "or give the study objective.regex: '" in text
    assert "metricsFormat" not in text


def test_the_cost_of_a_large_log_grows_with_its_size():
    lines = [b"epoch %d val loss: 0.%d, lr 0.1 and some more words\n" % (line, line) for line in range(50_000)]
    assert sampled(b"".join(lines)).near
    assert is_linear(sampled, b"".join(lines[:25_000]), b"".join(lines))


def cases(tmp_path: Path) -> list[list[str]]:
    files = {
        "good.yaml": EXAMPLE,
        "refused.yaml": example_text("spec: {maxTrialCount: 1}"),
        "decode.yaml": example_text("spec: {maxTrialCount: x}"),
        "broken.yaml": "a: [\n",
        "empty.yaml": "",
        "fixable.yaml": EXAMPLE.replace("        backoffLimit: 0\n", ""),
        "train.log": "val_loss=0.3\nval_loss=nan\n",
        "other.log": "val_loss: 0.3\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    study = str(CIRCUITS / "study.yaml")
    logs = [["--sample-log", str(tmp_path / name)] for name in ("train.log", "other.log")]
    everything = [str(tmp_path / name) for name in files if name.endswith(".yaml")]
    return [everything, [str(tmp_path / "fixable.yaml"), "--diff"], *([*everything, study, *log] for log in logs)]


@pytest.mark.parametrize("case", range(4))
def test_what_is_printed_is_as_the_schema_says(case: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arguments = cases(tmp_path)[case]
    call("lint", "", [*arguments, "--format", "json"])
    captured = capsys.readouterr()
    told: Any = json.loads(captured.err if "--diff" in arguments else captured.out)
    assert list(problems(told, lint_schema())) == []


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]):
    assert call("schema", "", ["lint"]) == 0
    assert json.loads(capsys.readouterr().out) == lint_schema()
