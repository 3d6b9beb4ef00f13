"""Azure Machine Learning: sweep jobs and sweep components, as YAML.

Source: Azure ML's reference of the sweep job YAML schema, and azure.ai.ml.sweep.
"""

from __future__ import annotations

import math
import posixpath
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kftune.errors import ForeignFileError, suggestion
from kftune.importers.command import mark, read_command
from kftune.importers.document import find
from kftune.importers.draft import Draft
from kftune.importers.imported import Imported, Options
from kftune.importers.node import Node, Source
from kftune.importers.python_text import Call
from kftune.importers.spaces import Space, choice, exponents, integers, log_uniform, normal, quantised, uniform
from kftune.runs import YAML_SUFFIXES

EXPRESSIONS = (
    *("choice", "uniform", "quniform", "loguniform", "qloguniform", "normal", "qnormal", "lognormal", "qlognormal"),
    "randint",
)
_BINDING = re.compile(r"\$\{\{\s*(search_space|inputs|outputs)\.([\w.]+)\s*\}\}")
_OPTIONAL = re.compile(r"\$\[\[((?:(?!\$\[\[).)*?)\]\]", re.DOTALL)
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_REASONS = {
    "compute": "the cluster's nodes: step.resources and step.node_selector",
    "outputs": "trials write into the folder of their results; on a cluster into a volume",
    "identity": "the rights of the pods are those of step.service_account",
    "experiment_name": "studies have no groups",
    "tags": "labels of pods are step.labels",
    "queue_settings": "write step.queue and step.priority_class",
    "is_deterministic": "results of trials are never reused",
    "properties": "nothing in a study is like it",
    "services": "nothing in a study is like it",
}


def read(path: Path, options: Options) -> Imported:
    """Returns the study of a sweep.

    Args:
        path: A sweep job, a sweep component, or a pipeline job with a sweep step, as YAML; or a page with one.
        options: What the user decides.

    Raises:
        ForeignFileError: There is no sweep, or it is invalid.
        OSError: The file cannot be read.
    """
    found = find(path, _wanted, "an Azure ML sweep")
    node = found.node or found.assigned(_wanted)
    if node is None:
        raise ForeignFileError(
            "this is not an Azure ML sweep: it has no search_space, and no step that has one", str(path)
        )
    name = path.stem
    if "search_space" not in node.value:
        name, node = _sweep_step(node, options)
    given = node.first("name", "display_name")
    draft = Draft(name if given is None else given.text(), options)
    _sweep(draft, node)
    for call in found.python.calls:
        _called(draft, found.source, call)
    return draft.finish()


def _called(draft: Draft, source: Source, call: Call) -> None:
    """Takes what Python text gives to a component with a sweep, where the sweep itself does not say it."""
    budget = draft.study.setdefault("budget", {})
    for key, target in (
        ("max_trials", "max_trials"),
        ("max_total_trials", "max_trials"),
        ("max_concurrent_trials", "parallel"),
    ):
        value = call.kwargs.get(key)
        if isinstance(value, int) and target not in budget:
            draft.carry(Node(source, value, (call.name, key), call.line), "budget", target)
    sampling = call.kwargs.get("sampling_algorithm")
    if isinstance(sampling, str) and "algorithm" not in draft.study:
        _sampling(draft, Node(source, sampling, (call.name, "sampling_algorithm"), call.line))
    if not budget:
        del draft.study["budget"]


def _wanted(value: Mapping[str, Any]) -> bool:
    return "search_space" in value or bool(_steps(value))


def _steps(value: Mapping[str, Any]) -> list[str]:
    jobs = value.get("jobs")
    if not isinstance(jobs, Mapping):
        return []
    return [str(name) for name, job in jobs.items() if isinstance(job, Mapping) and "search_space" in job]


def _sweep_step(node: Node, options: Options) -> tuple[str, Node]:
    """Returns the sweep of a pipeline job."""
    names = _steps(node.value)
    if len(names) > 1 and options.pick not in names:
        raise node.fail(f"the pipeline has the sweeps {', '.join(names)}; choose one with --pick")
    if options.pick and options.pick not in names:
        raise node.fail(f"the pipeline has no sweep {options.pick!r}; {suggestion(options.pick, names)}")
    name = options.pick or names[0]
    return name, node.need("jobs").need(name)


def _sweep(draft: Draft, node: Node) -> None:
    node.ignore(["$schema", "type", "version", "name", "display_name", "jobs", "settings"])
    draft.carry(node.get("description"), "description")
    space = node.need("search_space")
    listed = space.get("hyperparameters")
    if listed is not None and "type" not in listed.mapping():
        draft.converted(listed, "the hyperparameters are one level deeper than Azure's schema has them")
        space = listed
    base = _sampling(draft, node.get("sampling_algorithm"))
    for name, each in space.items():
        draft.search(name, each, _space(draft, each, base))
        draft.leave(each, {})
    objective = node.get("objective")
    if objective is not None:
        goal = objective.need("goal", "an objective").one_of(("minimize", "maximize"))
        draft.objective(objective, objective.need("primary_metric", "an objective").text(), goal)
        draft.leave(objective, {})
    limits = node.get("limits")
    if limits is not None:
        _limits(draft, limits)
    _policy(draft, node.get("early_termination"))
    _trial(draft, node)
    resources = node.get("resources")
    if resources is not None:
        _resources(draft, resources)
    draft.printed("Azure ML reads metrics from MLflow")
    draft.leave(node, _REASONS)


