"""Findings about trials that are stopped early: whether they end, and what kftune's own service asks for.

Source: katib v0.19.0, pkg/webhook/v1beta1/pod (utils.go), pkg/metricscollector/v1beta1/common/pns.go,
pkg/controller.v1beta1/trial/trial_controller.go; trials that were stopped on a cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kftune.earlystopping.names import ALGORITHMS, PREFIX
from kftune.errors import SettingError, near_names
from kftune.katib.admission.cluster import Cluster
from kftune.katib.go.unstructured import as_map
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.trial.pods import TEMPLATE, PodTemplate, pods_of
from kftune.lint.trial.run_object import RunObject

_PATH = ("spec", "earlyStopping")
_STOPPING_COLLECTORS = ("StdOut", "File")


STOPPING_NAME = (*_PATH, "algorithmName")


def meant_by(name: str, cluster: Cluster) -> str:
    """Returns what an unknown algorithm was probably meant to be, behind a semicolon; empty if that is not known.

    Args:
        name: The algorithm.
        cluster: What the cluster contains.
    """
    if name.startswith(PREFIX) and name not in ALGORITHMS:
        from kftune.earlystopping.settings import unknown

        return f"; {unknown(name)}"
    near = near_names(name, sorted(cluster.config.early_stoppings))
    return f"; {near}" if near else ""


def stopping_findings(spec: Mapping[str, Any], cluster: Cluster, run: RunObject | None) -> Iterator[Finding]:
    """Yields what goes wrong when a trial is stopped early.

    Args:
        spec: The decoded spec, with its defaults.
        cluster: What the cluster contains.
        run: The trial's object; None if it is unknown.
    """
    stopping = spec.get("earlyStopping")
    if stopping is None:
        return
    yield from _service_findings(stopping, cluster)
    if spec["metricsCollectorSpec"]["collector"].get("kind") not in _STOPPING_COLLECTORS:
        return
    if spec["algorithm"]["algorithmName"] == "hyperband":
        message = "hyperband waits until each trial of a bracket has succeeded: a stopped one ends the search"
        yield finding("KT269", STOPPING_NAME, message)
    if not spec["trialTemplate"].get("retain"):
        message = "Katib deletes a stopped trial before it reads its metrics, and creates no trials in its place"
        yield finding("KT260", TEMPLATE, message)
    if run is not None and not cluster.config.copies_context:
        primary = spec["trialTemplate"]["primaryContainerName"]
        for pod in pods_of(run.value):
            yield from run.placed(_marker_findings(pod, primary))


def _service_findings(stopping: Mapping[str, Any], cluster: Cluster) -> Iterator[Finding]:
    name = stopping.get("algorithmName", "")
    if not name.startswith(PREFIX):
        return
    from kftune.earlystopping.settings import rule_of

    settings = [(each.get("name", ""), each.get("value", "")) for each in stopping.get("algorithmSettings", ())]
    try:
        rule_of(name, settings)
    except SettingError as error:
        at = ("algorithmSettings", error.setting, "name" if error.at_name else "value")
        place = () if error.setting is None else at
        yield finding("KT268", (*_PATH, *place), f"{error.message}; the Experiment fails")
    if not cluster.config.is_given:
        message = f"{name} needs kftune's early stopping service on the cluster"
        yield finding("KT311", (*_PATH, "algorithmName"), message)


def _marker_findings(pod: PodTemplate, primary: str) -> Iterator[Finding]:
    """Yields a finding if the training cannot overwrite the file that the collector, which is root, makes."""
    if as_map(pod.spec.get("securityContext")).get("runAsUser"):
        return  # of both
    for container, path in pod.maps("containers"):
        user = as_map(container.get("securityContext"))
        text = f"{container.get('command')} {container.get('args')}"
        if container.get("name") != primary or ".pid" in text:
            continue
        if user.get("runAsUser") or user.get("runAsNonRoot") is True:
            message = "the training must be root to overwrite the mark of Katib's collector: a stopped trial never ends"
            yield finding("KT259", (*path, "securityContext"), message)
