"""Stopping rules in a local run, with real processes."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from local_study import Tiny, finished, python, run, study, trials_in
from mistake_texts import printed

from kftune.local import Event, Note, StudyFinished
from kftune.results import open_results

TRAINS = """
import os, pathlib, signal, sys, time
number = int(os.environ["KFTUNE_TRIAL_NAME"][-4:])

def end(*_):
    pathlib.Path(os.environ["KFTUNE_OUTPUT_DIR"], "checkpoint").write_text(str(step))
    sys.exit(3)

signal.signal(signal.SIGTERM, end)
for step in range(1, EPOCHS + 1):
    print(f"step={step} loss={number + 1 / step} speed={number}", flush=True)
    time.sleep(0.02)
"""
"""Trains a long time; the later the trial, the worse it is. On SIGTERM it writes a checkpoint."""


def trains(epochs: int) -> tuple[str, ...]:
    return python(TRAINS.replace("EPOCHS", str(epochs)))


def notes(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Note)]


def checkpoint(folder: Path, name: str) -> int:
    return int((folder / "trials" / name / "checkpoint").read_text())


def test_a_bad_trial_is_stopped_with_time_for_its_checkpoint_and_its_value_counts(tmp_path):
    a_study = study(trains(30), trials=2, stopping={"bandit": {"slack_amount": 0.5, "delay": 3}})
    outcome, events = run(a_study, tmp_path)
    first, second = trials_in(tmp_path)
    assert (first.state, second.state) == ("Succeeded", "EarlyStopped")
    assert second.message.startswith("stopped early by bandit: at report ")
    assert "checkpoint" not in [path.name for path in (tmp_path / "trials" / first.name).iterdir()]
    assert 3 <= checkpoint(tmp_path, second.name) < 30
    assert second.objective == float(second.metrics["loss"].min)
    assert outcome.counts == {"EarlyStopped": 1, "Succeeded": 1}
    assert outcome.state == "Succeeded"
    assert [event.message for event in finished(events)] == ["", second.message]


def test_a_trial_that_diverges_has_no_result(tmp_path):
    a_study = study(trains(200), trials=2, stopping={"threshold": {"above": 2.2, "delay": 4}}, budget={"parallel": 2})
    outcome, _ = run(a_study, tmp_path)
    first, second = trials_in(tmp_path)
    assert (first.state, second.state) == ("Succeeded", "EarlyStopped")
    assert second.message == "stopped early by threshold: loss=2.25 is above 2.2, so its results do not count"
    assert second.objective is None
    assert outcome.best is not None
    assert outcome.best.number == 1


def test_a_trial_that_diverges_at_its_end_has_no_result(tmp_path):
    a_study = study(python("print('loss=1'); print('loss=99', end='')"), trials=2, stopping={"threshold": {"above": 9}})
    run(a_study, tmp_path)
    assert [(trial.state, trial.objective) for trial in trials_in(tmp_path)] == [("EarlyStopped", None)] * 2


def test_a_threshold_watches_any_metric_of_the_study(tmp_path):
    stopping = {"threshold": {"metric": "speed", "above": 1.5}}
    run(study(trains(200), trials=2, metrics=["speed"], stopping=stopping), tmp_path)
    assert [trial.state for trial in trials_in(tmp_path)] == ["Succeeded", "EarlyStopped"]


def test_a_trial_that_ignores_the_request_is_killed_after_the_grace_period(tmp_path):
    script = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    script += "for step in range(1, 2000): print(f'loss={step}', flush=True); time.sleep(0.02)"
    a_study = study(python(script), trials=1, stopping={"plateau": {"patience": 2}}, step={"grace_period": 0.3})
    began = time.monotonic()
    run(a_study, tmp_path)
    assert time.monotonic() - began < 15
    assert [trial.state for trial in trials_in(tmp_path)] == ["EarlyStopped"]


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_study_that_does_not_get_better_ends(tmp_path, parallel):
    a_study = study(trains(1), trials=40, stopping={"no_improvement": 5}, budget={"parallel": parallel})
    outcome, _ = run(a_study, tmp_path)
    assert outcome.reason == "StoppingRule"
    assert "no_improvement: the best loss has been 2 for 5 trials" in outcome.message
    assert 6 <= sum(outcome.counts.values()) < 20


def test_the_cost_of_trials_ends_the_study_while_they_run(tmp_path):
    stopping = {"max_cost": {"limit": 0.5, "per_hour": 3600}}
    began = time.monotonic()
    outcome, _ = run(study(trains(2000), trials=4, stopping=stopping, budget={"parallel": 2}), tmp_path)
    assert outcome.reason == "StoppingRule"
    assert "max_cost: the trials have cost 0.5" in outcome.message
    assert time.monotonic() - began < 10
    assert [trial.state for trial in trials_in(tmp_path)] == ["Killed", "Killed"]


def test_a_wall_clock_is_that_of_the_budget(tmp_path):
    outcome, events = run(study(trains(2000), trials=4, stopping={"wall_clock": 0.4}), tmp_path)
    assert outcome.reason == "WallClock"
    assert events[0].to_dict()["wall_clock"] == pytest.approx(0.4, abs=0.1)


def test_targets_end_the_study_and_are_in_its_result(tmp_path):
    target = {"metrics": {"loss": {"at_most": 2.01}, "speed": {"at_least": 1}}, "convergence_epochs": 3}
    outcome, events = run(study(trains(3), trials=9, metrics=["speed"], stopping={"target": target}), tmp_path)
    assert outcome.reason == "StoppingRule"
    assert "target: trial 1 has met all targets: loss, speed, convergence_epochs" in outcome.message
    with open_results(tmp_path) as results:
        found = results.targets()
    assert [(each.name, each.met, each.trial) for each in found] == [
        ("loss", True, 1),
        ("speed", True, 1),
        ("convergence_epochs", True, 1),
    ]
    (end,) = [event for event in events if isinstance(event, StudyFinished)]
    assert end.targets == [each._asdict() for each in found]


def test_kftune_best_shows_the_targets(tmp_path):
    target = {"metrics": {"loss": {"at_most": 1}, "speed": {"at_least": 1, "at_most": 3}}}
    run(study(trains(2), trials=1, metrics=["speed"], stopping={"target": target}), tmp_path)
    text = printed(["best", str(tmp_path)], tmp_path)
    assert re.search(r"^target +must be +result +trial$", text, re.M)
    assert re.search(r"^loss +at most 1 +not met \(1.5\) +small-study-0001$", text, re.M)
    assert re.search(r"^speed +at least 1 and at most 3 +met \(1\) +small-study-0001$", text, re.M)


def test_a_target_that_no_trial_meets_is_in_the_result_too(tmp_path):
    target = {"metrics": {"loss": {"at_most": 2}, "speed": {"at_least": 9}}, "training_time_per_epoch": "1h"}
    outcome, _ = run(study(trains(2), trials=2, metrics=["speed"], stopping={"target": target}), tmp_path)
    assert outcome.reason == "MaxTrialsReached"
    with open_results(tmp_path) as results:
        found = results.targets()
    assert [(each.name, each.result.split()[0], each.bounds) for each in found] == [
        ("loss", "met", "at most 2"),
        ("speed", "not", "at least 9"),
        ("training_time_per_epoch", "met", "at most 3600"),
    ]


def test_the_algorithm_hears_the_value_of_a_stopped_trial(tmp_path):
    # A grid is not told anything, so this needs an algorithm that learns.
    stopping = {"bandit": {"slack_amount": 0.1}}
    a_study = study(trains(4), trials=6, hparams=Tiny, algorithm={"name": "tpe"}, stopping=stopping)
    outcome, _ = run(a_study, tmp_path)
    assert outcome.counts == {"EarlyStopped": 5, "Succeeded": 1}


@pytest.mark.parametrize(
    ("stopping", "epochs", "note"),
    [
        (
            {"bandit": {"slack_factor": 0.1}},
            1,
            "bandit could stop nothing early, because each trial reported loss",
        ),
        ({"bandit": {"slack_factor": 0.1, "interval": 5}}, 3, "bandit has judged no trial, because none reported loss"),
        ({"median": {}}, 3, "median has judged no trial"),
        ({"asha": {"min_resource": 10}}, 3, "asha has judged no trial"),
        ({"plateau": {"patience": 3}}, 3, "plateau has judged no trial"),
    ],
)
def test_a_rule_that_could_not_judge_is_named_at_the_end(tmp_path, stopping, epochs, note):
    _, events = run(study(trains(epochs), trials=2, stopping=stopping), tmp_path)
    assert len(notes(events)) == 1
    assert f"stopping: {note}" in notes(events)[0]


@pytest.mark.parametrize("stopping", [{"bandit": {"slack_factor": 9}}, {"threshold": {"above": 99}}])
def test_a_rule_that_has_judged_is_not_named(tmp_path, stopping):
    _, events = run(study(trains(2), trials=2, stopping=stopping), tmp_path)
    assert notes(events) == []


def test_a_rule_that_ends_the_study_counts_the_trials_of_earlier_runs(tmp_path):
    run(study(trains(1), trials=3), tmp_path)
    outcome, _ = run(study(trains(1), trials=40, stopping={"no_improvement": 5}), tmp_path)
    assert outcome.reason == "StoppingRule"
    assert sum(outcome.counts.values()) == 6


def test_what_a_failed_trial_reported_shows_that_a_rule_could_judge(tmp_path):
    # The first trial fails after three reports, and the other one is stopped at its first report.
    script = python("""
