"""What the package offers, what it costs to import, and the defaults that people rely on."""

from __future__ import annotations

import importlib.util
import inspect
import os
import subprocess
import sys

import pytest
from pydantic import BaseModel

import kftune
from kftune import Hparam, Hparams, domains, errors
from kftune.study import Algorithm, Budget, KatibTarget, MetricSpec, Objective, Resources, Step, Toleration, Volume

HEAVY = {
    *("torch", "numpy", "scipy", "pandas", "optuna", "rich", "kubernetes", "kfp", "jinja2", "plotly", "omegaconf"),
    *("pydantic", "pydantic_core", "yaml"),
}


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh process has after running `code`."""
    asked = f"{code}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    environment = {name: value for name, value in os.environ.items() if name != "COVERAGE_PROCESS_START"}
    done = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_every_name_of_all_is_there_and_no_other_is_offered():
    for name in kftune.__all__:
        assert getattr(kftune, name) is not None
    assert sorted(kftune.__all__) == sorted(set(kftune.__all__))
    assert set(kftune.__all__) <= set(dir(kftune))
    assert set(kftune._HOME_OF) | {"__version__"} == set(kftune.__all__)
    with pytest.raises(AttributeError, match="module 'kftune' has no attribute 'Hparms'"):
        kftune.Hparms  # noqa: B018
    assert not hasattr(kftune, "__wrapped__")


def test_no_module_hides_a_public_name():
    # The import of a module sets the package's attribute of that name. The module kftune.render can be called.
    hidden = {name for name in kftune.__all__ if importlib.util.find_spec(f"kftune.{name}") is not None}
    assert hidden <= {"render"}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("log_metric", "report metrics with kftune.report(val_loss=0.31)"),
        ("fit", "from kftune.training import fit trains a typed model; kftune train MODEL trains one by its name"),
        (
            "optimize",
            "run a study with kftune.tune('study.yaml'), or a function of hyperparameters with kftune.tune(objective)",
        ),
        ("suggest_float", "a script gets its values from its class: hparams = MyHparams.from_args()"),
        ("Pipeline", "pipelines are in kftune.pipeline"),
        ("ModelHparams", "typed models are in kftune.training"),
        ("ModelHyperparameters", "from kftune.hparams import ModelHyperparameters"),
        ("outputs", "it is a module: import kftune.outputs"),
        ("loguniform", "did you mean 'LogUniform'?"),
        ("Hparms", "did you mean 'Hparams' or 'Hparam'?"),
    ],
)
def test_a_name_that_is_not_here_is_answered_with_where_it_is(name, hint):
    code = f"import kftune\ntry: kftune.{name}\nexcept AttributeError as error: print(error)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == f"module 'kftune' has no attribute '{name}'; {hint}\n"


def test_the_modules_that_hints_name_have_what_they_promise():
    from kftune import local, pipeline, results
    from kftune.hparams.registry import load_hparams
    from kftune.render import render, render_pipeline

    assert all(map(callable, (local.run_study, render, render_pipeline, results.open_results, load_hparams)))
    promised = [name for name, hint in kftune._ELSEWHERE.items() if hint == "pipelines are in kftune.pipeline"]
    assert [name for name in promised if not hasattr(pipeline, name)] == []


def test_names_come_from_where_they_live():
    values = [getattr(kftune, name) for name in kftune.__all__]
    for value in filter(lambda value: inspect.isclass(value) or inspect.isfunction(value), values):
        assert value.__module__.startswith("kftune.")
        assert value.__doc__
    assert {name for name in domains.__all__ if name[0].isupper()} <= set(kftune.__all__)
    assert kftune.KftuneError is errors.KftuneError


@pytest.mark.parametrize(
    ("code", "unloaded"),
    [
        ("import kftune", HEAVY),
        ("import kftune.metrics", HEAVY),
        ("from kftune import report; report(step=1, val_loss=0.5)", HEAVY),
        ("import kftune.errors", HEAVY),
        ("from kftune import Choice, LogUniform, IntUniform; LogUniform(1e-4, 1).quantile(0.5)", HEAVY),
        ("from kftune import Hparam, Hparams", HEAVY - {"pydantic", "pydantic_core"}),
        ("from kftune import HPARAMS_REGISTRY, register", HEAVY - {"pydantic", "pydantic_core"}),
        (
            "from kftune.hparams.models.lstm import LstmHparams; LstmHparams.from_args(['--lstm_units=32']).to_args()",
            HEAVY - {"pydantic", "pydantic_core"},
        ),
        ("import kftune.study", HEAVY - {"pydantic", "pydantic_core"}),
        ("from kftune import load_study", HEAVY - {"pydantic", "pydantic_core", "yaml"}),
    ],
)
def test_an_import_loads_no_more_than_it_needs(code, unloaded):
    assert modules_after(code) & unloaded == set()


def test_importing_the_package_loads_none_of_its_modules_but_the_version():
    asked = "import sys, kftune; print(*sorted(name for name in sys.modules if name.startswith('kftune.')))"
    assert subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.split() == [
        "kftune._version"
    ]


@pytest.mark.parametrize(
    ("part", "defaults"),
    [
        (Budget, {"max_trials": 10, "parallel": 1, "max_failed": None, "trial_timeout": None, "wall_clock": None}),
        (Algorithm, {"name": "multivariate-tpe", "seed": None, "settings": {}}),
        (Objective, {"goal": None, "reduce": None, "regex": None}),
        (MetricSpec, {"reduce": "latest", "regex": None}),
        (
            Resources,
            {
                **{"cpu": None, "memory": None, "gpu": 0, "gpu_resource": "nvidia.com/gpu", "gpu_type": None},
                **{"nodes": 1, "procs_per_node": 1},
            },
        ),
        (
            Step,
            {
                **{"name": "train", "image": None, "module": None, "command": (), "args": (), "working_dir": None},
                **{"env": {}, "secrets": {}, "resources": Resources(), "volumes": (), "node_selector": {}},
                **{"tolerations": (), "service_account": None, "grace_period": 30.0},
            },
        ),
        (Volume, {"claim": None, "config_map": None, "secret": None, "empty_dir": False, "read_only": False}),
        (Toleration, {"key": None, "operator": "Equal", "value": None, "effect": None}),
        (
            KatibTarget,
            {
                **{"version": "0.19", "namespace": None, "name": None, "encoding": "auto", "trial_kind": "Job"},
                **{"runtime": "torch-distributed", "retain": False, "resume_policy": "Never", "labels": {}},
            },
        ),
    ],
)
def test_defaults_of_a_study_are_pinned(part, defaults):
    declared = {
        name: field.get_default(call_default_factory=True, validated_data={})
        for name, field in part.model_fields.items()
        if not field.is_required()
    }
    assert {name: declared[name] for name in defaults} == defaults


def test_three_failures_end_a_study_unless_it_has_fewer_trials():
    assert Budget().failures_allowed == 3
    assert Budget(max_trials=2).failures_allowed == 2
    assert Budget(max_failed=0).failures_allowed == 0


def test_the_signature_of_hparam_is_pinned():
    assert list(inspect.signature(Hparam).parameters) == [
        *("default", "gt", "ge", "lt", "le", "description", "search", "default_factory")
    ]


def test_the_methods_of_hparams_are_pinned():
    own = {name for name in set(dir(Hparams)) - set(dir(BaseModel)) if not name.startswith("_")}
    assert own == {
        *("from_dict", "from_yaml", "from_config", "from_assignments", "from_args", "from_namespace", "override"),
        *("to_dict", "to_yaml", "to_flat", "to_assignments", "to_args", "diff", "content_hash", "help_text"),
        *("add_to_argparse", "leaves", "leaf", "space", "keys", "values", "items", "get", "own_error"),
    }


def test_a_version_is_there():
    assert kftune.__version__.count(".") == 2
