"""All findings about the trials of an admitted Experiment, apart from advice."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.admission.cluster import Cluster
from kftune.katib.admission.defaults import KatibVersion
from kftune.katib.admission.webhook_template import is_meta_reference
from kftune.katib.engines.nas import nas_examples
from kftune.katib.go.names import MOST_BYTES
from kftune.katib.go.types import Path
from kftune.katib.go.unstructured import texts
from kftune.katib.trial import WRAPPED_COLLECTORS
from kftune.katib.trial.substitution import placeholder
from kftune.katib.trial.wrapper import image_problem
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.shell.words import is_plain
from kftune.lint.trial.collector import collector_findings
from kftune.lint.trial.conditions import condition_findings, label_findings
from kftune.lint.trial.config_maps import config_map_findings
from kftune.lint.trial.pod_findings import job_findings, pod_findings
from kftune.lint.trial.pods import TEMPLATE, TRIAL, PodTemplate, pods_of
from kftune.lint.trial.queues import queue_findings
from kftune.lint.trial.root_images import root_findings
from kftune.lint.trial.run_object import RunObject, template_findings
from kftune.lint.trial.security import collector_pod_findings
from kftune.shell import HARMLESS

_QUOTED_PLACEHOLDER = re.compile(r"""(?:-{0,2}[\w.-]+=)?(["'])\$\{trialParameters\.[^}]*\}\1""")
_LONGEST_PBT_NAME = 26
# The JSON around the texts: {"name":"x-12345678","parameterAssignments":[]}, and {"name":"","value":""},
_BYTES_PER_SUGGESTION = 47
_BYTES_PER_VALUE = 23
_BYTES_PER_DOUBLE = 19
_BYTES_PER_RULE = 100
_BYTES_OF_PBT = 160


def trial_findings(
    spec: Mapping[str, Any],
    metadata: Mapping[str, Any],
    cluster: Cluster,
    run: RunObject | None,
    version: KatibVersion,
) -> list[Finding]:
    """Returns the findings about counts, references, containers, metrics and pods.

    Args:
        spec: The decoded spec with its defaults.
        metadata: The decoded metadata.
        cluster: What the cluster holds.
        run: The trial's object; None if it is unknown.
        version: Katib's version.
    """
    name = str(metadata.get("name", ""))
    found = [*_reference_findings(spec), *_value_findings(spec), *_budget_findings(spec)]
    found += [*_size_findings(spec, name), *_pbt_findings(spec, name)]
    found += [*collector_findings(spec), *template_findings(spec, cluster, run)]
    if run is not None:
        found += run.placed(_run_findings(run, spec, name, cluster))
        space = str(metadata.get("namespace") or "default")
        config_maps = {name: data for (owner, name), data in cluster.config_maps.items() if owner == space}
        for pod in pods_of(run.value) if config_maps else ():
            found += run.placed(config_map_findings(pod, config_maps))
        found += run.placed(_entrypoint_findings(run, spec, version))
    return found


def _run_findings(run: RunObject, spec: Mapping[str, Any], experiment: str, cluster: Cluster) -> Iterator[Finding]:
    """Yields what goes wrong with the trial's object, its pods and their containers."""
    template, kind = spec["trialTemplate"], run.kind[1]
    primary = template["primaryContainerName"]
    if run.kind not in cluster.config.trial_kinds:
        message = f"Katib watches {kind} of {run.kind[0]} only if katib-config lists it: the trial never completes"
        yield finding("KT234", (*TRIAL, "kind"), message)
    if run.kind == ("batch/v1", "Job"):
        yield from job_findings(run.value)
    else:
        from kftune.lint.trial.custom_findings import custom_findings

        refusals = list(custom_findings(run, experiment, primary))
        yield from refusals
        if any(refusal.code == "KT274" and refusal.severity != "advice" for refusal in refusals):
            return  # its pods are never created
    yield from queue_findings(run.value)
    yield from condition_findings(template, kind)
    yield from label_findings(template, run)
    if kind == "TrainJob":
        from kftune.lint.trial.custom_findings import trainer_container

        yield from _command_findings(trainer_container(run.value), (*TRIAL, "spec", "trainer"), spec)
    for pod in pods_of(run.value):
        yield from _container_findings(pod, primary, spec)
        yield from pod_findings(pod, kind)
        yield from root_findings(pod)
        labels, copies = template.get("primaryPodLabels") or {}, cluster.config.copies_context
        yield from collector_pod_findings(pod, _collector(spec), labels, copies_context=copies)


def _entrypoint_findings(run: RunObject, spec: Mapping[str, Any], version: KatibVersion) -> Iterator[Finding]:
    """Yields the images whose entrypoint Katib cannot look up, where it must."""
    if _collector(spec) not in WRAPPED_COLLECTORS:
        return
    primary = spec["trialTemplate"]["primaryContainerName"]
    for container, path in itertools.chain.from_iterable(pod.maps("containers") for pod in pods_of(run.value)):
        image = container.get("image")
        if container.get("name") != primary or texts(container.get("command")) or not isinstance(image, str):
            continue
        problem = image_problem(image, strict=version != "0.18")
        if image and "${trial" not in image and problem:
            message = f"there is no command, and Katib cannot look up that of {image!r}: {problem}"
            yield finding("KT256", (*path, "image"), message)


def _container_findings(pod: PodTemplate, primary: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    containers = list(pod.maps("containers"))
    named = [entry for entry in containers if entry[0].get("name") == primary]
    if not named:
        message = f"this pod has no container {primary!r} (primaryContainerName): Katib's webhook rejects the pod"
        yield finding("KT233", (*pod.path, "spec", "containers"), message)
        return
    container, path = named[0]
    wrapped = _collector(spec) in WRAPPED_COLLECTORS
    if not wrapped or texts(container.get("command")):
        yield from _command_findings(container, path, spec)
    else:
        from kftune.lint.shell.lines import command_findings

        yield from command_findings(container, path, "StdOut")
    if not wrapped:
        return
    for sidecar, place in pod.maps("initContainers"):
        if sidecar.get("restartPolicy") == "Always":
            message = f"{sidecar.get('name')!r} ends after all other containers, and the collector waits for its end"
            yield finding("KT236", place, message, "hangs")
    others = [entry for entry in containers if entry[0].get("name") != primary]
    if others:
        yield finding("KT236", others[0][1], f"the collector also waits for the end of {others[0][0].get('name')!r}")


def _collector(spec: Mapping[str, Any]) -> str:
    return str(spec["metricsCollectorSpec"]["collector"].get("kind", ""))


def _command_findings(container: Mapping[str, Any], path: Path, spec: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields what Katib's wrapper, if it is used, does to the training's command and to the values in it."""
    command = texts(container.get("command"))
    words = [*command, *texts(container.get("args"))]
    if _collector(spec) not in WRAPPED_COLLECTORS:
        yield from _quote_findings(container, path, _collector(spec))
        return
    unusual = [each for each in (*_listed(spec), *_nas_values(spec)) if not HARMLESS.fullmatch(each[1])]
    if not words or (command and is_plain(words) and not unusual):
        return
    from kftune.lint.shell.lines import command_findings
    from kftune.lint.shell.values import is_split, is_whole_argument

    stops = spec.get("earlyStopping") is not None
    yield from command_findings(container, path, _collector(spec), early_stopping=stops)
    named = {each.get("reference"): each.get("name") for each in spec["trialTemplate"]["trialParameters"]}
    # A value that is a whole argument, or nothing: the shell is to split it.
    reported = {
        parameter
        for parameter in {each[0] for each in unusual}
        if is_whole_argument(
            words, placeholder(str(named.get(parameter))), [each[1] for each in _listed(spec) if each[0] == parameter]
        )
    }
    for parameter, value, path in unusual:
        name = named.get(parameter)
        if parameter not in reported and is_split(words, placeholder(str(name)), value):
            reported.add(parameter)
            shown = f"{value[:60]!r} does not arrive as written"
            message = f"the shell line has no quotes for this value around {placeholder(str(name))}: {shown}"
            yield finding("KT263", path, message)


def _quote_findings(container: Mapping[str, Any], path: Path, collector: str) -> Iterator[Finding]:
    """Yields quotes for a shell around a placeholder where no shell removes them."""
    for field in ("command", "args"):
        for index, token in enumerate(texts(container.get(field))):
            if _QUOTED_PLACEHOLDER.fullmatch(token):
                message = f"with the collector {collector} there is no shell line: {token} arrives with its quotes"
                yield finding("KT254", (*path, field, index), message)


def _listed(spec: Mapping[str, Any]) -> Iterator[tuple[str | None, str, Path]]:
    """Yields the values in the lists of parameters: the parameter's name, the value and its path."""
    for index, parameter in enumerate(spec.get("parameters", ())):
        for place, value in enumerate(parameter["feasibleSpace"].get("list", ())):
            yield parameter.get("name"), value, ("spec", "parameters", index, "feasibleSpace", "list", place)


def _nas_values(spec: Mapping[str, Any]) -> Iterator[tuple[str | None, str, Path]]:
    """Yields examples of the texts that an engine for architectures gives: the reference, the text and its path."""
    examples = nas_examples(spec["algorithm"]["algorithmName"])
    for index, parameter in enumerate(spec["trialTemplate"]["trialParameters"]):
        reference = parameter.get("reference")
        if reference in examples:
            yield reference, examples[reference], (*TEMPLATE, "trialParameters", index, "reference")


def _reference_findings(spec: Mapping[str, Any]) -> Iterator[Finding]:
    trial_parameters = spec["trialTemplate"]["trialParameters"]
    references = {parameter.get("reference", "") for parameter in trial_parameters}
    for index, parameter in enumerate(spec.get("parameters", ())):
        name = parameter.get("name", "")
        if name not in references:
            message = f"no trialParameter refers to {name!r}: Katib cannot create trials and retries forever"
            yield finding("KT230", ("spec", "parameters", index, "name"), message)
    for index, parameter in enumerate(trial_parameters):
        reference = parameter.get("reference", "")
        if is_meta_reference(reference) and any(f".{key}}}" in reference for key in ("Labels", "Annotations")):
            path = (*TEMPLATE, "trialParameters", index, "reference")
            yield finding("KT232", path, f"{reference} has no key: Katib cannot create trials")


def _value_findings(spec: Mapping[str, Any]) -> Iterator[Finding]:
    for _, text, path in _listed(spec):
        if any(sign in text for sign in '"\\\n\r') or "${" in text:
            message = f"{text!r} is copied into the template's JSON unchanged, and breaks it or becomes another text"
            yield finding("KT261", path, message)


def _budget_findings(spec: Mapping[str, Any]) -> Iterator[Finding]:
    if spec.get("maxTrialCount") is not None:
        return
    if (spec.get("objective") or {}).get("goal") is not None:
        yield finding("KT231", ("spec",), "without maxTrialCount the Experiment runs until it reaches its goal")
    else:
        yield finding("KT231", ("spec",), "without maxTrialCount and goal the Experiment never ends")


def _size_findings(spec: Mapping[str, Any], name: str) -> Iterator[Finding]:
    """Yields a finding if the suggestions, which one object holds in its status, exceed etcd's limit of 1.5 MiB."""
    per_trial = _BYTES_PER_SUGGESTION + len(name)
    for parameter in spec.get("parameters", ()):
        per_trial += _BYTES_PER_VALUE + len(parameter.get("name", "").encode()) + _value_bytes(parameter)
    if spec.get("earlyStopping") is not None:
        per_trial += _BYTES_PER_RULE + len(spec["objective"]["objectiveMetricName"])
    if spec["algorithm"]["algorithmName"] == "pbt":
        per_trial += _BYTES_OF_PBT + len(name)
    most = spec.get("maxTrialCount") or 0
    if most * per_trial > MOST_BYTES:
        stops = f"Katib stops after about {MOST_BYTES // per_trial} trials"
        message = f"{most} trials of about {per_trial} bytes exceed the Suggestion object's limit of 1.5 MiB: {stops}"
        yield finding("KT235", ("spec", "maxTrialCount"), message)


def _value_bytes(parameter: Mapping[str, Any]) -> int:
    """Returns the usual length of a value: all digits for a double, otherwise the length of the given values."""
    space = parameter["feasibleSpace"]
    listed = space.get("list")
    if listed:
        return sum(len(text.encode()) for text in listed) // len(listed)
    if parameter.get("parameterType") == "double" and not space.get("step"):
        return _BYTES_PER_DOUBLE
    return max(len(space.get("min", "")), len(space.get("max", "")))


def _pbt_findings(spec: Mapping[str, Any], name: str) -> Iterator[Finding]:
    if spec["algorithm"]["algorithmName"] != "pbt":
        yield from _folder_findings(spec)
        return
    if len(name) > _LONGEST_PBT_NAME:
        message = f"pbt adds 37 characters to each trial's name, so the name may have {_LONGEST_PBT_NAME} of them"
        yield finding("KT264", ("metadata", "name"), f"{message}, but {name!r} has {len(name)}")
    if spec["resumePolicy"] != "FromVolume":
        path: Path = ("spec", "resumePolicy")
        yield finding("KT265", path, "pbt keeps its checkpoints in a volume that only FromVolume creates")
    if _collector(spec) == "Push":
        path = ("spec", "metricsCollectorSpec", "collector", "kind")
        yield finding("KT265", path, "with Push pbt's volume is not mounted into the trials", "wrong")


def _folder_findings(spec: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields a finding if Katib mounts pbt's volume, as it does for every algorithm with this setting."""
    for index, setting in enumerate(spec["algorithm"].get("algorithmSettings", ())):
        asked = setting.get("name") == "suggestion_trial_dir" and setting.get("value")
        if asked and spec["resumePolicy"] != "FromVolume" and _collector(spec) != "Push":
            path = ("spec", "algorithm", "algorithmSettings", index, "name")
            yield finding("KT265", path, "Katib mounts a volume for this setting, and only FromVolume creates it")
