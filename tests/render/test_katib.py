"""A study as an Experiment: what stands in it, what it says beside it, and what it refuses."""

from __future__ import annotations

import copy
import os
import subprocess
import sys

import pytest
from kubeflow_katib_api.models import V1beta1Experiment
from render_examples import ALGORITHMS, VERSIONS, Plain, make_study, parameters_of, study_of

from kftune import yaml_text
from kftune.domains import IntUniform, LogUniform, Uniform
from kftune.errors import RenderError, UnknownNameError
from kftune.hparams import Hparam, Hparams
from kftune.metrics import METRIC_FORMAT
from kftune.render import TARGETS, render
from kftune.study import Study

STEP = {
    "name": "fit",
    "image": "registry.example/plain:1",
    "module": "plain.train",
    "resources": {"cpu": 2, "memory": "4Gi", "gpu": 1},
}


def experiment_of(**parts):
    return render(make_study(**parts)).documents[0]


def notes_of(**parts):
    return render(make_study(**parts)).notes


def test_a_study_becomes_the_experiment_that_runs_it():
    experiment = experiment_of(
        name="plain",
        objective={"metric": "val/loss", "direction": "minimize", "goal": 0.01},
        metrics=["val_mae", {"name": "epoch_s", "reduce": "max"}],
        algorithm={"name": "tpe", "seed": 7, "settings": {"gamma": 0.25, "n_EI_candidates": 24, "prior_weight": 1e-5}},
        budget={"max_trials": 20, "parallel": 3, "max_failed": 4, "trial_timeout": "30m"},
        values={"epochs": 5},
        step=STEP,
        katib={"namespace": "team-a", "labels": {"team": "a"}, "annotations": {"note": "x"}},
    )
    assert experiment == {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": "plain", "namespace": "team-a", "labels": {"team": "a"}, "annotations": {"note": "x"}},
        "spec": {
            "objective": {
                "type": "minimize",
                "goal": 0.01,
                "objectiveMetricName": "val/loss",
                "additionalMetricNames": ["val_mae", "epoch_s"],
                "metricStrategies": [
                    {"name": "val/loss", "value": "min"},
                    {"name": "val_mae", "value": "latest"},
                    {"name": "epoch_s", "value": "max"},
                ],
            },
            "algorithm": {
                "algorithmName": "tpe",
                "algorithmSettings": [
                    {"name": "gamma", "value": "0.25"},
                    {"name": "n_EI_candidates", "value": "24"},
                    {"name": "prior_weight", "value": "0.00001"},
                    {"name": "random_state", "value": "7"},
                ],
            },
            "parallelTrialCount": 3,
            "maxTrialCount": 20,
            "maxFailedTrialCount": 4,
            "resumePolicy": "Never",
            "metricsCollectorSpec": {
                "collector": {"kind": "StdOut"},
                "source": {"filter": {"metricsFormat": [METRIC_FORMAT]}},
            },
            "parameters": [
                {
                    "name": "lr",
                    "parameterType": "double",
                    "feasibleSpace": {"min": "0.0001", "max": "0.01", "distribution": "logUniform"},
                },
                {
                    "name": "units",
                    "parameterType": "categorical",
                    "feasibleSpace": {"distribution": "uniform", "list": ["32", "64", "128"]},
                },
                {
                    "name": "dropout",
                    "parameterType": "double",
                    "feasibleSpace": {"distribution": "uniform", "min": "0", "max": "0.5"},
                },
            ],
            "trialTemplate": {
                "retain": False,
                "primaryContainerName": "fit",
                "successCondition": 'status.conditions.#(type=="Complete")#|#(status=="True")#',
                "failureCondition": 'status.conditions.#(type=="Failed")#|#(status=="True")#',
                "trialParameters": [
                    {"name": "lr", "description": "Step size of Adam.", "reference": "lr"},
                    {"name": "units", "description": "Width.", "reference": "units"},
                    {"name": "dropout", "reference": "dropout"},
                ],
                "trialSpec": {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "spec": {
                        "backoffLimit": 0,
                        "template": {
                            "metadata": {"annotations": {"sidecar.istio.io/inject": "false"}},
                            "spec": {
                                "restartPolicy": "Never",
                                "activeDeadlineSeconds": 1800,
                                "automountServiceAccountToken": False,
                                "containers": [
                                    {
                                        "name": "fit",
                                        "image": "registry.example/plain:1",
                                        "command": ["sh", "-c"],
                                        "args": [
                                            "python -m plain.train --lr=${trialParameters.lr} "
                                            "--units=${trialParameters.units} "
                                            "--dropout=${trialParameters.dropout} --epochs=5"
                                        ],
                                        "resources": {
                                            "requests": {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "1"},
                                            "limits": {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "1"},
                                        },
                                        "securityContext": {
                                            "runAsNonRoot": True,
                                            "allowPrivilegeEscalation": False,
                                            "capabilities": {"drop": ["ALL"]},
                                            "seccompProfile": {"type": "RuntimeDefault"},
                                        },
                                    }
                                ],
                            },
                        },
                    },
                },
            },
        },
    }


