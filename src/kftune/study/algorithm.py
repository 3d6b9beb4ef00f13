"""Search algorithms by their Katib names, and the settings that each takes.

Source: katib v0.19.0, pkg/suggestion/v1beta1 (the services' own validation of settings).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pydantic import Field

from kftune.errors import suggestion
from kftune.spec.part import Part, PartError


class Setting(NamedTuple):
    """What a setting's value must be."""

    rule: str
    holds: Callable[[Any], bool]
    required: bool = False


class AlgorithmRules(NamedTuple):
    """What kftune knows of one algorithm."""

    summary: str
    settings: Mapping[str, Setting]
    seeded: bool = True


def _is_int(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_float(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _at_least(least: int, *, required: bool = False) -> Setting:
    return Setting(f"an integer of at least {least}", lambda value: _is_int(value, least), required)


def _one_of(*names: str) -> Setting:
    return Setting(f"one of {', '.join(names)}", lambda value: value in names)


_ABOVE_0 = Setting("a number above 0", lambda value: _is_float(value) and value > 0)
_SHARE = Setting("a number from 0 to 1", lambda value: _is_float(value) and 0 <= value <= 1, required=True)
_HYPEROPT = {
    "gamma": Setting("a number between 0 and 1", lambda value: _is_float(value) and 0 < value < 1),
    "prior_weight": _ABOVE_0,
    "n_EI_candidates": _at_least(1),
}
_SKOPT = {
    "base_estimator": _one_of("GP", "RF", "ET", "GBRT"),
    "n_initial_points": _at_least(1),
    "acq_func": _one_of("gp_hedge", "LCB", "EI", "PI", "EIps", "PIps"),
    "acq_optimizer": _one_of("auto", "sampling", "lbfgs"),
}

ALGORITHMS: Mapping[str, AlgorithmRules] = {
    "random": AlgorithmRules("independent draws", {}),
    "grid": AlgorithmRules("every point once, in random order", {}),
    "tpe": AlgorithmRules("tree of Parzen estimators, each parameter by itself", _HYPEROPT),
    "multivariate-tpe": AlgorithmRules(
        "tree of Parzen estimators over all parameters together",
        {"n_startup_trials": _at_least(0), "n_ei_candidates": _at_least(1)},
    ),
    "bayesianoptimization": AlgorithmRules("Gaussian process", _SKOPT),
    "cmaes": AlgorithmRules(
        "covariance matrix adaptation; two or more numbers",
        {"sigma": _ABOVE_0, "restart_strategy": _one_of("none", "ipop", "bipop")},
    ),
    "sobol": AlgorithmRules("a low-discrepancy sequence", {}, seeded=False),
    "hyperband": AlgorithmRules(
        "successive halving in brackets; on Katib only the first one",
        {
            "r_l": Setting("a number above 0", lambda value: _is_float(value) and value > 0, required=True),
            "resource_name": Setting("a parameter's name", lambda value: isinstance(value, str), required=True),
            "eta": Setting("a number of at least 2", lambda value: _is_float(value) and value >= 2),
        },
        seeded=False,
    ),
    "pbt": AlgorithmRules(
        "population based training (on Katib)",
        {
            "suggestion_trial_dir": Setting(
                "an absolute path", lambda value: str(value).startswith("/"), required=True
            ),
            "n_population": _at_least(5, required=True),
            "truncation_threshold": _SHARE,
        },
        seeded=False,
    ),
}


class Algorithm(Part):
    """How the next values are chosen."""

    name: str = "random"
    """The algorithm's Katib name."""
    seed: int | None = Field(None, ge=0, lt=2**32)
    """Makes the choices repeatable. None draws one when the study starts."""
    settings: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """The algorithm's own settings, by the names that Katib has for them."""

    def model_post_init(self, context: object, /) -> None:
        """Checks what the fields by themselves cannot."""
        rules = ALGORITHMS.get(self.name)
        if rules is None:
            raise PartError(f"unknown algorithm {self.name!r}; {suggestion(self.name, ALGORITHMS)}", ("name",))
        for name, value in self.settings.items():
            self._check_setting(rules, name, value)
        for name, setting in rules.settings.items():
            if setting.required and name not in self.settings:
                raise PartError(f"algorithm {self.name} needs the setting {name} ({setting.rule})", ("settings",))

    def _check_setting(self, rules: AlgorithmRules, name: str, value: object) -> None:
        path = ("settings", name)
        if name == "random_state":
            raise PartError("random_state is written as the algorithm's seed: {seed: 7}", path, at_key=True)
        rule = rules.settings.get(name)
        if rule is None:
            known = suggestion(name, rules.settings)
            raise PartError(f"algorithm {self.name} has no setting {name!r}; {known}", path, at_key=True)
        if not rule.holds(value):
            raise PartError(f"setting {name} of {self.name} must be {rule.rule}, but got {value!r}", path)