# -- the space ---------------------------------------------------------------------------------------------------------


def _sampling(draft: Draft, node: Node | None) -> float:
    """Takes the sampling algorithm, and returns the base of exponents."""
    if node is None:
        return math.e
    kind, base = node, math.e
    if not isinstance(node.value, str):
        kind = node.need("type", "a sampling algorithm")
        draft.carry(node.get("seed"), "algorithm", "seed")
        given = node.get("logbase")
        if given is not None and given.value != "e":
            base = given.number()
            if base <= 1:
                raise given.fail(f"a base of exponents must be above 1, but is {base:g}")
            draft.converted(given, f"the bounds of logarithmic ranges are exponents of {base:g}")
    name = kind.one_of(("random", "grid", "bayesian"))
    rule = None if kind is node else node.get("rule")
    if rule is not None and rule.one_of(("random", "sobol")) == "sobol":
        name = "sobol"
    if name == "bayesian":
        draft.bayesian(kind)
    elif name == "grid":
        draft.grid(kind)
    else:
        draft.carry(kind, "algorithm", "name", value=name)
    if kind is not node:
        draft.leave(node, {})
    return base


def _space(draft: Draft, node: Node, base: float) -> Space:
    kind = node.need("type", "a hyperparameter").one_of(EXPRESSIONS)
    if kind == "choice":
        return choice(node.need("values", "choice").values())
    if kind == "randint":
        upper = node.need("upper", "randint").integer()
        if upper < 1:
            raise node.fail(f"randint needs an upper bound of at least 1, but got {upper}")
        return integers(0, upper - 1)._replace(converted=f"the upper bound {upper} is never drawn")
    q = _step(node, kind) if kind[0] == "q" else None
    if kind.endswith("normal"):
        mean, std = node.need("mu", kind).number(), node.need("sigma", kind).number()
        if std <= 0:
            raise node.fail(f"sigma must be above 0, but is {std:g}")
        return normal(mean, std, q, log="log" in kind)
    low, high = node.need("min_value", kind).number(), node.need("max_value", kind).number()
    if low > high:
        raise node.fail(f"min_value must not be above max_value, but {low:g} > {high:g}")
    if "log" not in kind:
        return uniform(low, high) if q is None else quantised(low, high, q)
    try:
        low, high, note, check = exponents(low, high, draft.options.log_bounds or "exponents", base)
    except ValueError as error:
        raise node.fail(str(error)) from error
    made = log_uniform(low, high) if q is None else quantised(low, high, q, log=True)
    return made._replace(converted="; ".join(filter(None, (note, made.converted))), check=check)


def _step(node: Node, kind: str) -> float:
    q = node.need("q", kind).number()
    if q <= 0:
        raise node.fail(f"q must be above 0, but is {q:g}")
    return q


# -- limits and policies -----------------------------------------------------------------------------------------------


def _limits(draft: Draft, limits: Node) -> None:
    for keys, target in (
        (("max_total_trials", "max_trials"), "max_trials"),
        (("max_concurrent_trials",), "parallel"),
        (("timeout",), "wall_clock"),
        (("trial_timeout",), "trial_timeout"),
    ):
        found = limits.first(*keys)
        if found is None:
            continue
        value = _seconds(found) if "timeout" in target or target == "wall_clock" else found.integer()
        if value:
            draft.carry(found, "budget", target, value=value)
    draft.leave(limits, {})


