"""Optuna: the space as distributions.

Source: optuna 5.0, optuna.distributions.distribution_to_json.
"""

from __future__ import annotations

import json
import math
from typing import Any

from kftune.domains import (
    Domain,
    IntUniform,
    LogUniform,
    QLogUniform,
    QUniform,
    ReverseLogUniform,
)
from kftune.domains.listed import Listed
from kftune.domains.normal import Bell
from kftune.importers.outward.exported import Exported, ends_of, place_of, say_listed, spec_of, without_condition
from kftune.study import Study

_SPREAD = 3
_SPACE = ("name", "hparams", "search", "description")
_REASONS = {
    "objective": "write optuna.create_study(direction=…)",
    "objectives": "write optuna.create_study(directions=[…])",
    "budget": "write study.optimize(n_trials=…, n_jobs=…, timeout=…)",
    "algorithm": "write optuna.create_study(sampler=…)",
    "stopping": "write optuna.create_study(pruner=…)",
    "points": "write study.enqueue_trial(…)",
    "values": "the objective function has to set them",
    "constraints": "write a sampler with constraints_func",
    "step": "the objective function runs the trial",
    "metrics": "write trial.set_user_attr(…)",
}


def write(study: Study) -> Exported:
    """Returns the distributions of a study.

    Args:
        study: The study.
    """
    made = Exported()
    found = {name: _distribution(name, domain, made) for name, domain in study.space.items()}
    made.text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    made.leave("", {key: value for key, value in study.to_dict().items() if key not in _SPACE}, _REASONS)
    return made


def _distribution(name: str, domain: Domain, made: Exported) -> dict[str, Any]:
    where = place_of(name)
    domain = without_condition(domain, where, made)
    if isinstance(domain, Listed):
        say_listed(domain, where, made)
        return _named("CategoricalDistribution", choices=list(domain.options))
    if isinstance(domain, IntUniform):
        if not domain.log or domain.step == 1:
            made.say("exact", where, "integers")
            return _integers(domain)
        made.say("lost", where, "Optuna has no step on a logarithmic scale: integers with the step 1")
        return _integers(IntUniform(domain.low, domain.high, log=True))
    if isinstance(domain, Bell):
        return _of_bell(domain, where, made)
    if isinstance(domain, QLogUniform):
        made.say(
            "lost", where, f"Optuna has no step on a logarithmic scale: the multiples of {domain.q:g} are left out"
        )
    elif isinstance(domain, ReverseLogUniform):
        made.say("lost", where, "a uniform range: Optuna has no scale that is logarithmic towards 1")
    else:
        made.say("exact", where, spec_of(domain))
    if isinstance(domain, QUniform):
        return _floats(domain.low, domain.point(domain.size - 1), step=domain.q)
    low, high = ends_of(domain)
    return _floats(low, high, log=isinstance(domain, LogUniform | QLogUniform))


def _of_bell(domain: Bell, where: str, made: Exported) -> dict[str, Any]:
    """Returns a range in place of a bell: its bounds, or three standard deviations on both sides."""
    ends = [domain.mean - _SPREAD * domain.std, domain.mean + _SPREAD * domain.std]
    if domain.is_log:
        ends = [math.exp(each) for each in ends]
    given = (domain.low, domain.high)
    low, high = (float(f"{end:.6g}") if each is None else each for each, end in zip(given, ends, strict=True))
    text = f"{_SPREAD} standard deviations on both sides" if None in given else "its bounds"
    made.say("lost", where, f"Optuna has no normal distribution: a range from {low:g} to {high:g}, {text}")
    return _floats(low, high, log=domain.is_log and low > 0)


def _integers(domain: IntUniform) -> dict[str, Any]:
    high = domain.low + (domain.size - 1) * domain.step
    return _named("IntDistribution", log=domain.log, step=domain.step, low=domain.low, high=high)


def _floats(low: float, high: float, *, step: float | None = None, log: bool = False) -> dict[str, Any]:
    return _named("FloatDistribution", step=step, low=low, high=high, log=log)


def _named(name: str, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "attributes": attributes}
