"""Studies to render: one class of hyperparameters with a field of every kind, and a study around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kftune.domains import Choice, LogUniform, Uniform
from kftune.hparams import Hparam, Hparams
from kftune.study import Study, study_from_dict


class Plain(Hparams):
    """The class of most studies."""

    lr: float = Hparam(1e-3, gt=0, search=LogUniform(1e-4, 1e-2))
    """Step size
    of Adam."""
    units: int = Hparam(64, ge=1, search=Choice(32, 64, 128))
    """Width."""
    dropout: float = Hparam(0.1, ge=0, le=1, search=Uniform(0, 0.5))
    epochs: int = 30
    label: str = "x"


class Loose(Hparams):
    """Fields that accept any value of a domain."""

    x: Any = None
    y: Any = None
    z: Any = None
    optimizer: str = "adam"
    epochs: int = 3


# Settings that Katib requires for the algorithm.
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "hyperband": {"r_l": 9, "eta": 3, "resource_name": "epochs"},
    "pbt": {"suggestion_trial_dir": "/checkpoints", "n_population": 5, "truncation_threshold": 0.2},
}
ALGORITHMS = (
    *("random", "grid", "tpe", "multivariate-tpe", "bayesianoptimization"),
    *("cmaes", "sobol", "hyperband", "pbt"),
)
VERSIONS = ("0.18", "0.19", "main")
ENCODINGS = ("auto", "native", "encoded")


def make_study(**parts: Any) -> Study:
    """Returns a study of `Plain`; each given part replaces the default, `katib` the options of the target."""
    katib = parts.pop("katib", {})
    data: dict[str, Any] = {
        "name": "plain",
        "hparams": Plain,
        "objective": {"metric": "loss", "direction": "minimize"},
        "step": {"image": "registry.example/plain:1", "command": ["train"]},
        "targets": {"katib": katib},
    }
    return study_from_dict({**data, **parts})


def study_of(
    domains: Mapping[str, Any], algorithm: str = "random", *, seed: int | None = None, nodes: int = 1, **katib: Any
) -> Study:
    """Returns a study that searches `domains` for the fields of `Loose`, in the size that the algorithm needs."""
    search = dict(domains)
    if algorithm == "hyperband":
        search.setdefault("epochs", {"int": [1, 9]})
    sizes = {"hyperband": {"max_trials": 9, "parallel": 9}, "grid": {"max_trials": 10**9}}
    return make_study(
        hparams=Loose,
        search=search,
        algorithm={"name": algorithm, "seed": seed, "settings": dict(SETTINGS.get(algorithm, {}))},
        budget=sizes.get(algorithm, {}),
        step={"image": "registry.example/loose:1", "module": "loose.train", "resources": {"nodes": nodes}},
        katib=katib,
    )


def parameters_of(experiment: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the items of spec.parameters by name."""
    return {parameter["name"]: parameter for parameter in experiment["spec"]["parameters"]}


def container_of(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the container of a Job trial, with its placeholders."""
    container: dict[str, Any] = experiment["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"][
        "containers"
    ][0]
    return container
