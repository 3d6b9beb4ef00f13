"""The stopping rules of a study on Katib: which one it gets, what is said about the others, and how a trial ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kubeflow_katib_api.models import V1beta1Experiment
from render_examples import SETTINGS, container_of, make_study
from stopping_examples import TRIAL_RULES

from kftune.earlystopping.names import KINDS
from kftune.earlystopping.settings import rule_of
from kftune.errors import RenderError
from kftune.katib.trial.kubelet import expanded
from kftune.katib.trial.wrapper import wrap
from kftune.lint.checker import check
from kftune.render import render

STDOUT = {"collector": {"kind": "StdOut"}}
KEPT = [name for name in TRIAL_RULES if name.split(" ")[0] in KINDS and "running" not in name]


def rendered(stopping: Any, **parts: Any) -> tuple[dict[str, Any], str]:
    """Returns the Experiment and its notes."""
    found = render(make_study(stopping=stopping, **parts))
    return found.documents[0], "\n".join(found.notes)


def test_a_study_without_rules_has_no_early_stopping():
    experiment, notes = rendered({})
    assert "earlyStopping" not in experiment["spec"]
    assert experiment["spec"]["trialTemplate"]["retain"] is False
    assert container_of(experiment)["args"] == ["train " + container_of(experiment)["args"][0].removeprefix("train ")]
    assert "stop" not in notes


def test_the_median_rule_is_katib_s_own_service():
    experiment, notes = rendered({"median": {"min_trials": 5}})
    assert experiment["spec"]["earlyStopping"] == {
        "algorithmName": "medianstop",
        "algorithmSettings": [
            {"name": "min_trials_required", "value": "5"},
            {"name": "start_step", "value": "4"},
        ],
    }
    assert "medianstop fixes its limit when it creates a trial" in notes
    assert "--with-service" not in notes


@pytest.mark.parametrize("name", [name for name in KEPT if name != "median"])
def test_another_rule_is_one_of_kftune_s_service_with_the_same_settings(name):
    kind = name.split(" ")[0]
    experiment, notes = rendered({kind: TRIAL_RULES[name]})
    spec = experiment["spec"]["earlyStopping"]
    settings = [(each["name"], each["value"]) for each in spec.get("algorithmSettings", ())]
    assert rule_of(spec["algorithmName"], settings) == make_study(stopping={kind: TRIAL_RULES[name]}).stopping[0]
    assert (
        f"stopping.{kind} needs kftune's early stopping service on the cluster: kftune render --with-service" in notes
    )
    assert V1beta1Experiment.from_dict(experiment).to_dict()["spec"]["earlyStopping"] == spec


@pytest.mark.parametrize(
    ("stopping", "algorithm", "named"),
    [
        ({"plateau": {"patience": 3}}, None, "stopping.plateau, which judges each report, applies to local runs only"),
        (
            {"plateau": {"patience": 3}, "asha": {}},
            "kftune-asha",
            "stopping.plateau, which judges each report, applies to local runs only",
        ),
        (
            {"bandit": {"slack_factor": 0.1}, "asha": {}},
            "kftune-bandit",
            "Katib applies one rule to trials, which is stopping.bandit: stopping.asha applies to local runs only",
        ),
        (
            {"truncation": {"percentage": 20, "exclude_finished": True}},
            None,
            "stopping.truncation with exclude_finished applies to local runs only",
        ),
        (
            {"threshold": {"above": 5, "below": -5}},
            "kftune-threshold",
            "Katib applies stopping.threshold to each report; Katib takes one limit, so the other one applies to local",
        ),
        (
            {"asha": {"type": "promotion"}},
            "kftune-asha",
            "the type promotion of stopping.asha applies to local runs only, and on Katib the trial ends",
        ),
        ({"threshold": {"above": 5, "delay": 4}}, "kftune-threshold", "to report 4 of each trial only"),
        ({"threshold": {"above": 5}}, "kftune-threshold", "one that stopping.threshold stops can be the best"),
        ({"threshold": {"above": 5}}, "kftune-threshold", "on the wrong side from their first report on"),
    ],
)
def test_what_katib_cannot_do_is_named(stopping, algorithm, named):
    experiment, notes = rendered(stopping)
    assert experiment["spec"].get("earlyStopping", {}).get("algorithmName") == algorithm
    assert named in notes


@pytest.mark.parametrize("kind", ["asha", "hyperband"])
def test_a_rule_that_lets_trials_wait_ends_them_on_katib(kind):
    waits, _ = rendered({kind: {"type": "promotion", "max_resource": 27}})
    ends, _ = rendered({kind: {"max_resource": 27}})
    assert waits["spec"]["earlyStopping"] == ends["spec"]["earlyStopping"]


def test_a_limit_on_the_better_side_of_the_objective_is_exact():
    _, notes = rendered({"threshold": {"below": 0}})
    assert "wrong side" not in notes


def test_a_rule_watches_a_metric_by_its_name_in_the_log():
    metrics = [{"name": "memory", "regex": "peak memory: ([0-9.]+)"}]
    experiment, _ = rendered({"threshold": {"above": 5, "metric": "memory"}}, metrics=metrics)
    assert {"name": "metric", "value": "peak memory"} in experiment["spec"]["earlyStopping"]["algorithmSettings"]
    assert experiment["spec"]["objective"]["additionalMetricNames"] == ["peak memory"]


@pytest.mark.parametrize("kind", ["Job", "PyTorchJob", "TrainJob"])
def test_lint_predicts_no_trouble_for_any_kind_of_trial(kind, tmp_path):
    from kftune import yaml_text

    experiment, notes = rendered({"bandit": {"slack_factor": 0.1}}, katib={"trial_kind": kind})
    file = tmp_path / "experiment.yaml"
    file.write_text(yaml_text.dump(experiment))
    (report,) = check(file).documents
    assert report.outcome == "ok"
    assert "KT311" in {finding.code for finding in report.findings}
    assert experiment["spec"]["trialTemplate"]["retain"] is True
    assert "the pods of trials stay until the Experiment is deleted" in notes


def test_hyperband_does_not_survive_a_stopped_trial():
    algorithm = {"name": "hyperband", "settings": SETTINGS["hyperband"]}
    search = {"epochs": {"int": [1, 9]}}
    with pytest.raises(RenderError, match=r"does not go on when stopping\.asha has stopped one; remove stopping"):
        rendered({"asha": {}}, algorithm=algorithm, search=search, budget={"max_trials": 9, "parallel": 9})


def test_a_step_that_runs_a_shell_is_told_how_the_training_gets_the_signal():
    _, notes = rendered({"asha": {}}, step={"image": "x", "command": ["bash", "-c", "cd /src; python train.py"]})
    assert "write exec before its last command" in notes


# What Katib's collector does with a trial, after the mark of its shell: it marks it, and ends the one child.
TRAIN = """
import os, signal, sys, time
def stop(*_):
    print("checkpoint written", flush=True)
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
print("mark", open(sys.argv[1] + "/%d.pid" % os.getppid()).read().strip(), flush=True)
time.sleep(60 if "wait" in sys.argv[2] else 0)
sys.exit(3 if "fail" in sys.argv[2] else 0)
"""


def wrapped(folder: Path, how: str, **katib: Any) -> str:
    """Returns the shell line of a trial that has rules, with the metrics in a folder of ours."""
    (folder / "train.py").write_text(TRAIN)
    step = {"image": "x", "command": [sys.executable, str(folder / "train.py"), str(folder), how]}
    experiment, _ = rendered({"asha": {}}, step=step, katib=katib)
    container = container_of(experiment)
    found = wrap(container["command"], container["args"], STDOUT, early_stopping=True)
    (line,) = found.args
    line = re.sub(r"\$\{trialParameters\.\w+\}", "1", line)
    return expanded(line, {}).replace("/var/log/katib", str(folder))


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("katib", [{}, {"min_runtime": "1s"}], ids=["plain", "min_runtime"])
def test_a_stopped_trial_writes_its_checkpoint_and_ends_well(tmp_path, shell, katib):
    process = subprocess.Popen([shell, "-c", wrapped(tmp_path, "wait", **katib)], stdout=subprocess.PIPE, text=True)
    mark, log = tmp_path / f"{process.pid}.pid", tmp_path / "metrics.log"
    while not log.is_file() or "mark running" not in log.read_text():
        assert process.poll() is None
    owner = mark.stat().st_ino
    mark.write_text("early-stopped")
    (child,) = children(process.pid)
    os.kill(child, 15)
    printed, _ = process.communicate(timeout=20)
    assert (process.returncode, printed) == (0, "Training Container was Early Stopped\n")
    assert log.read_text() == "mark running\ncheckpoint written\n"
    assert (mark.read_text(), mark.stat().st_ino) == ("completed\n", owner)


@pytest.mark.parametrize(("how", "code", "mark"), [("end", 0, "completed\n"), ("fail", 1, "running\n")])
def test_a_trial_that_is_not_stopped_ends_as_before(tmp_path, how, code, mark):
    done = subprocess.run(["sh", "-c", wrapped(tmp_path, how)], check=False, timeout=20)
    assert done.returncode == code
    (found,) = tmp_path.glob("*.pid")
    assert found.read_text() == mark
