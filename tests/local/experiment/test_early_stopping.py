"""Experiments whose trials kftune's own early stopping stops, as its service does on Katib."""

from __future__ import annotations

from typing import Any

import pytest
from local_experiment import experiment, run, sh
from local_study import trials_in

from kftune.errors import RunError
from kftune.local.experiment import Options

# The first two trials report 0.5, 0.25, 0.125; the others stay at 1 and would take long.
SCRIPT = """
case $KATIB_TRIAL_NAME in
*1|*2) echo loss=0.5; echo loss=0.25; echo loss=0.125;;
*) echo loss=1; echo loss=1; sleep 20; echo loss=0.001;;
esac
""".strip()


def stopping(kind: str, **settings: object) -> dict[str, Any]:
    listed = [{"name": name, "value": str(value)} for name, value in settings.items()]
    return {"algorithmName": f"kftune-{kind}", "algorithmSettings": listed}


@pytest.mark.parametrize(
    ("spec", "rule"),
    [
        (stopping("bandit", slack_amount=0.25, delay=2), "loss greater than 0.5 after 2 reports"),
        (stopping("percentile", keep=50, min_trials=2, delay=2), "loss greater than 0.25 after 2 reports"),
        (stopping("asha", min_resource=2, reduction_factor=2), "loss greater than 0.25 after 2 reports"),
        (stopping("percentile", keep=50, min_trials=2), "loss greater than 0.5 after 1 report"),
        (stopping("median", min_trials=2, start_step=2), "loss greater than 0.375 after 2 reports"),
        (stopping("threshold", above=0.75), "loss greater than 0.75"),
    ],
)
def test_bad_trials_are_stopped_by_the_rule_of_the_service(tmp_path, spec, rule):
    run(experiment(sh(SCRIPT), trials=4, earlyStopping=spec), tmp_path)
    trials = trials_in(tmp_path)
    assert [trial.state for trial in trials] == ["Succeeded", "Succeeded", "EarlyStopped", "EarlyStopped"]
    assert trials[2].message == f"stopped early by {spec['algorithmName']}: {rule}"
    assert (trials[2].duration or 99) < 10


def test_trials_that_were_stopped_early_count_for_the_next_ones_and_failed_ones_do_not(tmp_path):
    script = """
case $KATIB_TRIAL_NAME in
*1) echo loss=8; exit 1;;
*2) echo loss=4;;
*3) echo loss=5; sleep 20;;
*) echo loss=4.75;;
esac
""".strip()
    # The last trial is better than half of the trials only together with the third one.
    run(experiment(sh(script), trials=4, earlyStopping=stopping("truncation", percentage=50)), tmp_path)
    assert [trial.state for trial in trials_in(tmp_path)] == ["Failed", "Succeeded", "EarlyStopped", "Succeeded"]


def test_the_rules_are_those_of_earlier_runs_too(tmp_path):
    spec = stopping("bandit", slack_amount=0.25, delay=2)
    run(experiment(sh(SCRIPT), trials=2, earlyStopping=spec), tmp_path)
    run(experiment(sh(SCRIPT), trials=3, earlyStopping=spec), tmp_path)
    assert [trial.state for trial in trials_in(tmp_path)] == ["Succeeded", "Succeeded", "EarlyStopped"]


def test_behind_katib_s_own_shell_line_a_trial_is_stopped_too(tmp_path):
    spec = stopping("bandit", slack_amount=0.25, delay=2)
    options = Options(strict_wrapper=True)
    run(experiment(sh(f"{{ {SCRIPT}; }}"), trials=3, earlyStopping=spec), tmp_path, options=options)
    assert [trial.state for trial in trials_in(tmp_path)] == ["Succeeded", "Succeeded", "EarlyStopped"]


def test_a_setting_that_the_service_refuses_is_refused_before_the_first_trial(tmp_path):
    spec = stopping("bandit", slack=0.25)
    with pytest.raises(RunError, match=r"Bandit has no key 'slack'.*on Katib the Experiment fails"):
        run(experiment(sh(SCRIPT), trials=3, earlyStopping=spec), tmp_path)
