"""What goes wrong with the trials of an admitted Experiment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.admission.cluster import Cluster
from kftune.katib.admission.webhook_template import is_meta_reference
from kftune.katib.go.types import Path
from kftune.katib.trial.substitution import placeholder
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.shell.commands import command_findings, is_spoilt
from kftune.lint.trial.collecting import collecting_findings
from kftune.lint.trial.conditions import condition_findings, label_findings
from kftune.lint.trial.pod_findings import job_findings, pod_findings
from kftune.lint.trial.pods import TRIAL, Pod, pods_of, texts
from kftune.lint.trial.run_object import RunObject, template_findings

_TEMPLATE = ("spec", "trialTemplate")
_WRAPPED = ("StdOut", "File", "TensorFlowEvent")
_LONGEST_PBT_NAME = 26
_MOST_BYTES = 1_572_864  # etcd's --max-request-bytes
# What JSON needs around them: {"name":"x-12345678","parameterAssignments":[]}, and {"name":"","value":""},
_BYTES_A_SUGGESTION = 47
_BYTES_A_VALUE = 23
_BYTES_OF_DOUBLE = 19
_BYTES_A_RULE = 100
_BYTES_OF_PBT = 160


def trial_findings(
    spec: Mapping[str, Any], metadata: Mapping[str, Any], cluster: Cluster, run: RunObject | None
) -> list[Finding]:
    """The findings about counts, references, containers, metrics and pods.

    Args:
        spec: The decoded spec with its defaults.
        metadata: The decoded metadata.
        cluster: What the cluster holds.
        run: The trial's object, where it is known.
    """
    template = spec["trialTemplate"]
    found = [*_reference_findings(spec, template), *_value_findings(spec), *_budget_findings(spec)]
    found += _size_findings(spec, str(metadata.get("name", "")))
    found += _pbt_findings(spec, str(metadata.get("name", "")))
    found += collecting_findings(spec)
    found += template_findings(spec, cluster, run)
    if run is not None:
        found += run.placed(_run_findings(run, spec, str(metadata.get("name", "")), cluster))
    return found


def _run_findings(run: RunObject, spec: Mapping[str, Any], experiment: str, cluster: Cluster) -> Iterator[Finding]:
    """What goes wrong with the trial's object, its pods and their containers."""
    template = spec["trialTemplate"]
    primary = template["primaryContainerName"]
    yield from _kind_findings(run.kind, cluster)
    if run.kind == ("batch/v1", "Job"):
        yield from job_findings(run.value)
    else:
        from kftune.lint.trial.custom_findings import custom_findings

        refusals = list(custom_findings(run, experiment, primary))
        yield from refusals
        if any(refusal.code == "KT274" and refusal.severity != "advice" for refusal in refusals):
            return  # its pods come no further
    yield from condition_findings(template, run.kind[1])
    yield from label_findings(template, run)
    if run.kind[1] == "TrainJob":
        from kftune.lint.trial.custom_findings import trainer_container

        yield from _command_findings(trainer_container(run.value), (*TRIAL, "spec", "trainer"), spec)
    for pod in pods_of(run.value):
        yield from _container_findings(pod, primary, spec)
        yield from pod_findings(pod, run.kind[1])


def _command_findings(container: Mapping[str, Any], path: Path, spec: Mapping[str, Any]) -> Iterator[Finding]:
    """What Katib's wrapper, if there is one, makes of the training's command, and of the values put into it."""
    collector = spec["metricsCollectorSpec"]["collector"].get("kind", "")
    words = [*texts(container.get("command")), *texts(container.get("args"))]
    if collector not in _WRAPPED or not words:
        return
    yield from command_findings(container, path, collector, early_stopping=spec.get("earlyStopping") is not None)
    named = {
        parameter.get("reference"): parameter.get("name") for parameter in spec["trialTemplate"]["trialParameters"]
    }
    for index, parameter in enumerate(spec.get("parameters", ())):
        for place, value in enumerate(parameter["feasibleSpace"].get("list", ())):
            if is_spoilt(words, placeholder(str(named.get(parameter.get("name")))), value):
                at = ("spec", "parameters", index, "feasibleSpace", "list", place)
                message = f"the shell line has no quotes round this value: {value[:60]!r} does not arrive as written"
                yield finding("KT263", at, message)
                break


def _reference_findings(spec: Mapping[str, Any], template: Mapping[str, Any]) -> Iterator[Finding]:
    references = {parameter.get("reference", "") for parameter in template["trialParameters"]}
    for index, parameter in enumerate(spec.get("parameters", ())):
        name = parameter.get("name", "")
        if name not in references:
            message = f"no trialParameter refers to {name!r}: no trial can be made, and Katib tries for ever"
            yield finding("KT230", ("spec", "parameters", index, "name"), message)
    for index, parameter in enumerate(template["trialParameters"]):
        reference = parameter.get("reference", "")
        if is_meta_reference(reference) and any(f".{key}}}" in reference for key in ("Labels", "Annotations")):
            message = f"{reference} names no key: no trial can be made"
            yield finding("KT232", (*_TEMPLATE, "trialParameters", index, "reference"), message)