import os, sys, time
first = os.environ["KFTUNE_TRIAL_NAME"].endswith("1")
for step in range(1, 4):
    print(f"step={step} loss={1 if first else 9}", flush=True)
    time.sleep(1)
sys.exit(first)
""")
    a_study = study(script, trials=2, stopping={"bandit": {"slack_amount": 1}}, budget={"parallel": 2})
    outcome, events = run(a_study, tmp_path)
    assert outcome.counts == {"EarlyStopped": 1, "Failed": 1}
    assert [note for note in notes(events) if note.startswith("stopping:")] == []
    _, events = run(a_study, tmp_path)
    assert [note for note in notes(events) if note.startswith("stopping:")] == []


def test_a_study_that_a_rule_has_ended_tells_so_again_and_starts_nothing(tmp_path):
    a_study = study(trains(1), trials=40, stopping={"no_improvement": 2})
    first, _ = run(a_study, tmp_path)
    again, events = run(a_study, tmp_path)
    assert (again.reason, again.message) == (first.reason, first.message)
    assert finished(events) == []


def test_the_cost_of_earlier_runs_counts(tmp_path):
    run(study(trains(60), trials=1), tmp_path)
    (trial,) = trials_in(tmp_path)
    assert trial.duration is not None
    stopping = {"max_cost": {"limit": trial.duration + 0.3, "per_hour": 3600}}
    outcome, _ = run(study(trains(60), trials=9, stopping=stopping), tmp_path)
    assert outcome.counts == {"Killed": 1, "Succeeded": 1}


def test_the_cost_of_tries_that_were_cut_short_counts(tmp_path):
    run(study(trains(2000), trials=1, stopping={"wall_clock": 0.3}), tmp_path)
    run(study(trains(2000), trials=1, stopping={"wall_clock": 0.6}), tmp_path)
    outcome, _ = run(study(trains(2000), trials=1, stopping={"max_cost": {"limit": 0.4, "per_hour": 3600}}), tmp_path)
    assert outcome.reason == "StoppingRule"
    assert [trial.attempt for trial in trials_in(tmp_path)] == [2]


def test_a_study_without_its_rules_goes_on(tmp_path):
    run(study(trains(1), trials=5, stopping={"no_improvement": 2}), tmp_path)
    outcome, _ = run(study(trains(1), trials=5), tmp_path)
    assert outcome.reason == "MaxTrialsReached"


@pytest.mark.parametrize(
    ("end", "stopping"),
    [
        ("sys.exit(1 if number == 1 else 0)", {"bandit": {"slack_amount": 0.5}}),
        ("sys.exit(0)", {"bandit": {"slack_amount": 0.5}, "threshold": {"below": 0}}),
    ],
    ids=["failed", "outside a threshold"],
)
def test_no_trial_is_measured_by_a_trial_without_a_result(tmp_path, end, stopping):
    script = f"""
import os, sys, time
number = int(os.environ["KFTUNE_TRIAL_NAME"][-4:])
for step in range(8):
    print(f"loss={{-99 if number == 1 else 1}}", flush=True)
    time.sleep(0.02)
{end}
"""
    run(study(python(script), trials=3, stopping=stopping), tmp_path)
    first, *others = trials_in(tmp_path)
    assert first.state in ("Failed", "EarlyStopped")
    assert [trial.state for trial in others] == ["Succeeded", "Succeeded"]
