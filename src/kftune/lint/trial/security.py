"""Findings about the collector that Katib adds to a pod: the user it runs as, and the names it knows.

Source: katib v0.19.0, pkg/webhook/v1beta1/pod (inject_webhook.go); Kubernetes, pkg/kubelet/kuberuntime
(security_context.go); trials on a cluster with both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.go.unstructured import as_map
from kftune.katib.trial import WRAPPED_COLLECTORS
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.trial.pods import PodTemplate
from kftune.lint.trial.root_images import forbids_root

_ROLE = "training.kubeflow.org/job-role"  # the training operator gives it to masters only
_INJECTED = (*WRAPPED_COLLECTORS, "PrometheusMetric")


def collector_pod_findings(
    pod: PodTemplate, collector: str, labels: Mapping[str, str], *, copies_context: bool
) -> Iterator[Finding]:
    """Yields what keeps the collector that Katib adds to a pod from starting.

    Args:
        pod: The pod template.
        collector: The metrics collector's kind.
        labels: The labels of the pods that get the collector; empty for all pods.
        copies_context: Whether Katib gives the collector the first container's securityContext.
    """
    if collector not in _INJECTED or not _has_labels(pod, labels):
        return
    if pod.spec.get("hostPID") is True:
        message = "Katib lets the pod's containers share their processes, which excludes hostPID: no pod is created"
        yield finding("KT277", (*pod.path, "spec", "hostPID"), message)
    yield from _name_findings(pod)
    first, path = next(pod.maps("containers"), ({}, pod.path))
    copied = as_map(first.get("securityContext")) if copies_context else {}
    if copied.get("runAsNonRoot") is None:
        path = (*pod.path, "spec")
    if forbids_root(as_map(pod.spec.get("securityContext")), copied):
        message = "Katib's collector runs as root in this pod, so it never starts: the trial stays Running"
        yield finding("KT279", (*path, "securityContext", "runAsNonRoot"), message)


def _name_findings(pod: PodTemplate) -> Iterator[Finding]:
    """Yields what keeps the collector from finding Katib's database by its name in the cluster."""
    policy, path = pod.spec.get("dnsPolicy"), (*pod.path, "spec")
    effect = "Katib's collector does not find Katib's database, and the trial fails"
    if policy == "Default":
        yield finding("KT282", (*path, "dnsPolicy"), f"with dnsPolicy Default {effect}")
    elif pod.spec.get("hostNetwork") is True and policy in (None, "ClusterFirst"):
        message = f"on the node's network names are the node's, without dnsPolicy ClusterFirstWithHostNet: {effect}"
        yield finding("KT282", (*path, "hostNetwork"), message)


def _has_labels(pod: PodTemplate, labels: Mapping[str, str]) -> bool:
    """Returns whether a pod may have all labels; those that it does not write come from its controller."""
    own = as_map(pod.metadata.get("labels"))
    if "Worker" in pod.path and labels.get(_ROLE) == "master":
        return False
    return all(own.get(name, text) == text for name, text in labels.items())


def may_be_root(pod: PodTemplate, container: Mapping[str, Any]) -> bool:
    """Returns whether nothing keeps a container from running as root.

    Args:
        pod: The pod template.
        container: One of its containers.
    """
    context = {**as_map(pod.spec.get("securityContext")), **as_map(container.get("securityContext"))}
    user = context.get("runAsUser")
    return context.get("runAsNonRoot") is not True and not (isinstance(user, int) and user > 0)
