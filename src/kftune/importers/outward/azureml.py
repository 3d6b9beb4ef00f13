"""Azure Machine Learning: a sweep job, as YAML.

Source: Azure ML's reference of the sweep job YAML schema.
"""

from __future__ import annotations

import math
import re
import shlex
from typing import Any

from kftune import yaml_text
from kftune.domains import Domain, IntUniform, LogUniform, QLogUniform, QUniform, ReverseLogUniform
from kftune.domains.listed import Listed
from kftune.domains.normal import Bell
from kftune.importers.imported import Open
from kftune.importers.outward.exported import Exported, ends_of, place_of, say_listed, spec_of, without_condition
from kftune.stopping.rules import key_of
from kftune.study import Study

_SCHEMA = "https://azuremlschemas.azureedge.net/latest/sweepJob.schema.json"
_MARK = re.compile(r"(\$\{\{search_space\.\w+\}\})")
_DIGITS = 6
_MOST_LISTED = 1000
_BAYESIAN = ("choice", "uniform", "quniform")
_SAMPLED = ("random", "sobol")
_REASONS = {
    "constraints": "let the script end when a condition does not hold",
    "metrics": "every metric that the script logs is stored",
    "points": "nothing in a sweep is like it",
    "apply": "run kftune apply with the best values",
    "targets": "these are options of other engines",
}
_STEP_REASONS = {"resources": "compute has the nodes: write resources.instance_type", "volumes": "write inputs"}
_RULES = {
    "bandit": "bandit",
    "truncation": "truncation_selection",
    "median": "median_stopping",
    "percentile": "median_stopping",
}
_RULE_KEYS = {
    "interval": "evaluation_interval",
    "delay": "delay_evaluation",
    "slack_factor": "slack_factor",
    "slack_amount": "slack_amount",
    "percentage": "truncation_percentage",
    "exclude_finished": "exclude_finished_jobs",
}


def write(study: Study) -> Exported:
    """Returns the sweep job of a study.

    Args:
        study: The study.
    """
    made, given = Exported(), study.to_dict()
    names = {name: name.replace(".", "__") for name in study.space}
    space = {names[name]: _expression(name, domain, made) for name, domain in study.space.items()}
    for name, there in names.items():
        if name != there:
            made.say("converted", place_of(name), f"the name there is {there}")
    job: dict[str, Any] = {"$schema": _SCHEMA, "type": "sweep", "display_name": study.name}
    if study.description:
        job["description"] = study.description
    job["trial"] = _trial(study, names, made)
    job["search_space"] = space
    job["sampling_algorithm"] = _sampling(study, space, made)
    job["objective"] = {"goal": study.objective.direction, "primary_metric": study.objective.metric}
    _say_objectives(study, made)
    job["limits"] = _limits(study, given.get("budget", {}), made)
    policy = _policy(study, made)
    if policy:
        job["early_termination"] = policy
    made.open += [
        Open("compute", "write the compute of the workspace: azureml:NAME"),
        Open("trial.code", "the folder with the script, from the folder of this file"),
        Open("objective.primary_metric", "Azure ML reads metrics from MLflow: let the script call mlflow.log_metric"),
    ]
    written = ("name", "description", "hparams", "values", "search", "objective", "objectives", "algorithm")
    left = {key: value for key, value in given.items() if key not in (*written, "budget", "stopping", "step")}
    made.leave("", left, _REASONS)
    made.text = yaml_text.dump(job)
    return made


# -- the space ---------------------------------------------------------------------------------------------------------


def _expression(name: str, domain: Domain, made: Exported) -> dict[str, Any]:
    where = place_of(name)
    domain = without_condition(domain, where, made)
    if isinstance(domain, Listed):
        say_listed(domain, where, made)
        return {"type": "choice", "values": list(domain.options)}
    if isinstance(domain, Bell):
        return _of_bell(domain, where, made)
    if isinstance(domain, IntUniform | QUniform | QLogUniform):
        return _of_steps(domain, where, made)
    if isinstance(domain, LogUniform):
        made.say("converted", where, f"the bounds are exponents of e; as values {spec_of(domain)}{_rounded(domain)}")
        return _range("loguniform", *map(math.log, ends_of(domain)))
    if isinstance(domain, ReverseLogUniform):
        made.say("lost", where, "a uniform range: Azure has no scale that is logarithmic towards 1")
    else:
        made.say("exact", where, spec_of(domain))
    return _range("uniform", *ends_of(domain))


