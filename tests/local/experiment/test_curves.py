"""Curves of trials of Experiments: the number of a report counts, unless the files have steps."""

from __future__ import annotations

import pytest
from local_experiment import collected, experiment, run, sh
from local_study import kept_curves, trials_in
from places import ROOT

from kftune.katib.trial.collector import Row
from kftune.local.experiment.reported import ReportedRows
from kftune.stopping import Report

STOPPING = {
    "algorithmName": "medianstop",
    "algorithmSettings": [{"name": "min_trials_required", "value": "2"}, {"name": "start_step", "value": "2"}],
}


@pytest.mark.parametrize("kind", ["StdOut", "File"])
def test_katib_s_log_has_no_step_so_the_number_of_the_report_counts(tmp_path, kind):
    place = {"File": {"fileSystemPath": {"path": "/katib/m.log", "kind": "File"}}, "StdOut": {}}[kind]
    to = {"File": " > /katib/m.log", "StdOut": ""}[kind]
    script = f"(echo step=7 loss=0.5; echo step=8 loss=nan; echo step=9 loss=0.25){to}"
    run(experiment(sh(script), trials=1, metricsCollectorSpec=collected(kind, **place)), tmp_path)
    assert kept_curves(tmp_path) == {1: {"loss": ([1, 3], [0.5, 0.25])}}


def test_event_files_have_steps(tmp_path):
    objective = {"objectiveMetricName": "train/loss", "additionalMetricNames": ["accuracy"]}
    place = {"fileSystemPath": {"path": "/logs", "kind": "Directory"}}
    container = sh(f"cp -r {ROOT}/tests/data/events/* /logs")
    collector = collected("TensorFlowEvent", **place)
    run(experiment(container, trials=1, objective=objective, metricsCollectorSpec=collector), tmp_path)
    assert kept_curves(tmp_path) == {
        1: {
            "train/loss": ([0, 1, 2], [0.5, 0.25, 0.125]),
            "accuracy": ([0, 1], [0.10000000149011612, 0.8999999761581421]),
        }
    }


def test_a_trial_that_katib_s_rule_stops_says_so_and_keeps_its_curve(tmp_path):
    script = """
    case $KATIB_TRIAL_NAME in *1|*2) loss=0.1;; *) loss=0.9;; esac; echo loss=$loss; echo loss=$loss
    case $KATIB_TRIAL_NAME in *1|*2) ;; *) sleep 20;; esac"""
    run(experiment(sh(script), trials=3, earlyStopping=STOPPING), tmp_path)
    assert [(trial.state, trial.stopped_by) for trial in trials_in(tmp_path)] == [
        ("Succeeded", ""),
        ("Succeeded", ""),
        ("EarlyStopped", "medianstop"),
    ]
    assert kept_curves(tmp_path)[3] == {"loss": ([1, 2], [0.9, 0.9])}


def test_every_finite_report_is_told_once():
    reported = ReportedRows()
    reported.take([Row("loss", "0.5"), Row("acc", "1"), Row("loss", "conv3x3")])
    reported.take([Row("loss", "0.25")])
    assert reported.take_new() == [Report("loss", 0.5, 1), Report("acc", 1.0, 1), Report("loss", 0.25, 3)]
    assert reported.take_new() == []
