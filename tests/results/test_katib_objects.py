"""Objects that a cluster has of an Experiment are read back as what a local run of the same trials recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from local_experiment import experiment, run, sh
from places import ROOT
from recorded import cases

from kftune import yaml_text
from kftune.domains import Choice, Domain, IntUniform, Uniform
from kftune.domains.encoding import Mode, encode_value
from kftune.errors import StoreError
from kftune.katib.engines.declared import parameters_of
from kftune.local.experiment.parameters import ParameterSpace
from kftune.render import render
from kftune.results import open_results
from kftune.results.experiment import experiment_with_status, trials_as_katib
from kftune.results.export import to_json
from kftune.results.sources.find import open_trials
from kftune.results.sources.through_study import through_study
from kftune.results.trials import Trials
from kftune.study import Study, load_study

_SCRIPT = """
case $KATIB_TRIAL_NAME in
*1|*2) echo loss=0.5; echo acc=$UNITS; echo loss=0.125;;
*3) echo loss=1; echo loss=1; sleep 20;;
*4) echo no metric;;
*5) exit 3;;
*) echo loss=0.75;;
esac
""".strip()
_MEDIAN = {
    "algorithmName": "medianstop",
    "algorithmSettings": [{"name": "min_trials_required", "value": "2"}, {"name": "start_step", "value": "2"}],
}
# What Katib does not know, or has its own of.
_TIMES = ("started", "ended", "duration", "origin", "log", "output", "exit_code", "message")
_STUDY = ("identity", "created", "version", "seed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the results of an Experiment whose trials ended in each way."""
    found = tmp_path_factory.mktemp("experiment")
    given = experiment(
        sh(_SCRIPT),
        trials=6,
        earlyStopping=_MEDIAN,
        objective={"additionalMetricNames": ["acc"]},
        maxFailedTrialCount=4,
    )
    run(given, found)
    return found


def objects_of(folder: Path) -> list[dict[str, Any]]:
    """Returns what a cluster would have of the Experiment."""
    with open_results(folder) as results:
        whole = experiment_with_status(results)
        assert whole is not None
        return [whole, *trials_as_katib(results)]


def as_list(objects: list[Any]) -> str:
    """Returns what kubectl prints of objects."""
    return yaml_text.dump({"apiVersion": "v1", "kind": "List", "items": objects})


def known(results: Trials) -> dict[str, Any]:
    """Returns what both a cluster and a local run know."""
    found = to_json(results)
    for trial in (*found["trials"], found["best"]):
        for name in _TIMES:
            del trial[name]
        # Of a failed trial Katib reads no metrics, and it does not say how often one was reported.
        scored = trial["state"] in ("Succeeded", "EarlyStopped")
        metrics = trial["metrics"].items() if scored else ()
        trial["metrics"] = {name: (each["min"], each["max"], each["latest"]) for name, each in metrics}
    for name in _STUDY:
        del found["study"][name]
    del found["active_seconds"]
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return plain


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".yaml", as_list),
        (".yml", yaml_text.dump_all),
        (".json", lambda objects: json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})),
    ],
    ids=["list", "documents", "json"],
)
def test_objects_give_what_the_local_run_has(folder, tmp_path, suffix, text):
    saved = tmp_path / f"dump{suffix}"
    saved.write_text(text(objects_of(folder)), encoding="utf-8")
    with open_trials(saved) as read, open_results(folder) as here:
        assert known(read) == known(here)
        assert read.reason() == here.reason()
        assert {trial.state for trial in read.trials()} == {"Succeeded", "Failed", "EarlyStopped", "MetricsUnavailable"}
        assert {trial.stopped_by for trial in read.trials()} == {"", "medianstop"}
        assert experiment_with_status(read) == objects_of(folder)[0]
        assert not read.notes


def test_an_experiment_alone_has_its_best_trial_and_says_so(folder, tmp_path):
    saved = tmp_path / "dump.yaml"
    saved.write_text(as_list(objects_of(folder)[:1]), encoding="utf-8")
    with open_trials(saved) as read, open_results(folder) as here:
        assert known(read)["best"] == {**known(here)["best"], "number": 1}
        assert read.counts() == here.counts()
        assert "only its best trial and the counts" in read.notes[0]


def test_trials_alone_have_their_objective_and_say_what_is_missing(folder, tmp_path):
    saved = tmp_path / "dump.yaml"
    saved.write_text(as_list(objects_of(folder)[1:]), encoding="utf-8")
    with open_trials(saved) as read, open_results(folder) as here:
        best, expected = read.best(), here.best()
        assert best is not None
        assert expected is not None
        assert (best.name, best.objective) == (expected.name, expected.objective)
        assert "no Experiment" in read.notes[0]


def test_trials_are_in_the_order_of_their_suggestions(folder, tmp_path):
    objects = objects_of(folder)
    names = [each["metadata"]["name"] for each in objects[1:]]
    suggestion = {
        **objects[0],
        "kind": "Suggestion",
        "status": {"suggestions": [{"name": name} for name in reversed(names)]},
    }
    saved = tmp_path / "dump.yaml"
    saved.write_text(as_list([*objects, suggestion]), encoding="utf-8")
    with open_trials(saved) as read:
        assert [trial.name for trial in read.trials()] == names[::-1]