@pytest.mark.parametrize("kind", ["Job", "PyTorchJob", "TrainJob"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_katibs_own_model_reads_an_experiment_and_loses_no_key(algorithm, kind):
    study = study_of(
        {"x": IntUniform(1, 60), "y": IntUniform(1, 20), "z": IntUniform(2, 4)}, algorithm, trial_kind=kind
    )
    experiment = render(study).documents[0]
    model = V1beta1Experiment.from_dict(copy.deepcopy(experiment))
    assert model.model_dump(by_alias=True, exclude_none=True) == experiment
    assert yaml_text.load(yaml_text.dump(experiment)) == experiment


def test_rendering_twice_gives_equal_documents_that_share_nothing():
    study = make_study(
        step={**STEP, "volumes": [{"name": "v", "mount": "/v", "claim": "c"}]}, katib={"labels": {"a": "b"}}
    )
    first, second = render(study), render(study)
    assert first == second
    scrambled(first.documents[0])
    assert second == render(study)


def scrambled(part):
    """Empties every dict and list there is, the innermost first."""
    for inner in part.values() if isinstance(part, dict) else part:
        if isinstance(inner, (dict, list)):
            scrambled(inner)
    part.clear()


def test_rendering_is_the_same_in_another_process_whatever_its_environment():
    code = (
        "from kftune import yaml_text;from kftune.render import render;from render_examples import make_study;"
        "print(yaml_text.dump(render(make_study()).documents[0]))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": os.pathsep.join(sys.path),
                "LC_ALL": "C",
            },
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    assert texts == {yaml_text.dump(experiment_of()) + "\n"}


def test_no_module_of_a_cluster_or_of_training_is_imported_for_a_render():
    code = "import sys;from render_examples import make_study;from kftune.render import render;render(make_study());"
    code += "print([name for name in ('torch', 'kfp', 'kubernetes', 'optuna', 'numpy') if name in sys.modules])"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"


def test_an_unknown_target_is_refused_with_the_known_ones():
    assert list(TARGETS) == ["katib"]
    with pytest.raises(UnknownNameError, match="unknown target 'katip'; did you mean 'katib'"):
        render(make_study(), "katip")


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "kind", "nodes", "longest"),
    [
        ("random", "Job", 1, 40),
        ("random", "PyTorchJob", 2, 40),
        ("random", "TrainJob", 1, 39),
        ("random", "TrainJob", 11, 38),
        ("pbt", "Job", 1, 26),
        ("pbt", "PyTorchJob", 2, 17),
    ],
)
def test_names_leave_room_for_those_of_trials_and_pods(algorithm, kind, nodes, longest):
    def render_with_name_of(length):
        domains = {"x": Uniform(0, 1)}
        return render(study_of(domains, algorithm, nodes=nodes, trial_kind=kind, name="x" * length)).documents[0]

    assert render_with_name_of(longest)["metadata"]["name"] == "x" * longest
    with pytest.raises(
        RenderError, match=rf"targets.katib.name must be at most {longest} .*\({longest + 1} characters\)"
    ):
        render_with_name_of(longest + 1)


def test_any_study_name_becomes_an_experiment_name():
    assert experiment_of(name="Circuits / LSTM: été")["metadata"]["name"].startswith("circuits-lstm-ete-")


# -- metrics -----------------------------------------------------------------------------------------------------------


def test_a_metric_of_a_scripts_own_format_gets_the_name_that_stands_in_the_log():
    study = make_study(
        objective={"metric": "val_loss", "direction": "minimize", "regex": r"epoch \d+, val loss: ([0-9.eE+-]+)"},
        metrics=["mae"],
    )
    rendering = render(study)
    spec = rendering.documents[0]["spec"]
    assert spec["objective"]["objectiveMetricName"] == "val loss"
    assert [strategy["name"] for strategy in spec["objective"]["metricStrategies"]] == ["val loss", "mae"]
    formats = spec["metricsCollectorSpec"]["source"]["filter"]["metricsFormat"]
    assert formats[-1] == r"epoch \d+, (val loss): ([0-9.eE+-]+)"
    assert "Katib calls the metric 'val_loss' 'val loss', as the log does" in rendering.notes


def test_a_metric_that_katib_cannot_find_is_refused():
    with pytest.raises(RenderError, match="Katib takes a metric's name from the line"):
        experiment_of(objective={"metric": "loss", "direction": "minimize", "regex": r"^([0-9.]+)$"})


