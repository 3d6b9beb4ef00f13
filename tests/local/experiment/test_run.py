"""A Katib Experiment on this machine, with real processes: what it runs, what it reads, what ends it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kubeflow_katib_api.models import V1beta1Experiment
from local_experiment import LR, OPT, UNITS, collected, experiment, python, run, sh
from local_study import is_alive, log_of, stored_rows, trials_in, wait_until
from places import DATA, SUPPORT

from kftune.errors import RunError, StoreError
from kftune.katib.admission.cluster import Cluster
from kftune.local import Note
from kftune.local.experiment import Options
from kftune.results import Trial, open_results
from kftune.results.experiment import experiment_with_status

PRINT_ARGUMENTS = ["python", "-c", 'import sys; print(sys.argv[1:]); print("loss=1")']


def one_trial(container: dict[str, Any], folder: Path, **parts: Any) -> Trial:
    options = parts.pop("options", Options())
    more = parts.pop("more", {})
    run(experiment(container, trials=1, **parts), folder, options=options, **more)
    (trial,) = trials_in(folder)
    return trial


def status_of(folder: Path) -> dict[str, Any]:
    with open_results(folder) as results:
        found = experiment_with_status(results)
    assert found is not None
    read_by_client = V1beta1Experiment.from_dict(found)
    assert read_by_client is not None
    assert read_by_client.to_dict()["status"]["trials"] == found["status"]["trials"]
    status: dict[str, Any] = found["status"]
    return status


# -- what a trial gets ----------------------------------------------------------------------------------------------


def test_every_trial_runs_with_its_values_put_in_and_is_kept(tmp_path):
    script = "import os, sys; print(sys.argv[1:]); print('loss=' + os.environ['LR'])"
    container = python(script, "--units=${trialParameters.units}")
    outcome, _ = run(experiment(container, trials=4, parallelTrialCount=2), tmp_path)
    assert (outcome.state, outcome.reason, outcome.counts) == ("Succeeded", "MaxTrialsReached", {"Succeeded": 4})
    trials = trials_in(tmp_path)
    assert [trial.name for trial in trials] == [f"small-000{number}" for number in (1, 2, 3, 4)]
    for trial in trials:
        assert list(trial.assignment) == ["lr", "units", "opt"]
        assert log_of(tmp_path, trial) == f"['--units={trial.assignment['units']}']\nloss={trial.assignment['lr']}\n"
        assert trial.metrics["loss"].latest == trial.assignment["lr"], "the text is kept as it was printed"
    assert outcome.best == min(trials, key=lambda trial: trial.objective or 0)


def test_a_trial_knows_its_name_and_its_variables_as_a_pod_does(tmp_path):
    variables = [
        {"name": "A", "value": "x"},
        {"name": "B", "value": "$(A)-$(MISSING)-$$(A)"},
        {"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "MINE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "mine"}}},
        {"name": "MAYBE", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]
    script = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)])); print('loss=1')"
    container = {**python(script, "$(A)", "$$(A)", "$(NOPE)", "a  b"), "env": variables}
    cluster = Cluster(config_maps={("team-a", "settings"): {"mine": "7"}})
    options = Options(env={"TOKEN": "secret"})
    trial = one_trial(container, tmp_path, options=options, more={"cluster": cluster})
    arguments, found = json.loads(log_of(tmp_path, trial).splitlines()[0])
    assert arguments == ["x", "$(A)", "$(NOPE)", "a  b"]
    assert (found["B"], found["ME"], found["MINE"], found["TOKEN"]) == (
        "x-$(MISSING)-$(A)",
        "small-0001",
        "7",
        "secret",
    )
    assert "MAYBE" not in found
    assert found["KATIB_TRIAL_NAME"] == "small-0001"


def test_a_variable_that_only_the_cluster_has_is_asked_for(tmp_path, monkeypatch):
    variable = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    container = {**sh("echo loss=$TOKEN"), "env": [variable]}
    with pytest.raises(RunError, match=r"TOKEN comes from the cluster \(secretKeyRef\).*--env TOKEN="):
        run(experiment(container), tmp_path / "a")
    monkeypatch.setenv("TOKEN", "0.25")
    assert one_trial(container, tmp_path / "b").objective == 0.25


def test_metadata_of_the_trial_is_put_in(tmp_path):
    template = {
        "trialParameters": [
            *({"name": name, "reference": name} for name in ("lr", "units", "opt")),
            {"name": "me", "reference": "${trialSpec.Name}"},
            {"name": "where", "reference": "${trialSpec.Namespace}"},
        ]
    }
    container = sh("echo ${trialParameters.me} ${trialParameters.where}; echo loss=1")
    trial = one_trial(container, tmp_path, template=template)
    assert log_of(tmp_path, trial).splitlines()[0] == "small-0001 team-a"


def test_values_stay_in_their_space_and_on_their_lattice(tmp_path):
    parameters = [
        {"name": "lr", "parameterType": "double", "feasibleSpace": {"min": "0.1", "max": "0.7", "step": "0.1"}},
        {"name": "units", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "10", "step": "4"}},
        {"name": "opt", "parameterType": "discrete", "feasibleSpace": {"list": ["1e-3", "2.50", "7"]}},
    ]
    run(experiment(trials=60, parameters=parameters, parallelTrialCount=2), tmp_path)
    found = [trial.assignment for trial in trials_in(tmp_path)]
    assert {each["lr"] for each in found} == {"0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7"}
    assert {each["units"] for each in found} == {"1", "5", "9"}
    assert {each["opt"] for each in found} == {"1e-3", "2.50", "7"}


@pytest.mark.parametrize("distribution", ["normal", "logNormal", "uniform", "logUniform"])
@pytest.mark.parametrize("step", [{}, {"step": "2"}])
def test_an_int_is_passed_as_an_int_whatever_its_distribution(tmp_path, distribution, step):
    space = {"min": "32", "max": "64", "distribution": distribution, **step}
    units = {"name": "units", "parameterType": "int", "feasibleSpace": space}
    run(experiment(sh("echo loss=$((UNITS))"), trials=3, parameters=[LR, units, OPT]), tmp_path)
    assert all(re.fullmatch("[0-9]+", trial.assignment["units"]) for trial in trials_in(tmp_path))
    assert {trial.state for trial in trials_in(tmp_path)} == {"Succeeded"}


# -- kinds -----------------------------------------------------------------------------------------------------------


def test_kubeflow_s_jobs_of_one_replica_run(tmp_path):
    container = {
        "name": "main",
        "image": "x:1",
        **sh("echo loss=${trialParameters.lr}${trialParameters.units}${trialParameters.opt}"),
    }
    replica = {"replicas": 1, "template": {"spec": {"containers": [container]}}}
    torch = {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "spec": {"pytorchReplicaSpecs": {"Master": replica}},
    }
    assert run(experiment(trial=torch, trials=1), tmp_path / "a")[0].counts == {"Succeeded": 1}
    trainer = {
        "image": "x:1",
        "numNodes": 1,
        **sh("echo loss=${trialParameters.lr}${trialParameters.units}${trialParameters.opt}"),
    }
    train = {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "spec": {"runtimeRef": {"name": "torch"}, "trainer": trainer},
    }
    template = {"primaryContainerName": "node"}
    assert run(experiment(trial=train, template=template, trials=1), tmp_path / "b")[0].counts == {"Succeeded": 1}


@pytest.mark.parametrize(
    ("trial", "told"),
    [
        (
            {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": {}},
            "a Workflow of argoproj.io/v1alpha1 is not run locally: Argo's controller runs its steps; to search here, "
            "make the training step a Job",
        ),
        (
            {"apiVersion": "kubeflow.org/v1", "kind": "MPIJob", "spec": {}},
            "a MPIJob of kubeflow.org/v1 is not run locally: its launcher starts workers over MPI; with one worker, "
            "the same command runs as a Job",
        ),
        (
            {
                "apiVersion": "kubeflow.org/v1",
                "kind": "PyTorchJob",
                "spec": {"pytorchReplicaSpecs": {"Master": {"replicas": 0}}},
            },
            "a trial needs a pod, but spec.pytorchReplicaSpecs has no replica; set the replicas of one to 1",
        ),
        (
            {
                "apiVersion": "trainer.kubeflow.org/v1alpha1",
                "kind": "TrainJob",
                "spec": {"runtimeRef": {"name": "torch"}},
            },
            "a TrainJob without spec.trainer.command runs what its runtime says, which only the cluster knows; give "
            "the command in the template",
        ),
    ],
)
def test_what_one_machine_cannot_run_is_told_with_what_would_do(tmp_path, trial, told):
    names = "${trialParameters.lr}${trialParameters.units}${trialParameters.opt}"
    trial = {**trial, "metadata": {"annotations": {"values": names}}}
    conditions = {"successCondition": "a", "failureCondition": "b"}
    with pytest.raises(RunError) as caught:
        run(experiment(trial=trial, template=conditions), tmp_path)
    assert str(caught.value) == told
    assert not (tmp_path / "trials.db").exists()


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"container": {}}, r"container 'main' has no command.*--runtime container"),
        (
            {"container": {"command": ["/no/such/program"]}},
            r"/no/such/program is not there; install it",
        ),
        (
            {"container": {"command": ["python", "/opt/train.py"]}},
            r"/opt/train.py is not; give the folder.*--mount /PATH=",
        ),
        (
            {
                "metricsCollectorSpec": {
                    "collector": {"kind": "Custom", "customCollector": {"name": "c", "image": "x"}},
                    "source": {"fileSystemPath": {"path": "/a/b", "kind": "File"}},
                }
            },
            "Custom is not run locally",
        ),
        ({"algorithm": {"algorithmName": "darts"}}, "darts searches for architectures"),
    ],
)
def test_what_could_not_run_is_refused_before_the_first_trial(tmp_path, parts, told):
    with pytest.raises(RunError, match=told):
        run(experiment(parts.pop("container", None), **parts), tmp_path)
    assert not (tmp_path / "trials.db").exists()


def test_what_katib_refuses_does_not_run(tmp_path):
    with pytest.raises(RunError, match=r"(?s)Katib refuses.*spec.maxTrialCount: must be greater than 0"):
        run(experiment(trials=0), tmp_path)


# -- collectors ------------------------------------------------------------------------------------------------------


def test_strategies_and_texts_are_katib_s(tmp_path):
    strategies = [{"name": "loss", "value": "latest"}, {"name": "acc", "value": "max"}]
    objective = {"additionalMetricNames": ["acc", "f1"], "metricStrategies": strategies}
    lines = "loss=0.50 acc=.1\nepoch 2: loss = 1e-2, acc=.9\nloss=+0.20 acc=.5"
    trial = one_trial(sh(f"printf '{lines}'"), tmp_path, objective=objective)
    assert trial.metrics["loss"][:3] == ("1e-2", "0.50", "+0.20")
    assert trial.metrics["acc"][:3] == (".1", ".9", ".5")
    assert trial.objective == 0.2
    observed = {each["name"]: each for each in status_of(tmp_path)["currentOptimalTrial"]["observation"]["metrics"]}
    assert observed["f1"] == {"name": "f1", "min": "unavailable", "max": "unavailable", "latest": "unavailable"}


def test_a_filter_of_its_own_replaces_the_default_one(tmp_path):
    source = {"filter": {"metricsFormat": [r"(\w+\s\w+)\s:\s((-?\d+)(\.\d+)?)"]}}
    objective = {"objectiveMetricName": "binary error", "additionalMetricNames": ["loss"]}
    container = sh("echo '[1] valid binary error : 0.25'; echo loss=1; echo 'binary error : 0.5'")
    trial = one_trial(container, tmp_path, objective=objective, metricsCollectorSpec=collected("StdOut", **source))
    assert {name: values.min for name, values in trial.metrics.items()} == {"binary error": "0.25"}


@pytest.mark.parametrize(
    ("container", "state", "told"),
    [
        (sh("echo acc=1"), "MetricsUnavailable", "exit code 0, but the objective was never reported"),
        (sh("echo loss=nan"), "MetricsUnavailable", "the value is not a finite number.*may take it for the best"),
        (sh("echo loss=1; exit 3"), "Failed", "exit code 3"),
    ],
)
def test_a_trial_without_objective_is_told_apart_from_a_failed_one(tmp_path, container, state, told):
    trial = one_trial(container, tmp_path)
    assert trial.state == state
    assert re.search(told, trial.message)


@pytest.mark.parametrize(
    ("strategy", "state", "objective"), [("min", "Succeeded", 0.4), ("latest", "MetricsUnavailable", None)]
)
def test_a_diverged_trial_has_no_latest_value(tmp_path, strategy, state, objective):
    strategies = {"metricStrategies": [{"name": "loss", "value": strategy}]}
    trial = one_trial(sh("echo loss=0.4; echo loss=nan"), tmp_path, objective=strategies)
    assert (trial.state, trial.objective, trial.metrics["loss"][:3]) == (state, objective, ("0.4", "0.4", ""))
    assert ("may take it for the best" in trial.message) == (state == "MetricsUnavailable")


@pytest.mark.parametrize(
    ("kind", "source"),
    [("StdOut", {}), ("File", {"fileSystemPath": {"path": "/katib/m.log", "kind": "File", "format": "TEXT"}})],
)
def test_a_number_of_which_a_part_is_stored_is_told_with_its_line(tmp_path, kind, source):
    collecting = collected(kind, filter={"metricsFormat": [r"(\w+)=((-?\d+)(\.\d+)?)"]}, **source)
    write = "import sys; print('loss=1e-05'); open(sys.argv[1].split('=')[1], 'w').write('loss=1e-05')"
    made = experiment(python(write, "--log=/katib/m.log"), trials=1, metricsCollectorSpec=collecting)
    _, events = run(made, tmp_path / "a")
    notes = [event.message for event in events if isinstance(event, Note)]
    assert "is read as '1', because '(-?\\d+)(\\.\\d+)?' allows no exponent" in notes[0]
    told = "small-0001: loss is read as '1' in the line 'loss=1e-05', where '1e-05' stands; write ([0-9.eE+-]+) for the"
    assert any(note.startswith(told) for note in notes)
    with pytest.raises(RunError, match="allows no exponent"):
        run(made, tmp_path / "b", strict=True)


def test_a_metric_without_a_value_is_told_with_a_filter(tmp_path):
    made = experiment(sh("echo loss=0.5; echo acc: 0.75"), trials=2, objective={"additionalMetricNames": ["acc"]})
    _, events = run(made, tmp_path)
    notes = [event.message for event in events if isinstance(event, Note)]
    told = "small-0001: acc has no value; the line 'acc: 0.75' is not read, because it has ':' instead of '='; print "
    assert [note.startswith(told) for note in notes] == [True]
    assert r"or add this filter to metricsFormat: (acc)\s*:\s*(" in notes[0]


def test_as_katib_a_trial_whose_objective_is_no_number_succeeds(tmp_path):
    trial = one_trial(sh("echo loss=nan"), tmp_path, more={"as_katib": True})
    assert (trial.state, trial.objective, trial.metrics["loss"].latest) == ("Succeeded", None, "")
    assert status_of(tmp_path)["currentOptimalTrial"]["bestTrialName"] == "small-0001"


@pytest.mark.parametrize(
    ("format", "lines"),
    [
        ("TEXT", "loss=0.5\nloss=0.25\n"),
        ("JSON", '{"loss": "0.5"}\n{"loss": "0.25", "timestamp": "2024-05-06T07:08:09Z"}\n'),
    ],
)
def test_a_metrics_file_is_read_where_its_path_is_an_argument(tmp_path, format, lines):
    place = {"fileSystemPath": {"path": "/katib/metrics.log", "kind": "File", "format": format}}
    container = python(
        "import sys; open(sys.argv[1].split('=')[1], 'w').write(sys.argv[2])", "--log=/katib/metrics.log", lines
    )
    trial = one_trial(container, tmp_path, metricsCollectorSpec=collected("File", **place))
    assert trial.metrics["loss"][:3] == ("0.25", "0.5", "0.25")
    assert (tmp_path / "trials" / "small-0001" / "files" / "katib" / "metrics.log").read_text() == lines
    assert not Path("/katib").exists()


def test_a_metrics_file_that_nobody_wrote_fails_the_trial_as_on_katib(tmp_path):
    trial = one_trial(sh("echo loss=1"), tmp_path, metricsCollectorSpec=collected("File"))
    assert trial.state == "Failed"
    assert "used here for /var/log/katib/metrics.log:" in trial.message


def test_a_line_that_is_no_json_fails_the_trial_as_on_katib(tmp_path):
    place = {"fileSystemPath": {"path": "/katib/m.json", "kind": "File", "format": "JSON"}}
    container = sh("""echo '{"loss": "1"}' > /katib/m.json; echo oops >> /katib/m.json""")
    trial = one_trial(container, tmp_path, metricsCollectorSpec=collected("File", **place))
    assert trial.state == "Failed"
    assert "collector ends with an error" in trial.message


def test_a_program_may_be_told_the_folder_above_that_of_its_event_files(tmp_path):
    events = DATA / "events"
    objective = {"objectiveMetricName": "accuracy"}
    place = {"fileSystemPath": {"path": "/my-logs/test", "kind": "Directory"}}
    copy = "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2].split('=')[1] + '/test', dirs_exist_ok=True)"
    container = python(copy, str(events / "eval"), "--log-path=/my-logs")
    parts = {"objective": objective, "metricsCollectorSpec": collected("TensorFlowEvent", **place)}
    assert one_trial(container, tmp_path, **parts).metrics["accuracy"].latest == "0.8999999761581421"
    assert not Path("/my-logs").exists()


def test_event_files_are_read(tmp_path):
    events = DATA / "events"
    objective = {"objectiveMetricName": "train/loss", "additionalMetricNames": ["accuracy"]}
    place = {"fileSystemPath": {"path": "/logs", "kind": "Directory"}}
    container = sh(f"cp -r {events}/* /logs")
    trial = one_trial(
        container, tmp_path, objective=objective, metricsCollectorSpec=collected("TensorFlowEvent", **place)
    )
    assert trial.state == "Succeeded", trial.message
    assert trial.metrics["train/loss"][:3] == ("0.125", "0.5", "0.125")
    assert trial.metrics["accuracy"].latest == "0.8999999761581421"


# -- early stopping --------------------------------------------------------------------------------------------------


STOPPING = {
    "algorithmName": "medianstop",
    "algorithmSettings": [{"name": "min_trials_required", "value": "2"}, {"name": "start_step", "value": "2"}],
}


def test_a_trial_that_is_worse_than_the_others_is_stopped_early(tmp_path):
    script = """
    case $KATIB_TRIAL_NAME in *1|*2) loss=0.1;; *) loss=0.9;; esac
    echo loss=$loss; echo loss=$loss; sleep 5; echo loss=0.0001
    """.replace("sleep 5", "case $KATIB_TRIAL_NAME in *1|*2) ;; *) sleep 20;; esac")
    outcome, _ = run(experiment(sh(script.strip()), trials=4, earlyStopping=STOPPING), tmp_path)
    trials = trials_in(tmp_path)
    assert [trial.state for trial in trials] == ["Succeeded", "Succeeded", "EarlyStopped", "EarlyStopped"]
    assert trials[2].message == "stopped early by medianstop: loss greater than 0.1 after 2 reports"
    assert (trials[2].objective, trials[2].metrics["loss"].count) == (0.9, 2)
    assert (trials[2].duration or 99) < 5
    assert outcome.reason == "MaxTrialsReached"
    assert status_of(tmp_path)["earlyStoppedTrialList"] == ["small-0003", "small-0004"]


def test_values_that_are_no_numbers_do_not_spoil_the_rules(tmp_path):
    script = "echo loss=nan; echo loss=0.1; echo loss=0.1"
    outcome, _ = run(experiment(sh(script), trials=4, earlyStopping=STOPPING), tmp_path / "a")
    assert outcome.counts == {"Succeeded": 4}
    with pytest.raises(RunError, match="early stopping fails, and on Katib the Experiment hangs"):
        run(experiment(sh(script), trials=4, earlyStopping=STOPPING), tmp_path / "b", as_katib=True)


def test_texts_of_further_metrics_are_kept_as_katib_has_them(tmp_path):
    source = {"filter": {"metricsFormat": [r"(\w+)=(\S+)"]}}
    objective = {"additionalMetricNames": ["best"]}
    container = sh("echo loss=0.5 best=conv3x3; echo loss=0.25 best=pool")
    trial = one_trial(container, tmp_path, objective=objective, metricsCollectorSpec=collected("StdOut", **source))
    assert (trial.objective, trial.metrics["best"][:3]) == (0.25, ("unavailable", "unavailable", "pool"))


def test_rules_are_made_of_earlier_runs_too(tmp_path):
    script = "echo loss=$BASE; echo loss=$BASE; test $BASE = 0.1 || sleep 20"
    run(experiment(sh(script), trials=2, earlyStopping=STOPPING), tmp_path, options=Options(env={"BASE": "0.1"}))
    run(experiment(sh(script), trials=3, earlyStopping=STOPPING), tmp_path, options=Options(env={"BASE": "0.9"}))
    assert [trial.state for trial in trials_in(tmp_path)] == ["Succeeded", "Succeeded", "EarlyStopped"]


# -- what ends it ----------------------------------------------------------------------------------------------------


def conditions(status: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["type"], each["status"], each["reason"]) for each in status["conditions"]]


@pytest.mark.parametrize(
    ("script", "parts", "state", "reason", "katib", "message"),
    [
        ("echo loss=0.5", {"objective": {"goal": 0.5}}, "Succeeded", "GoalReached", "ExperimentGoalReached", "goal"),
        ("exit 1", {"maxFailedTrialCount": 2}, "Failed", "MaxFailedReached", "ExperimentFailed", "max failed"),
        ("echo acc=1", {"maxFailedTrialCount": 2}, "Failed", "MaxFailedReached", "ExperimentFailed", "max failed"),
        ("echo loss=1", {}, "Succeeded", "MaxTrialsReached", "ExperimentMaxTrialsReached", "max trial"),
    ],
)
def test_goal_failures_and_budget_end_it_in_katib_s_order(tmp_path, script, parts, state, reason, katib, message):
    outcome, _ = run(experiment(sh(script), trials=4, **parts), tmp_path)
    assert (outcome.state, outcome.reason) == (state, reason)
    status = status_of(tmp_path)
    assert conditions(status) == [
        ("Created", "True", "ExperimentCreated"),
        ("Running", "False", "ExperimentRunning"),
        (state, "True", katib),
    ]
    assert message in status["conditions"][-1]["message"]
    assert status["completionTime"] >= status["startTime"]


def test_a_trial_that_takes_too_long_is_stopped_at_its_deadline(tmp_path):
    trial = one_trial(sh("echo loss=1; sleep 60"), tmp_path, job={"activeDeadlineSeconds": 1})
    assert trial.state == "Failed"
    assert trial.message.startswith("ran longer than activeDeadlineSeconds (1 s)")
    assert (trial.duration or 99) < 5


def test_budgets_grow_and_nothing_is_repeated(tmp_path):
    run(experiment(trials=2), tmp_path)
    before = trials_in(tmp_path)
    outcome, _ = run(experiment(trials=4), tmp_path)
    assert outcome.counts == {"Succeeded": 4}
    assert trials_in(tmp_path)[:2] == before
    with pytest.raises(StoreError, match=r"(?s)the Experiment 'small' has changed:.*space"):
        run(
            experiment(
                trials=4,
                parameters=[LR | {"feasibleSpace": {"min": "0", "max": "1"}}, *experiment()["spec"]["parameters"][1:]],
            ),
            tmp_path,
        )


@pytest.mark.nightly  # tests/crash aims kills at the same
def test_a_run_that_is_killed_goes_on_and_loses_no_finished_trial(tmp_path):
    place, folder, ledger = tmp_path / "experiment.json", tmp_path / "runs", tmp_path / "ledger"
    script = f"echo $KATIB_TRIAL_NAME >> {ledger}; sleep 0.1; echo loss=$LR"
    place.write_text(json.dumps(experiment(sh(script), trials=30, parallelTrialCount=2)))
    command = [sys.executable, str(SUPPORT.joinpath("local_experiment.py")), str(place), str(folder)]
    before: dict[int, Any] = {}
    for kills in range(4):
        runner = subprocess.Popen(command)
        least = len(before) + 3
        wait_until(lambda least=least: len(stored_rows(folder)) >= least)
        runner.send_signal(signal.SIGKILL)
        runner.wait()
        after = stored_rows(folder)
        assert {number: after.get(number) for number in before} == before, f"kill {kills} lost a finished trial"
        before = after
    with open_results(folder) as results:
        found = experiment_with_status(results)
    assert found is not None
    assert conditions(found["status"])[-1] == ("Running", "True", "ExperimentRunning")
    assert subprocess.run(command, check=False).returncode == 0
    trials = trials_in(folder)
    assert {trial.state for trial in trials} == {"Succeeded"}
    assert len(trials) == len({tuple(trial.assignment.items()) for trial in trials}) == 30
    starts = ledger.read_text().split()
    assert max(map(starts.count, {trial.name for trial in trials})) <= 5
    run(experiment(sh(script), trials=30), tmp_path / "undisturbed")
    assert [trial.assignment for trial in trials] == [trial.assignment for trial in trials_in(tmp_path / "undisturbed")]


def pids_in(folder: Path) -> list[int]:
    try:
        return [trial.pid for trial in trials_in(folder) if trial.pid]
    except StoreError:  # it has not begun yet
        return []


def test_an_interrupt_stops_the_trials_and_the_next_run_starts_them_again(tmp_path):
    place, folder = tmp_path / "experiment.json", tmp_path / "runs"
    script = f"test -e {tmp_path}/go || sleep 60; echo loss=1"
    place.write_text(json.dumps(experiment(sh(script), trials=2, parallelTrialCount=2)))
    command = [sys.executable, str(SUPPORT.joinpath("local_experiment.py")), str(place), str(folder)]
    runner = subprocess.Popen(command)
    wait_until(lambda: len(pids_in(folder)) == 2)
    pids = pids_in(folder)
    runner.send_signal(signal.SIGINT)
    assert runner.wait() == 130
    assert not any(map(is_alive, pids))
    with open_results(folder) as results:
        found = experiment_with_status(results)
    assert found is not None
    assert found["status"]["pendingTrialList"] == ["small-0001", "small-0002"]
    (tmp_path / "go").touch()
    assert subprocess.run(command, check=False).returncode == 0
    assert [(trial.state, trial.attempt) for trial in trials_in(folder)] == [("Succeeded", 2)] * 2


# -- Katib's shell line ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("container", "state", "strictly"),
    [
        (sh("echo loss=1"), "Succeeded", "Succeeded"),
        (python("print('loss=1')"), "Succeeded", "Failed"),
        (sh("echo loss=1\n"), "Succeeded", "MetricsUnavailable"),
        (sh("echo loss=1; echo done"), "Succeeded", "MetricsUnavailable"),
        (sh("exec echo loss=1"), "Succeeded", "Failed"),
        ({"command": ["/bin/sh", "-c"], "args": ["echo loss=1"]}, "Succeeded", "MetricsUnavailable"),
    ],
    ids=["fit", "quotes", "newline", "sequence", "exec", "bin-sh"],
)
def test_the_shell_line_that_katib_makes_breaks_commands_only_when_asked_to(tmp_path, container, state, strictly):
    assert one_trial(container, tmp_path / "a").state == state
    assert one_trial(container, tmp_path / "b", options=Options(strict_wrapper=True)).state == strictly


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([*PRINT_ARGUMENTS, '--lr="${trialParameters.lr}"', "--name='a b'"], ["--lr=0.05", "--name=a b"]),
        ([*PRINT_ARGUMENTS, "--lr=\\${trialParameters.lr}", r"--regex=\d+"], ["--lr=0.05", r"--regex=\d+"]),
        ([*PRINT_ARGUMENTS, "--lr=${trialParameters.lr} --opt=sgd"], ["--lr=0.05", "--opt=sgd"]),
        ([f"python -c '{PRINT_ARGUMENTS[-1]}' --lr=${{trialParameters.lr}}"], ["--lr=0.05"]),
        ([*PRINT_ARGUMENTS, '--json={"a": 1}', "--name=a b"], ['--json={"a": 1}', "--name=a b"]),
    ],
    ids=["quotes", "backslash", "options", "line", "as-written"],
)
def test_what_was_written_for_katib_s_shell_line_reaches_the_program_as_there(tmp_path, command, words):
    fixed = {**LR, "feasibleSpace": {"min": "0.05", "max": "0.05"}}
    trial = one_trial({"command": command}, tmp_path, parameters=[fixed, UNITS, OPT])
    assert log_of(tmp_path, trial).splitlines()[0] == repr(words)


# -- volumes ---------------------------------------------------------------------------------------------------------


def test_volumes_are_folders_of_the_trial_or_those_that_are_given(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "loss").write_text("0.125")
    volumes = [{"name": "work", "emptyDir": {}}, {"name": "data", "persistentVolumeClaim": {"claimName": "d"}}]
    mounts = [{"name": "work", "mountPath": "/work"}, {"name": "data", "mountPath": "/mnt/data"}]
    container = {**sh("cp /mnt/data/loss /work/copy; echo loss=$(cat /work/copy)"), "volumeMounts": mounts}
    trial = one_trial(container, tmp_path / "runs", pod={"volumes": volumes}, options=Options(mounts={"data": data}))
    assert trial.objective == 0.125
    assert (tmp_path / "runs" / "trials" / "small-0001" / "work" / "copy").exists()
    _, events = run(experiment(container, pod={"volumes": volumes}, trials=1), tmp_path / "without")
    notes = [event.message for event in events if isinstance(event, Note)]
    assert "the volume data (persistentVolumeClaim) is not here; a trial finds nothing at /mnt/data (--mount)" in notes
    with pytest.raises(RunError, match=r"'dta' is neither; its volumes are: work, data"):
        one_trial(container, tmp_path / "wrong", pod={"volumes": volumes}, options=Options(mounts={"dta": data}))


def test_gpus_are_shared_out(tmp_path):
    limits = {"limits": {"nvidia.com/gpu": 1}}
    container = {**sh("echo $CUDA_VISIBLE_DEVICES; echo loss=1; sleep 0.2"), "resources": limits}
    an_experiment = experiment(container, trials=3, parallelTrialCount=3)
    _, events = run(an_experiment, tmp_path, options=Options(gpus=("0", "1")))
    seen = [log_of(tmp_path, trial).splitlines()[0] for trial in trials_in(tmp_path)]
    assert sorted(seen[:2]) == ["0", "1"]
    assert any("2 of 3 trials at once" in event.message for event in events if isinstance(event, Note))
