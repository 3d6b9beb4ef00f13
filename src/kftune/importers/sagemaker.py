"""Amazon SageMaker: `tuning_config`, CreateHyperParameterTuningJob, and calls of `HyperparameterTuner`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kftune.errors import ForeignFileError
from kftune.importers import sagemaker_job
from kftune.importers.document import Found, find
from kftune.importers.draft import Draft
from kftune.importers.imported import Imported, Options
from kftune.importers.node import Node
from kftune.importers.python_text import Call, Code, Lined
from kftune.importers.sagemaker_ranges import add_range
from kftune.importers.spaces import choice

_RANGE_CALLS = {
    "ContinuousParameter": "continuous",
    "IntegerParameter": "integer",
    "CategoricalParameter": "categorical",
}
_TUNER_ARGS = ("estimator", "objective_metric_name", "hyperparameter_ranges", "metric_definitions", "strategy")
_ESTIMATOR_REASONS = {
    "role": "the rights of the pods are those of step.service_account",
    "framework_version": "the image has the framework: write step.image",
    "py_version": "the image has Python: write step.image",
    "use_spot_instances": "say what happens when a node is lost: step.preemption",
    "distribution": "write step.resources.nodes and procs_per_node",
    "sagemaker_session": "nothing in a study is like it",
    "output_path": "trials write into the folder of their results; on a cluster into a volume",
}
_TYPES = ("continuous", "integer", "categorical")


def read(path: Path, options: Options) -> Imported:
    """Returns the study of a SageMaker tuning job.

    Args:
        path: A `tuning_config` as YAML, JSON or Python text; a page with it; the JSON of CreateHyperParameterTuningJob
            or of its description; a Python file that calls `HyperparameterTuner`.
        options: What the user decides.

    Raises:
        ForeignFileError: There is no tuning job, or it is invalid.
        OSError: The file cannot be read.
    """
    found = find(path, _wanted, "a SageMaker tuning job")
    node = found.node or found.assigned(_wanted)
    if node is not None and sagemaker_job.is_job(node.value):
        return sagemaker_job.read_job(node, options)
    tuner = found.python.last_call("HyperparameterTuner")
    if node is None and tuner is None:
        raise ForeignFileError(
            "this is not a SageMaker tuning job: it has no hyperparameter_ranges, no HyperParameterTuningJobConfig and "
            "no call of HyperparameterTuner",
            str(path),
        )
    draft = Draft(path.stem, options)
    settings = None if tuner is None else _tuner(found, tuner)
    if node is not None:
        if found.python.values:
            draft.converted(node, "read as Python text, which is not run")
        _config(draft, node, found, settings)
    elif settings is not None:
        _from_tuner(draft, found, settings)
    return draft.finish()


def _wanted(value: Mapping[str, Any]) -> bool:
    tuning = value.get("tuning")
    inner = tuning if isinstance(tuning, Mapping) else value
    return "hyperparameter_ranges" in inner or sagemaker_job.is_job(value)


# -- tuning_config -----------------------------------------------------------------------------------------------------


def _config(draft: Draft, node: Node, found: Found, tuner: Node | None) -> None:
    tuning = node.get("tuning") or node
    for name, each in tuning.need("hyperparameter_ranges").items():
        _config_range(draft, name, each)
    _objective(draft, tuning, found, tuner)
    draft.carry(tuning.get("max_jobs"), "budget", "max_trials")
    draft.carry(tuning.get("max_parallel_jobs"), "budget", "parallel")
    strategy = tuning.get("strategy")
    if strategy is None and tuner is not None:
        strategy = tuner.get("strategy")
    sagemaker_job.strategy(draft, strategy, tuning, None)
    enabled, update = tuning.get("enabled"), tuning.get("update_config")
    if enabled is not None and enabled.value is False:
        draft.lost(enabled, "the tuning is switched off there; a study runs when kftune run is called")
    elif enabled is not None:
        draft.converted(enabled, "kftune run starts the study")
    if update is not None and update.value:
        draft.lost(
            update,
            "the file with the configuration is not named: add apply: {to: FILE, at: PATH} to the study, or call "
            "kftune apply",
        )
    available = tuning.get("all_hyperparams_available") or node.get("all_hyperparams_available")
    if available is not None:
        draft.lost(available, "further hyperparameters; add it to the class and to search")
    draft.leave(tuning, {})
    if tuner is not None:
        _compare(draft, tuning, tuner)
        _named(draft, tuner)
    dropped = next((call for call in found.python.calls if call.name in _RANGE_CALLS and _drops(call)), None)
    if dropped is not None and found.source is not None:
        where = Node(found.source, None, (dropped.name,), dropped.line)
        draft.lost(where, "it is called without scaling_type, so SageMaker used Auto; the study takes that of the file")


def _drops(call: Call) -> bool:
    is_code = any(isinstance(each, Code) for each in call.args)
    return is_code and call.name != "CategoricalParameter" and "scaling_type" not in call.kwargs and len(call.args) < 3


def _config_range(draft: Draft, name: str, each: Node) -> None:
    if isinstance(each.value, Call):
        _range_call(draft, name, each)
        return
    kind = each.need("type", "a range").one_of(_TYPES)
    if kind == "categorical":
        draft.search(name, each, choice(each.need("values", "a categorical range").values()))
    else:
        low, high = each.need("min", f"a {kind} range"), each.need("max", f"a {kind} range")
        add_range(draft, name, each, (low, high), whole=kind == "integer", scaling=each.get("scaling_type"))
    draft.leave(each, {})


def _compare(draft: Draft, tuning: Node, tuner: Node) -> None:
    """Says where the call of the tuner has another value than the configuration, which the call does not read."""
    for key in ("max_jobs", "max_parallel_jobs", "objective_type"):
        given, called = tuning.get(key), tuner.get(key)
        if given is not None and called is not None and not isinstance(called.value, Code):
            same = str(given.value).casefold() == str(called.value).casefold()
            text = f"HyperparameterTuner has {key}={called.value!r} in its call and does not read this"
            if not same:
                draft.lost(called, f"{text}: the study takes {given.value!r}")


def _objective(draft: Draft, tuning: Node, found: Found, tuner: Node | None) -> None:
    metric = tuning.first("objective_metric", "objective_metric_name")
    definitions = _definitions(found, tuner)
    kind = tuning.get("objective_type")
    direction = "maximize" if kind is None else kind.one_of(("Maximize", "Minimize")).lower()
    if metric is not None:
        name = metric.text()
        longer = [each for each in definitions if each.endswith(f":{name}")]
        if name not in definitions and len(longer) == 1:
            draft.objective(metric, longer[0], direction)
            draft.converted(metric, f"no metric definition has the name {name}; {longer[0]} is taken")
        else:
            draft.objective(metric, name, direction)
        if kind is None:
            draft.converted(metric, "direction: maximize, SageMaker's default")
    for name, (pattern, node) in definitions.items():
        draft.regex(node, name, pattern)
    if not definitions:
        draft.printed("SageMaker reads metrics by patterns that this file does not have")


def _definitions(found: Found, tuner: Node | None) -> dict[str, tuple[str, Node]]:
    """Returns the metric definitions of Python text: name -> pattern and place."""
    given = None if tuner is None else tuner.get("metric_definitions")
    if given is None or not isinstance(given.value, list):
        estimator = None if tuner is None else tuner.get("estimator")
        call = None if estimator is None else estimator.value
        own = call.kwargs.get("metric_definitions") if isinstance(call, Call) else None
        if isinstance(own, list) and estimator is not None:
            given = Node(found.source, own, ("metric_definitions",), estimator.line)
    if given is None or not isinstance(given.value, list):
        value = found.python.values.get("metric_definitions")
        if not isinstance(value, list):
            return {}
        given = Node(found.source, value, ("metric_definitions",), found.python.lines["metric_definitions"])
    made = {}
    for each in given.each():
        name = each.need("Name", "a metric definition").text()
        pattern = each.need("Regex", "a metric definition")
        made[name] = (pattern.text(), pattern)
    return made


# -- a call of the tuner -----------------------------------------------------------------------------------------------


def _tuner(found: Found, call: Call) -> Node:
    """Returns the arguments of the call by name."""
    given = Lined({**dict(zip(_TUNER_ARGS, call.args, strict=False)), **call.kwargs})
    given.lines = dict.fromkeys(given, call.line)
    return Node(found.source, given, ("HyperparameterTuner",), call.line)


def _from_tuner(draft: Draft, found: Found, tuner: Node) -> None:
    ranges = tuner.need("hyperparameter_ranges", "HyperparameterTuner")
    if isinstance(ranges.value, Code | Call):
        raise ranges.fail(f"{ranges.value!r} is code, and the file is not run; write the ranges as a literal dict")
    for name, each in ranges.items():
        _config_range(draft, name, each)
    _objective(draft, tuner, found, tuner)
    draft.carry(_literal(draft, tuner, "max_jobs"), "budget", "max_trials")
    draft.carry(_literal(draft, tuner, "max_parallel_jobs"), "budget", "parallel")
    draft.carry(_literal(draft, tuner, "random_seed"), "algorithm", "seed")
    sagemaker_job.strategy(draft, _literal(draft, tuner, "strategy"), tuner, None)
    early = _literal(draft, tuner, "early_stopping_type")
    sagemaker_job.early_stopping(draft, early)
    _named(draft, tuner)
    _estimator(draft, tuner)
    draft.leave(tuner, {"warm_start_config": "name the trials of the earlier job in start_from"})


def _estimator(draft: Draft, tuner: Node) -> None:
    """Takes what the estimator runs, if the text has its call."""
    estimator = tuner.get("estimator")
    if estimator is None or not isinstance(estimator.value, Call):
        draft.to_fill("step", "the estimator is code that is not run: take its script, image and resources over")
        return
    call: Call = estimator.value
    given = Lined(call.kwargs)
    given.lines = dict.fromkeys(given, call.line)
    node = Node(estimator.source, given, (call.name,), call.line)
    script = _literal(draft, node, "entry_point")
    if script is not None:
        folder = _literal(draft, node, "source_dir")
        path = script.text() if folder is None or ":" in folder.text() else f"{folder.text()}/{script.text()}"
        draft.carry(script, "step", "command", value=["python", path], note="the hyperparameters follow it")
    draft.carry(_literal(draft, node, "image_uri"), "step", "image")
    sagemaker_job.resources(draft, _literal(draft, node, "instance_type"), _literal(draft, node, "instance_count"))
    fixed = _literal(draft, node, "hyperparameters")
    for name, each in fixed.items() if fixed is not None else ():
        if name in draft.fields:
            continue  # the tuner's range counts
        if isinstance(each.value, Code | Call):
            draft.lost(each, f"{each.value!r} is code, and the file is not run: write the value")
        else:
            draft.fix(name, each, each.value)
    draft.carry(_literal(draft, node, "max_run"), "budget", "trial_timeout")
    node.ignore(["metric_definitions"])
    draft.leave(node, _ESTIMATOR_REASONS)


def _named(draft: Draft, tuner: Node) -> None:
    name = _literal(draft, tuner, "base_tuning_job_name")
    if name is not None:
        draft.name = name.text()
        draft.exact(name, f"name: {draft.name}")


def _literal(draft: Draft, tuner: Node, key: str) -> Node | None:
    found = tuner.get(key)
    if found is not None and isinstance(found.value, Code | Call):
        draft.lost(found, f"{found.value!r} is code, and the file is not run: write the value")
        return None
    return found


def _range_call(draft: Draft, name: str, each: Node) -> None:
    call: Call = each.value
    kind = _RANGE_CALLS.get(call.name)
    if kind is None:
        raise each.fail(f"{call.name} is not a range; known: {', '.join(_RANGE_CALLS)}")
    names = ("values",) if kind == "categorical" else ("min_value", "max_value", "scaling_type")
    given = Lined({**dict(zip(names, call.args, strict=False)), **call.kwargs})
    given.lines = dict.fromkeys(given, call.line)
    node = Node(each.source, given, each.path, call.line)
    if kind == "categorical":
        values = node.need("values", call.name)
        options = values.values() if isinstance(values.value, list) else [values.value]
        draft.search(name, node, choice(options))
    else:
        bounds = (node.need("min_value", call.name), node.need("max_value", call.name))
        add_range(draft, name, node, bounds, whole=kind == "integer", scaling=node.get("scaling_type"))