# -- counts ------------------------------------------------------------------------------------------------------------


def test_all_counts_are_written_out():
    spec = experiment_of(budget={"max_trials": 1})["spec"]
    assert (spec["parallelTrialCount"], spec["maxTrialCount"], spec["maxFailedTrialCount"]) == (1, 1, 1)
    spec = experiment_of(budget={"max_trials": 5, "parallel": 5, "max_failed": 0})["spec"]
    assert (spec["parallelTrialCount"], spec["maxTrialCount"], spec["maxFailedTrialCount"]) == (5, 5, 0)


def test_a_grid_gets_as_many_trials_as_it_has_points():
    study = make_study(
        algorithm={"name": "grid"},
        search={"lr": None, "dropout": None},
        budget={"max_trials": 50, "parallel": 4, "max_failed": 5},
    )
    rendering = render(study)
    spec = rendering.documents[0]["spec"]
    assert (spec["parallelTrialCount"], spec["maxTrialCount"], spec["maxFailedTrialCount"]) == (3, 3, 3)
    assert "the grid has 3 points, fewer than max_trials=50" in rendering.notes
    assert "3 trial(s) at once, not budget.parallel=4: there are no more trials" in rendering.notes
    assert "budget.max_failed=5 counts as 3: there are no more trials" in rendering.notes


def test_a_grid_that_katib_would_not_finish_is_refused():
    with pytest.raises(RenderError, match=r"stops at about 5000 points, but x x y has 5100; make the grid smaller"):
        render(study_of({"x": IntUniform(1, 100), "y": IntUniform(1, 51)}, "grid"))


def test_trials_that_cannot_end_before_their_timeout_are_refused():
    study = make_study(targets={"katib": {"min_runtime": "1m"}}, budget={"trial_timeout": "1m"})
    with pytest.raises(RenderError, match=r"but targets\.katib\.min_runtime is 60s and budget\.trial_timeout is 60s"):
        render(study)


def hyperband(settings, max_trials, parallel, epochs="{int: [1, 27]}"):
    return make_study(
        search={"epochs": yaml_text.load(epochs)} if epochs else {},
        algorithm={"name": "hyperband", "settings": {"resource_name": "epochs", **settings}},
        budget={"max_trials": max_trials, "parallel": parallel},
    )


@pytest.mark.parametrize(
    ("settings", "trials", "resource"),
    [
        ({"r_l": 9}, 9, 1),
        ({"r_l": 8, "eta": 2}, 8, 1),
        ({"r_l": 2}, 1, 2),
        ({"r_l": 5, "eta": 2}, 4, 1),
        ({"r_l": 9, "eta": 2.5}, 8, 1),
    ],
)
def test_hyperband_runs_its_first_bracket(settings, trials, resource):
    rendering = render(hyperband(settings, trials, trials))
    assert parameters_of(rendering.documents[0])["epochs"]["feasibleSpace"] == {
        "distribution": "uniform",
        "min": "1",
        "max": "27",
    }
    assert f"Katib's hyperband ends after its first bracket: every trial runs with epochs={resource}" in rendering.notes


@pytest.mark.parametrize(
    ("study", "message"),
    [
        (
            hyperband({"r_l": 9}, 20, 3),
            "first bracket of 9 trials; it hangs with max_trials=20 and parallel=3; set both to 9",
        ),
        (hyperband({"r_l": 9}, 8, 8), "set both to 9, or algorithm.name to multivariate-tpe"),
        (
            hyperband({"r_l": 9}, 9, 9, ""),
            "sets its resource 'epochs' itself, so that must be searched, but only lr, units",
        ),
        (
            hyperband({"r_l": 9}, 9, 9, "{int: [5, 9]}"),
            "would set epochs to 1 in its first bracket, which is not in IntUni",
        ),
        (hyperband({"r_l": 0.5}, 9, 9), "needs r_l of at least 1, but got 0.5"),
    ],
)
def test_hyperband_that_would_hang_is_refused(study, message):
    with pytest.raises(RenderError) as caught:
        render(study)
    assert message in str(caught.value)


def test_hyperband_takes_a_resource_with_a_logarithmic_domain():
    assert render(hyperband({"r_l": 9}, 9, 9, "{int: [1, 9], log: true}")).documents