def _seconds(node: Node) -> float:
    """Returns a duration in seconds, which may be a text such as PT1H30M."""
    match = _DURATION.fullmatch(node.value) if isinstance(node.value, str) else None
    if match is None or not any(match.groups()):
        return node.number()
    days, hours, minutes, seconds = (int(each or 0) for each in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _policy(draft: Draft, node: Node | None) -> None:
    if node is None or node.value is None:
        return
    kind = node.need("type", "an early termination policy").one_of(
        ("bandit", "median_stopping", "truncation_selection")
    )
    rule: dict[str, Any] = {}
    for key, target in (("evaluation_interval", "interval"), ("delay_evaluation", "delay")):
        given = node.get(key)
        if given is not None and given.integer() > 0:
            rule[target] = given.integer()
    if kind == "bandit":
        for key in ("slack_factor", "slack_amount"):
            given = node.get(key)
            if given is not None and given.number() > 0:
                rule[key] = given.number()
        draft.carry(node, "stopping", "bandit", value=rule)
    elif kind == "truncation_selection":
        rule["percentage"] = node.need("truncation_percentage", kind).integer()
        finished = node.first("exclude_finished_jobs", "exclude_finished_job")
        if finished is not None and finished.value is True:
            rule["exclude_finished"] = True
        draft.carry(node, "stopping", "truncation", value=rule)
    else:
        draft.put("stopping", "percentile", value={"keep": 50, **rule})
        draft.lost(
            node,
            "stopping.percentile with keep: 50, the median of best values; Azure's is one of averages",
        )
    draft.leave(node, {})


# -- the trial ---------------------------------------------------------------------------------------------------------


def _trial(draft: Draft, node: Node) -> None:
    trial = node.get("trial")
    if trial is not None and isinstance(trial.value, str):
        trial = _component(draft, trial)
    if trial is None:
        return
    if isinstance(trial.value, str):
        draft.to_fill("step.command", f"the trial is the component {trial.value}: write its command")
        draft.lost(trial, "a component in another file: write step.command")
        return
    given = trial.get("command")
    inputs = node.get("inputs")
    used: set[str] = set()
    if given is not None:
        text = _OPTIONAL.sub(r"\1", given.text())
        line = read_command(
            _BINDING.sub(lambda found: _bound(found, draft, inputs, used), text), draft.fields.__contains__
        )
        code = _code(trial)
        if code and len(line.tokens) > 1 and line.tokens[1].endswith(".py"):
            line.tokens[1] = posixpath.normpath(posixpath.join(code, line.tokens[1]))
        draft.command(line, given)
    _inputs(draft, inputs, used)
    _environment(draft, trial)
    resources = trial.get("resources")
    if resources is not None:
        _resources(draft, resources)
    draft.carry(trial.get("environment_variables"), "step", "env")
    trial.ignore(["$schema", "type", "name", "version", "display_name", "inputs", "outputs", "description"])
    draft.leave(trial, {"distribution": "write step.resources.nodes and procs_per_node"})


def _code(trial: Node) -> str:
    code = trial.get("code")
    value = code.value if code is not None else ""
    if code is not None and isinstance(value, Mapping):
        value = code.mapping().get("local_path", "")
    return value if isinstance(value, str) and ":" not in value else ""


def _component(draft: Draft, trial: Node) -> Node:
    """Returns the component in another file, if it is beside the sweep; otherwise the text that names it."""
    path = Path(trial.source.file).parent / trial.text().removeprefix("file:")
    if path.suffix not in YAML_SUFFIXES or not path.is_file():
        return trial
    component = find(path, lambda value: "command" in value, "a command component").node
    if component is None:
        return trial
    draft.converted(trial, f"the component in {path.name} is read")
    return component


def _inputs(draft: Draft, inputs: Node | None, used: set[str]) -> None:
    """Says what becomes of the inputs of the sweep."""
    for name, each in inputs.items() if inputs is not None else ():
        if isinstance(each.value, Mapping):
            draft.lost(each, "mount the data: step.volumes, and write its path into step.args")
        elif name not in used and name not in draft.fields:
            draft.lost(each, "the command does not use it")


def _bound(found: re.Match[str], draft: Draft, inputs: Node | None, used: set[str]) -> str:
    """Returns what stands for a binding: a mark, or the plain value of an input."""
    kind, name = found[1], found[2]
    if kind == "outputs" or name in draft.fields:
        return mark(name if kind != "outputs" else f"outputs.{name}")
    given = None if inputs is None else inputs.mapping().get(name) if isinstance(inputs.value, Mapping) else None
    if isinstance(given, str | int | float):
        used.add(name)
        return shlex.quote(str(given))
    return mark(f"inputs.{name}")


def _environment(draft: Draft, trial: Node) -> None:
    environment = trial.get("environment")
    if environment is None:
        return
    image = environment.mapping().get("image") if isinstance(environment.value, Mapping) else None
    if isinstance(image, str):
        draft.carry(environment, "step", "image", value=image)
        if "conda_file" in environment.value:
            draft.lost(environment, "conda_file: install the packages in the image (kftune images)")
    else:
        draft.lost(
            environment, "an environment of the workspace: build an image with these packages, and write step.image"
        )


def _resources(draft: Draft, node: Node) -> None:
    count = node.get("instance_count")
    if count is not None and count.integer() > 1:
        draft.carry(count, "step", "resources", "nodes", value=count.integer())
        draft.lost(count, "several nodes need the trial kind PyTorchJob or TrainJob: targets.katib.trial_kind")
    memory = node.get("shm_size")
    if memory is not None:
        size = re.sub(
            "(?i)([kmg])b?$", lambda unit: f"{unit[1].upper() if unit[1] not in 'kK' else 'K'}i", str(memory.value)
        )
        draft.carry(memory, "step", "shared_memory", value=size, note="the same size")
    draft.leave(node, {"instance_type": "write step.resources", "docker_args": "write step.container"})