def _of_steps(domain: IntUniform | QUniform | QLogUniform, where: str, made: Exported) -> dict[str, Any]:
    low, high = ends_of(domain)
    q = domain.step if isinstance(domain, IntUniform) else domain.q
    is_log = isinstance(domain, QLogUniform) or (isinstance(domain, IntUniform) and domain.log)
    if isinstance(domain, IntUniform) and low == 0 and q == 1:
        made.say("converted", where, f"randint, which never draws its upper bound {int(high) + 1}")
        return {"type": "randint", "upper": int(high) + 1}
    is_multiple = math.isclose(low / q, round(low / q), abs_tol=1e-9)
    if not is_multiple and not is_log and domain.size <= _MOST_LISTED:
        made.say("converted", where, f"a list of its {domain.size} values: none is a multiple of {q:g}")
        return {"type": "choice", "values": list(domain.grid())}
    if is_log:
        # An integer has the half unit on both sides; another draw is from bound to bound, and then rounded.
        half = 0.5 if isinstance(domain, IntUniform) else 0.0
        ends = (math.log(low - half), math.log(high + half))
        is_same = is_multiple and (q == 1 if half else high == domain.high)
        text = f"the bounds are exponents of e, and values are rounded to multiples of {q:g}"
        made.say("converted" if is_same else "lost", where, text if is_same else f"{text}: these are other values")
        return {**_range("qloguniform", *ends), "q": q}
    text = f"the bounds are half a step further, so that rounding to multiples of {q:g} leaves the ends equally likely"
    made.say(
        "converted" if is_multiple else "lost",
        where,
        text if is_multiple else f"values are rounded to multiples of {q:g}",
    )
    return {**_range("quniform", _short(low - q / 2), _short(high + q / 2)), "q": q}


def _of_bell(domain: Bell, where: str, made: Exported) -> dict[str, Any]:
    kind = domain.kind
    if domain.low is None and domain.high is None:
        made.say("exact", where, spec_of(domain))
    else:
        made.say("lost", where, "the bounds are left out: Azure's normal distributions have none")
    q = getattr(domain, "q", None)
    return {"type": kind, "mu": domain.mean, "sigma": domain.std, **({} if q is None else {"q": q})}


def _range(kind: str, low: float, high: float) -> dict[str, Any]:
    return {"type": kind, "min_value": low, "max_value": high}


def _short(value: float) -> float:
    """Returns a value without what binary fractions add to it."""
    return float(f"{value:.15g}")


def _rounded(domain: Domain) -> str:
    """Returns what reading the exponents back changes."""
    is_short = all(float(f"{each:.{_DIGITS}g}") == each for each in ends_of(domain))
    return "" if is_short else f"; kftune import reads them back with {_DIGITS} digits"


# -- the rest ----------------------------------------------------------------------------------------------------------


def _trial(study: Study, names: dict[str, str], made: Exported) -> dict[str, Any]:
    """Returns the command of a trial, its image and its environment."""
    texts = dict(study.fixed)
    for name, there in names.items():
        if name in study.argument_names:
            texts[name] = f"${{{{search_space.{there}}}}}"
        else:
            made.say("lost", place_of(name), "a key in a mapping: the command has no argument for it, add one")
    line = study.command_line({name: texts[name] for name in study.argument_names if name in texts})
    step = study.step
    trial: dict[str, Any] = {"code": ".", "command": " ".join(map(_quoted, line))}
    made.say("converted", "step.command", "the command line, with the fixed values in it")
    left = study.to_dict()["step"]
    for key in ("name", "command", "args", "arguments"):
        left.pop(key, None)
    if step.image is not None:
        trial["environment"] = {"image": left.pop("image")}
        made.say("exact", "step.image", "trial.environment.image")
    env = left.get("env", {})
    if env and all(isinstance(value, str) for value in env.values()):
        trial["environment_variables"] = left.pop("env")
        made.say("exact", "step.env", "trial.environment_variables")
    made.leave("step.", left, _STEP_REASONS)
    return trial