# -- algorithms --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_seed_reaches_the_engines_that_take_one_and_others_are_told(algorithm, version):
    domains = {"x": IntUniform(1, 30), "y": IntUniform(1, 30)}
    rendering = render(study_of(domains, algorithm, seed=11, version=version))
    settings = rendering.documents[0]["spec"]["algorithm"].get("algorithmSettings", [])
    seeded = {"name": "random_state", "value": "11"} in settings
    assert seeded == (algorithm not in ("sobol", "hyperband", "pbt"))
    assert any("the seed 11 has no effect" in note for note in rendering.notes) != seeded


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"acq_func": "EIps"}, "acq_func EIps needs each trial's run time"),
        (
            {"acq_optimizer": "lbfgs", "base_estimator": "RF"},
            "acq_optimizer lbfgs needs base_estimator GP, but that is RF",
        ),
    ],
)
def test_settings_with_which_bayesianoptimization_hangs_are_refused(settings, message):
    with pytest.raises(RenderError, match=message):
        experiment_of(algorithm={"name": "bayesianoptimization", "settings": settings})


def test_population_based_training_gets_the_volume_that_it_needs():
    rendering = render(study_of({"x": Uniform(0, 1)}, "pbt"))
    assert rendering.documents[0]["spec"]["resumePolicy"] == "FromVolume"
    assert any("resumePolicy: FromVolume" in note for note in rendering.notes)


# -- notes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "note"),
    [
        ({"points": [{"lr": 0.001}]}, "Katib takes no points to try first"),
        ({"apply": {"to": "config.yaml"}}, "apply is for runs on this machine"),
        (
            {"budget": {"max_trials": 1, "parallel": 2}},
            "1 trial(s) at once, not budget.parallel=2: there are no more trials",
        ),
        (
            {"budget": {"wall_clock": "4h"}},
            "Katib cannot limit a study's time; wall_clock (14400s) applies to local runs",
        ),
        (
            {"budget": {"metrics_per_trial": 100}},
            "Katib keeps every report of a trial; metrics_per_trial applies to local runs only",
        ),
        (
            {"objective": {"metric": "loss", "direction": "minimize", "goal": 1}, "budget": {"parallel": 2}},
            "Katib does not stop running trials when the goal is reached",
        ),
        (
            {"algorithm": {"name": "tpe"}, "budget": {"parallel": 3}},
            "Katib's tpe suggests the same point 3 times when it is asked for 3 points; use multivariate-tpe",
        ),
        (
            {"algorithm": {"seed": 1}, "budget": {"parallel": 2}},
            "Katib repeats the points of a seed only with parallel: 1",
        ),
        ({"search": {"label": {"choice": ["a", "b c"]}}}, "label: values such as 'b c' are encoded as safe tokens"),
        ({"search": {"label": {"choice": ["a", "b c"]}}}, "the step must read its arguments with Hparams.from_args"),
        (
            {"search": {"lr": {"loguniform": [1e-4, 1e-2]}}, "algorithm": {"name": "sobol"}},
            "lr is encoded as a number that the trial decodes; sobol: this engine draws 'lr' uniform, not logUniform",
        ),
        (
            {"objective": {"metric": "loss", "direction": "minimize", "reduce": "latest"}},
            "Katib passes over nan and infinity, so that the value before them counts as the latest",
        ),
        ({}, "the container must not run as root: its image needs a numeric USER"),
    ],
)
def test_a_note_says_what_goes_out_otherwise_and_what_katib_cannot_do(parts, note):
    assert any(note in given for given in notes_of(**parts))


def test_a_study_without_surprises_has_one_note():
    assert len(notes_of()) == 1


class Adam(Hparams):
    lr: float = Hparam(1e-3, search=LogUniform(1e-4, 1e-2))


class Nested(Hparams):
    optimizer: Adam = Adam()


def test_a_nested_name_keeps_its_dots():
    experiment = experiment_of(hparams=Nested)
    template = experiment["spec"]["trialTemplate"]
    assert template["trialParameters"] == [{"name": "optimizer.lr", "reference": "optimizer.lr"}]
    container = template["trialSpec"]["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == ["train --optimizer.lr=${trialParameters.optimizer.lr}"]


def test_a_step_without_an_image_is_refused():
    with pytest.raises(RenderError, match=r"a cluster needs an image for the trials; set step\.image of the study"):
        experiment_of(step={"command": ["train"]})


def test_fixed_values_of_the_class_are_not_searched():
    assert "epochs" not in parameters_of(experiment_of(values={"epochs": 3}))
    assert Plain().epochs == 30


def listing(length: int) -> Study:
    return study_of({"x": {"choice": [f"{index:0{length}}" for index in range(4_000)]}})


def test_an_experiment_that_no_cluster_could_store_is_refused_with_what_makes_it_so():
    with pytest.raises(RenderError, match=r"at most 1572864; search fewer of the 4000 values of x, or split them"):
        render(listing(400))


def test_an_experiment_that_plain_apply_could_not_store_says_so():
    assert any("kubectl apply --server-side" in note for note in render(listing(100)).notes)
    assert not any("--server-side" in note for note in render(listing(20)).notes)
