"""What a cluster with Katib 0.19 had of three Experiments is read with the right states, values and best trial."""

from __future__ import annotations

import json
from typing import Any

import pytest
from places import DATA, ROOT

from kftune import yaml_text
from kftune.cli.call import call

STUDY = ["--study", str(ROOT / "pipelines/ocr/study.yaml")]
BEST = {
    "experiments": ("experiments-tcbfcx5f", 0.3343333333333333),
    "ocr-asha": ("ocr-asha-jx5dvhzf", 0.754),
    "ocr-small": ("ocr-small-4jvzsnd2", 0.035),
}
STATES = {
    "experiments": ["Failed", "Succeeded", "Succeeded"],
    "ocr-asha": ["Succeeded"] * 5,
    "ocr-small": ["Succeeded", "Failed", "Succeeded"],
}
VALUES: dict[str, dict[str, Any]] = {
    "experiments": {"preset": "small"},
    "ocr-asha": {
        "batch_size": "32",
        "learning_rate": 0.0032188450476772846,
        "weight_decay": 0.005152611072392153,
        "label_smoothing": 0.16272799219801937,
        "optimizer_type": "adamw",
        "scheduler_type": "steplr",
    },
    "ocr-small": {
        "batch_size": "16",
        "learning_rate": 0.0012406043334705003,
        "weight_decay": 0.0006573045551555448,
        "label_smoothing": 0.03130385094655825,
        "optimizer_type": "adamw",
        "scheduler_type": "cosine",
    },
}


def dump(name: str) -> str:
    return str(DATA / "katib_dumps" / f"{name}.yaml")


def printed(capsys: pytest.CaptureFixture[str], command: str, *arguments: str) -> str:
    assert call(command, "", [*arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", BEST)
def test_results_have_the_states_and_katibs_own_best_trial(name: str, capsys: pytest.CaptureFixture[str]):
    found = json.loads(printed(capsys, "results", dump(name), "--format", "json"))
    objects: Any = yaml_text.load_file(DATA / "katib_dumps" / f"{name}.yaml")
    (whole,) = [each for each in objects["items"] if each["kind"] == "Experiment"]
    assert [each["state"] for each in found["trials"]] == STATES[name]
    assert (found["best"]["name"], found["best"]["objective"]) == BEST[name]
    assert whole["status"]["currentOptimalTrial"]["bestTrialName"] == BEST[name][0]
    assert found["best"]["values"] == VALUES[name]
    failed = [each for each in found["trials"] if each["state"] == "Failed"]
    assert all("backoff limit" in each["message"] and each["objective"] is None for each in failed)


@pytest.mark.parametrize("name", ["ocr-asha", "ocr-small"])
def test_a_study_gives_the_values_of_a_cluster_the_types_of_its_class(name: str, capsys: pytest.CaptureFixture[str]):
    found = json.loads(printed(capsys, "results", dump(name), *STUDY, "--format", "json"))
    assert [each["state"] for each in found["trials"]] == STATES[name]
    assert (found["best"]["name"], found["best"]["objective"]) == BEST[name]
    assert found["best"]["values"] == {**VALUES[name], "batch_size": int(VALUES[name]["batch_size"])}
    assert found["study"]["fixed"]["num_epochs"] == 6
    assert found["study"]["fixed"]["early_stopping_patience"] is None


@pytest.mark.parametrize("study", [[], STUDY], ids=["alone", "with its study"])
@pytest.mark.parametrize("name", ["ocr-asha", "ocr-small"])
def test_best_and_the_report_name_the_same_trial(name: str, study: list[str], capsys: pytest.CaptureFixture[str]):
    trial, objective = BEST[name]
    lines = printed(capsys, "best", dump(name), *study).splitlines()
    assert lines[0] == f"best of {len(STATES[name])} trials of {name}: {trial}"
    assert any(line.split() == ["learning_rate", str(VALUES[name]["learning_rate"])] for line in lines)
    assert "origin  random with seed 1" in lines
    assert f"best: {trial}, val_seq_accuracy {objective}" in printed(
        capsys, "report", dump(name), *study, "--format", "text"
    )


def test_the_report_counts_states_and_says_what_failed(capsys: pytest.CaptureFixture[str]):
    text = printed(capsys, "report", dump("experiments"), "--format", "text")
    assert "trials: 1 Failed, 2 Succeeded" in text
    assert "best: experiments-tcbfcx5f, val_loss 0.334333" in text
    assert "1 Failed, first experiments-7zzrnczr: Trial has failed." in text


@pytest.mark.parametrize("study", [[], STUDY], ids=["alone", "with its study"])
def test_studies_of_a_cluster_are_compared(study: list[str], capsys: pytest.CaptureFixture[str]):
    names = ["ocr-asha", "ocr-small"]
    found = json.loads(printed(capsys, "compare", *map(dump, names), *study, "--format", "json"))
    assert [(each["label"], each["trials"]) for each in found["studies"]] == [("ocr-asha", 5), ("ocr-small", 3)]
    assert [(each["best"]["trial"], each["best"]["value"]) for each in found["studies"]] == [
        BEST[each] for each in names
    ]
    assert found["space"]["other_domain"] == {}
    assert "max_trials" in found["differences"]


def test_studies_with_other_objectives_are_not_compared(capsys: pytest.CaptureFixture[str]):
    assert call("compare", "", [dump("experiments"), dump("ocr-small")]) == 2
    assert "only studies that optimize the same can be compared" in capsys.readouterr().err