def _quoted(token: str) -> str:
    """Returns a token for a shell, in which what Azure replaces stays as it is."""
    return "".join(part if _MARK.fullmatch(part) else shlex.quote(part) for part in _MARK.split(token) if part) or "''"


def _sampling(study: Study, space: dict[str, Any], made: Exported) -> Any:
    algorithm = study.algorithm
    name, kinds = algorithm.name, {each["type"] for each in space.values()}
    if name == "grid" and kinds <= {"choice"}:
        made.say("exact", "algorithm", "grid")
        return "grid"
    if name in _SAMPLED:
        made.say("exact", "algorithm", name)
        rule = {"rule": name} if name == "sobol" else {}
        seed = {} if algorithm.seed is None else {"seed": algorithm.seed}
        return {"type": "random", **rule, **seed} if rule or seed else "random"
    if kinds <= {*_BAYESIAN} and name != "grid" and not study.stopping:
        made.say(
            "converted" if name == "bayesianoptimization" else "lost",
            "algorithm",
            f"bayesian in place of {name}: Azure has one model-based algorithm, without seed and settings",
        )
        return "bayesian"
    reason = (
        "its grid takes choices only"
        if name == "grid"
        else "its bayesian sampling takes choice, uniform and quniform only, and no early termination"
    )
    made.say("lost", "algorithm", f"random in place of {name}: {reason}")
    return "random"


def _say_objectives(study: Study, made: Exported) -> None:
    first, *others = study.objectives
    made.say("exact", "objective", f"{first.direction} {first.metric}")
    for other in others:
        made.say("lost", "objectives", f"{other.metric}: a sweep has one objective")
    if any(each.goal is not None for each in study.objectives):
        made.say("lost", "objective.goal", "a sweep does not end at a value: cancel it by hand")
    if first.regex is not None:
        made.say("lost", "objective.regex", "logs are not read: let the script call mlflow.log_metric")


def _limits(study: Study, given: dict[str, Any], made: Exported) -> dict[str, Any]:
    budget = study.budget
    limits: dict[str, Any] = {"max_total_trials": budget.max_trials, "max_concurrent_trials": budget.at_once}
    made.say("exact", "budget.max_trials", f"limits.max_total_trials: {budget.max_trials}")
    made.say("exact", "budget.parallel", f"limits.max_concurrent_trials: {budget.at_once}")
    for key, there in (("wall_clock", "timeout"), ("trial_timeout", "trial_timeout")):
        seconds = getattr(budget, key)
        if seconds is not None:
            limits[there] = math.ceil(seconds)
            made.say("exact", f"budget.{key}", f"limits.{there}: {limits[there]} seconds")
    done = ("max_trials", "parallel", "wall_clock", "trial_timeout")
    reasons = {"max_failed": "a sweep continues when trials fail", "retries": "failed trials do not run again"}
    made.leave("budget.", {key: value for key, value in given.items() if key not in done}, reasons)
    return limits


def _policy(study: Study, made: Exported) -> dict[str, Any]:
    """Returns the first rule that Azure has too, and says which are left out."""
    policy: dict[str, Any] = {}
    for rule in study.stopping:
        key = key_of(rule)
        if policy or key not in _RULES:
            reason = "a sweep has one policy" if policy else "Azure has bandit, median and truncation policies"
            made.say("lost", f"stopping.{key}", reason)
            continue
        settings = rule.model_dump(mode="json", exclude_defaults=True)
        policy = {"type": _RULES[key]}
        policy |= {there: settings.pop(here) for here, there in _RULE_KEYS.items() if here in settings}
        policy.setdefault("evaluation_interval", 1)
        is_same = key in ("bandit", "truncation") and not settings
        text = f"early_termination: {policy['type']}"
        made.say(
            "exact" if is_same else "lost",
            f"stopping.{key}",
            text
            if is_same
            else f"{text}, which is not the same: it takes the median of averages, or has fewer settings",
        )
    return policy