@pytest.mark.parametrize("case", cases("status")[::23], ids=lambda case: case["id"])
def test_the_best_trial_is_the_one_of_katibs_own_status(case, tmp_path):
    given = case["input"]
    whole = {
        **given["experiment"],
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "status": case["result"]["status"],
    }
    trials = [{**each, "apiVersion": whole["apiVersion"], "kind": "Trial"} for each in given["trials"]]
    saved = tmp_path / "dump.json"
    saved.write_text(json.dumps({"kind": "List", "items": [whole, *trials]}), encoding="utf-8")
    with open_trials(saved) as read:
        best = read.best()
        named = whole["status"]["currentOptimalTrial"].get("bestTrialName")
        values = {trial.name: trial.objective for trial in read.trials()}
        # A best trial whose objective is no number is named in a note; otherwise equal values count as equal.
        assert (best and best.objective) == values.get(named) or "not a finite number" in read.notes[0]
        assert sum(read.counts().values()) == whole["status"].get("trials", 0)


def encoded(domain: Domain, mode: Mode) -> dict[str, Any]:
    """Returns an Experiment whose parameter lr is an encoded value."""
    return experiment(sh(f"echo {encode_value(mode, domain, '${trialParameters.lr}')}"))


@pytest.mark.parametrize(
    ("mode", "domain", "text", "value"),
    [
        ("quantile", Uniform(10, 20), "0.25", 12.5),
        ("millionth", IntUniform(1, 4), "999999", 4),
        ("index", Choice("a", "b"), "1", "b"),
        ("quantile", Uniform(10, 20), "7", "7"),
    ],
)
def test_encoded_parameters_are_decoded(tmp_path, mode, domain, text, value):
    whole = {**encoded(domain, mode), "status": {"conditions": []}}
    trial = {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Trial",
        "metadata": {"name": "a"},
        "spec": {"parameterAssignments": [{"name": "lr", "value": text}]},
    }
    saved = tmp_path / "dump.yaml"
    saved.write_text(yaml_text.dump_all([{**whole}, {**trial, "status": {}}]), encoding="utf-8")
    with open_trials(saved) as read:
        assert read.trials()[0].point == {"lr": value}
        assert read.trials()[0].assignment == {"lr": text}


def drawn(a_study: Study, share: float) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Returns a rendered Experiment, and a trial that got the values at a share of each distribution."""
    (whole,) = render(a_study, "katib").documents
    space = ParameterSpace(parameters_of(whole["spec"])[0])
    point = {name: domain.quantile(share) for name, domain in space.space.items()}
    texts = [{"name": name, "value": text} for name, text in space.assignment(point).items()]
    trial = {"metadata": {"name": "a"}, "spec": {"parameterAssignments": texts}, "status": {}}
    return whole, [{"apiVersion": whole["apiVersion"], "kind": "Trial", **trial}]


@pytest.mark.parametrize("share", [0.125, 0.5, 0.75])
@pytest.mark.parametrize(
    "changes",
    [
        ["algorithm.name=tpe"],
        [
            "algorithm.name=tpe",
            "search.layers={int: [1, 4]}",
            "search.dropout={normal: [0.2, 0.05], low: 0, high: 0.9}",
        ],
        ["algorithm.name=sobol"],
    ],
)
def test_a_study_gives_the_values_and_texts_of_its_own_trials(tmp_path, share, changes):
    a_study = load_study(ROOT / "pipelines/circuits/demo.yaml", ["~algorithm.settings", *changes])
    whole, trials = drawn(a_study, share)
    saved = tmp_path / "dump.yaml"
    saved.write_text(yaml_text.dump_all([whole, *trials]), encoding="utf-8")
    expected = a_study.typed({name: domain.quantile(share) for name, domain in a_study.space.items()})
    with open_trials(saved) as read:
        (typed,) = through_study(read, a_study).trials()
    assert typed.point == pytest.approx(expected, rel=1e-9)
    assert [*typed.assignment] == [*a_study.assignment(expected)]
    assert [type(value) for value in typed.point.values()] == [type(expected[name]) for name in typed.point]


def test_what_does_not_fit_a_study_is_named(folder, tmp_path):
    saved = tmp_path / "dump.yaml"
    saved.write_text(as_list(objects_of(folder)), encoding="utf-8")
    a_study = load_study(ROOT / "pipelines/circuits/demo.yaml")
    with open_trials(saved) as read:
        typed = through_study(read, a_study)
        assert any("no such hyperparameter: lr, opt, units" in note for note in typed.notes)
        assert any("these trials have only acc, loss" in note for note in typed.notes)
        assert typed.best() is not None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda objects: [*objects, {**objects[0], "metadata": {"name": "other"}}], "has 2 Experiments: other, small"),
        (lambda objects: [{**objects[0], "spec": {}}], "not as Katib writes them"),
        (lambda objects: [{**objects[0], "metadata": {}}], "not as Katib writes them"),
    ],
)
def test_objects_that_cannot_be_read_are_refused(folder, tmp_path, change, says):
    saved = tmp_path / "dump.yaml"
    saved.write_text(as_list(change(objects_of(folder))), encoding="utf-8")
    with pytest.raises(StoreError, match=says):
        open_trials(saved)


def test_an_experiment_that_was_never_in_a_cluster_has_no_trials(tmp_path):
    saved = tmp_path / "experiment.yaml"
    saved.write_text(yaml_text.dump(experiment()), encoding="utf-8")
    with pytest.raises(StoreError, match="no trials that kftune reads"):
        open_trials(saved)
