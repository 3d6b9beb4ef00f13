"""What goes wrong with the trials of an admitted Experiment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.admission.cluster import Cluster
from kftune.katib.admission.webhook_template import is_meta_reference
from kftune.katib.go.quantity import parse
from kftune.lint.collecting import collecting_findings
from kftune.lint.commands import command_findings
from kftune.lint.findings import finding
from kftune.lint.pods import TRIAL, Pod, as_map, pods_of
from kftune.lint.rule import Finding

_TEMPLATE = ("spec", "trialTemplate")
_WRAPPED = ("StdOut", "File", "TensorFlowEvent")
_LONGEST_PBT_NAME = 26
_MOST_BYTES = 1_500_000
_BYTES_A_SUGGESTION = 45
_BYTES_A_VALUE = 38


def trial_findings(spec: Mapping[str, Any], metadata: Mapping[str, Any], cluster: Cluster) -> list[Finding]:
    """The findings about counts, references, containers, metrics and pods.

    Args:
        spec: The decoded spec with its defaults.
        metadata: The decoded metadata.
        cluster: What the cluster holds.
    """
    template = spec["trialTemplate"]
    trial = template.get("trialSpec")
    found = [*_reference_findings(spec, template), *_value_findings(spec), *_budget_findings(spec)]
    found += _size_findings(spec, str(metadata.get("name", "")))
    found += _pbt_findings(spec, str(metadata.get("name", "")))
    found += collecting_findings(spec)
    if trial is not None:
        found += _kind_findings(trial, cluster)
        collector = spec["metricsCollectorSpec"]["collector"].get("kind", "")
        for pod in pods_of(trial):
            found += _container_findings(pod, template["primaryContainerName"], collector)
            found += _pod_findings(pod, str(trial.get("kind")))
    return found


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
        yield finding("KT231", ("spec",), "without maxTrialCount and goal the Experiment never ends", "habit")


def _size_findings(spec: Mapping[str, Any], name: str) -> Iterator[Finding]:
    """All suggestions stand in the status of one object, and etcd takes 1.5 MiB of it."""
    a_trial = _BYTES_A_SUGGESTION + len(name)
    a_trial += sum(_BYTES_A_VALUE + len(parameter.get("name", "")) for parameter in spec.get("parameters", ()))
    most = spec.get("maxTrialCount") or 0
    if most * a_trial > _MOST_BYTES:
        message = (
            f"{most} trials of about {a_trial} bytes do not fit into the Suggestion object, which may have 1.5 MiB"
        )
        yield finding("KT235", ("spec", "maxTrialCount"), message)


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


def _kind_findings(trial: Mapping[str, Any], cluster: Cluster) -> Iterator[Finding]:
    kind = (str(trial.get("apiVersion")), str(trial.get("kind")))
    if kind not in cluster.config.trial_kinds:
        message = f"Katib does not watch {kind[1]} of {kind[0]} unless katib-config lists it: the trial never completes"
        yield finding("KT234", (*TRIAL, "kind"), message)


def _container_findings(pod: Pod, primary: str, collector: str) -> Iterator[Finding]:
    named = [(container, path) for container, path in pod.containers() if container.get("name") == primary]
    if not named:
        message = f"this pod has no container {primary!r} (primaryContainerName): Katib's webhook refuses the pod"
        yield finding("KT233", (*pod.path, "spec", "containers"), message)
    elif collector in _WRAPPED:
        yield from command_findings(*named[0], collector)
        others = [(container, path) for container, path in pod.containers() if container.get("name") != primary]
        if others:
            message = f"the collector waits until {others[0][0].get('name')!r} has ended too"
            yield finding("KT236", others[0][1], message)


def _pod_findings(pod: Pod, kind: str) -> Iterator[Finding]:
    """What the API server refuses when the trial's object is created; only a Job's pod is checked there."""
    if kind != "Job":
        return
    policy = pod.spec.get("restartPolicy")
    if policy not in ("Never", "OnFailure"):
        message = f"a Job's restartPolicy is Never or OnFailure, and this is {policy or 'not given'}: no Job is created"
        yield finding("KT270", (*pod.path, "spec", "restartPolicy"), message)
    names: set[str] = set()
    volumes = {volume.get("name") for volume in map(as_map, pod.spec.get("volumes") or ())}
    for group in ("initContainers", "containers"):
        for container, path in pod.containers(group):
            name = str(container.get("name") or "")
            if name in names:
                yield finding("KT271", (*path, "name"), f"two containers are called {name!r}: no Job is created")
            names.add(name)
            if not name or not container.get("image"):
                missing = "name" if not name else "image"
                yield finding("KT271", path, f"a container has no {missing}: no Job is created")
            yield from _mount_findings(container, path, volumes)
            yield from _resource_findings(as_map(container.get("resources")), (*path, "resources"))


def _mount_findings(container: Mapping[str, Any], path: tuple[str | int, ...], volumes: set[Any]) -> Iterator[Finding]:
    for index, mount in enumerate(map(as_map, container.get("volumeMounts") or ())):
        if mount.get("name") not in volumes:
            message = f"volumeMounts names {mount.get('name')!r}, which is no volume of the pod: no Job is created"
            yield finding("KT272", (*path, "volumeMounts", index, "name"), message)


def _resource_findings(resources: Mapping[str, Any], path: tuple[str | int, ...]) -> Iterator[Finding]:
    limits = as_map(resources.get("limits"))
    for name, text in as_map(resources.get("requests")).items():
        asked, most = parse(str(text)), parse(str(limits.get(name, "")))
        if asked is not None and most is not None and asked > most:
            message = f"the request of {name}, {text}, is above its limit, {limits[name]}: no Job is created"
            yield finding("KT273", (*path, "requests", name), message)
