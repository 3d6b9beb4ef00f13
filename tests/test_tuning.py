"""The functions of notebooks do what the commands do."""

from __future__ import annotations

from pathlib import Path

import pytest
from applied import CONFIG, write

from kftune.errors import UsageError
from kftune.tuning import (
    TuningJob,
    apply_best_trial,
    compare_tuning_runs,
    generate_circuits_yaml_snippet,
    get_best_trial_results,
    submit_tuning_job,
)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> TuningJob:
    folder = tmp_path_factory.mktemp("tuning")
    write(folder)
    return submit_tuning_job(folder / "study.yaml")


def test_a_job_has_run_to_its_end(job: TuningJob):
    assert (job.name, job.folder.name, job.folder.parent.name, job.state) == ("net", "net", "runs", "Succeeded")


@pytest.mark.parametrize("give", [lambda job: job, lambda job: job.folder, lambda job: str(job.folder)])
def test_the_best_trial_has_typed_values(job: TuningJob, give):
    best = get_best_trial_results(give(job))
    assert (best.study, best.metric, best.value, best.trials) == ("net", "val_loss", 0.25, 4)
    assert best.hyperparameters == {"lr": 1e-05, "units": 32}
    assert best.metrics == {"val_loss": 0.25}


def test_a_snippet_is_of_a_best_trial_or_of_a_run(job: TuningJob):
    wanted = "P1:\n  C1:\n    lr: 1.0e-05\n    units: 32\n"
    assert generate_circuits_yaml_snippet(get_best_trial_results(job), "P1/C1") == wanted
    assert generate_circuits_yaml_snippet(job.folder, "P1/C1") == wanted


def test_runs_are_compared_with_the_best_first(job: TuningJob):
    study = job.folder.parents[1] / "study.yaml"
    other = submit_tuning_job(study, "name=other", "search.lr={choice: [0.001]}", "budget.max_trials=2")
    rows = compare_tuning_runs([other, job])
    assert [(row["study"], row["val_loss"]) for row in rows] == [("net", 0.25), ("other", 1.0)]
    wrong = submit_tuning_job(study, "name=up", "objective.direction=maximize")
    with pytest.raises(UsageError, match="these have maximize val_loss and minimize val_loss"):
        compare_tuning_runs([job, wrong])


def test_the_defaults_of_the_class_are_tried_first(job: TuningJob):
    study = job.folder.parents[1] / "study.yaml"
    again = submit_tuning_job(study, "name=first", "budget.max_trials=1", "algorithm.name=random", baseline=True)
    assert get_best_trial_results(again).hyperparameters == {"lr": 0.001, "units": 64}


def test_the_best_values_are_applied_with_the_rules_of_the_command(job: TuningJob, tmp_path: Path):
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    shown = apply_best_trial(job, config, "P1/C1", write=False)
    assert config.read_text() == CONFIG
    assert "+    lr: 1.0e-05   # by hand\n" in shown
    with pytest.raises(UsageError, match="epochs is 30 there and 10 in the trials"):
        apply_best_trial(job, config, "P1/C3")
    assert apply_best_trial(job, config, "P1/C1") == shown
    assert "lr: 1.0e-05   # by hand" in config.read_text()
    assert apply_best_trial(job, config, "P1/C1") == ""