def _value_findings(spec: Mapping[str, Any]) -> Iterator[Finding]:
    for index, parameter in enumerate(spec.get("parameters", ())):
        for place, text in enumerate(parameter["feasibleSpace"].get("list", ())):
            if any(sign in text for sign in '"\\\n\r') or "${" in text:
                path = ("spec", "parameters", index, "feasibleSpace", "list", place)
                message = f"{text!r} is put into the template's JSON as it is, and breaks it or becomes another text"
                yield finding("KT261", path, message)


def _budget_findings(spec: Mapping[str, Any]) -> Iterator[Finding]:
    if spec.get("maxTrialCount") is not None:
        return
    if (spec.get("objective") or {}).get("goal") is not None:
        message = "without maxTrialCount an Experiment that reaches its goal restarts, again and again"
        yield finding("KT231", ("spec",), message)
    else:
        yield finding("KT231", ("spec",), "without maxTrialCount and goal the Experiment never ends", "advice")


def _size_findings(spec: Mapping[str, Any], name: str) -> Iterator[Finding]:
    """All suggestions stand in the status of one object, and etcd takes 1.5 MiB of it."""
    a_trial = _BYTES_A_SUGGESTION + len(name)
    for parameter in spec.get("parameters", ()):
        a_trial += _BYTES_A_VALUE + len(parameter.get("name", "").encode()) + _value_bytes(parameter)
    if spec.get("earlyStopping") is not None:
        a_trial += _BYTES_A_RULE + len(spec["objective"]["objectiveMetricName"])
    if spec["algorithm"]["algorithmName"] == "pbt":
        a_trial += _BYTES_OF_PBT + len(name)
    most = spec.get("maxTrialCount") or 0
    if most * a_trial > _MOST_BYTES:
        message = (
            f"{most} trials of about {a_trial} bytes do not fit into the Suggestion object, which may have 1.5 MiB: "
            f"after about {_MOST_BYTES // a_trial} no more are made"
        )
        yield finding("KT235", ("spec", "maxTrialCount"), message)


def _value_bytes(parameter: Mapping[str, Any]) -> int:
    """How long a value is written: a double has all its digits, others are as long as those that are given."""
    space = parameter["feasibleSpace"]
    listed = space.get("list")
    if listed:
        return sum(len(text.encode()) for text in listed) // len(listed)
    if parameter.get("parameterType") == "double" and not space.get("step"):
        return _BYTES_OF_DOUBLE
    return max(len(space.get("min", "")), len(space.get("max", "")))


def _pbt_findings(spec: Mapping[str, Any], name: str) -> Iterator[Finding]:
    if spec["algorithm"]["algorithmName"] != "pbt":
        return
    if len(name) > _LONGEST_PBT_NAME:
        message = (
            f"pbt adds 37 characters to the name of each trial: {name!r} may have {_LONGEST_PBT_NAME}, not {len(name)}"
        )
        yield finding("KT264", ("metadata", "name"), message)
    if spec["resumePolicy"] != "FromVolume":
        yield finding(
            "KT265", ("spec", "resumePolicy"), "pbt keeps its checkpoints in a volume that only FromVolume makes"
        )
    if spec["metricsCollectorSpec"]["collector"].get("kind") == "Push":
        path = ("spec", "metricsCollectorSpec", "collector", "kind")
        yield finding("KT265", path, "with Push pbt's volume is not mounted into the trials", "wrong")


def _kind_findings(kind: tuple[str, str], cluster: Cluster) -> Iterator[Finding]:
    if kind not in cluster.config.trial_kinds:
        message = f"Katib does not watch {kind[1]} of {kind[0]} unless katib-config lists it: the trial never completes"
        yield finding("KT234", (*TRIAL, "kind"), message)


def _container_findings(pod: Pod, primary: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    named = [(container, path) for container, path in pod.containers() if container.get("name") == primary]
    if not named:
        message = f"this pod has no container {primary!r} (primaryContainerName): Katib's webhook refuses the pod"
        yield finding("KT233", (*pod.path, "spec", "containers"), message)
        return
    container, path = named[0]
    if not texts(container.get("command")) and spec["metricsCollectorSpec"]["collector"].get("kind") in _WRAPPED:
        yield from command_findings(container, path, "StdOut")
    else:
        yield from _command_findings(container, path, spec)
    if spec["metricsCollectorSpec"]["collector"].get("kind") in _WRAPPED:
        others = [(container, path) for container, path in pod.containers() if container.get("name") != primary]
        if others:
            message = f"the collector waits until {others[0][0].get('name')!r} has ended too"
            yield finding("KT236", others[0][1], message)
