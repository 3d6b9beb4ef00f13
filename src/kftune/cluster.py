"""Reads and writes Katib's objects and jobs in a cluster, with the Kubernetes client."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import kubernetes
import urllib3
from kubernetes.client.rest import ApiException

from kftune.errors import ClusterError
from kftune.katib.trial import COLLECTOR, EXPERIMENT_LABEL

# Source: Kubernetes, service account admission: the namespace of every pod with a token.
_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_TRIAL_LABEL = "katib.kubeflow.org/trial"
_WATCH_SECONDS = 300
_LOG_BYTES = 1 << 18
_NO_ANSWER = (ApiException, urllib3.exceptions.HTTPError, OSError)
_BUSY = (429, 500, 502, 503, 504)


class Kind(NamedTuple):
    """A kind of custom object."""

    kind: str
    group: str
    version: str

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Kind:
        """Returns the kind of an object.

        Args:
            manifest: The object.
        """
        group, _, version = manifest["apiVersion"].partition("/")
        return cls(manifest["kind"], group, version)

    @property
    def plural(self) -> str:
        """Its name in the API."""
        return f"{self.kind.lower()}s"


EXPERIMENT = Kind("Experiment", "kubeflow.org", "v1beta1")
SUGGESTION = EXPERIMENT._replace(kind="Suggestion")
TRIAL = EXPERIMENT._replace(kind="Trial")


class PodsOf(NamedTuple):
    """Pods, by their labels."""

    selector: str
    label: str
    """The label that names what a pod belongs to."""
    what: str
    """What that is (``a trial``)."""

    @classmethod
    def experiment(cls, name: str) -> PodsOf:
        """Returns the pods of an Experiment's trials.

        Args:
            name: The Experiment.
        """
        return cls(f"{EXPERIMENT_LABEL}={name}", _TRIAL_LABEL, "a trial")

    @classmethod
    def labelled(cls, label: str, name: str, what: str) -> PodsOf:
        """Returns the pods that have the name of their owner in a label.

        Args:
            label: The label.
            name: The owner.
            what: What the owner is.
        """
        return cls(f"{label}={name}", label, what)


class EndedPod(NamedTuple):
    """A pod whose training has ended."""

    name: str
    owner: str
    """The trial or job that it belongs to."""
    failed: bool
    lost: bool
    """Whether it was ended because of its node: reclaimed, drained, or needed for other pods."""
    why: str
    """Exit code, and what the cluster says about it."""
    printed_in: str
    """The container whose log has what the training printed."""


class Namespace:
    """One namespace, in the cluster of this pod or in that of the kubeconfig.

    Args:
        name: The namespace; None uses that of the pod, or of the kubeconfig's context.
        patience: Seconds for which requests to a busy server are repeated.

    Raises:
        ClusterError: No cluster is configured.
    """

    def __init__(self, name: str | None = None, patience: float = 300.0) -> None:
        try:
            kubernetes.config.load_incluster_config()
            own = _OWN_NAMESPACE.read_text(encoding="utf-8").strip()
        except (kubernetes.config.ConfigException, OSError):
            own = _from_kubeconfig()
        self.name = name or own
        self._patience = patience
        self._objects = kubernetes.client.CustomObjectsApi()
        self._core = kubernetes.client.CoreV1Api()

    def create(self, manifest: dict[str, Any]) -> bool:
        """Creates an object; returns false when the name already exists.

        Args:
            manifest: The object.

        Raises:
            ClusterError: The cluster refuses it, or does not know its kind.
        """
        kind = Kind.of(manifest)
        create = self._objects.create_namespaced_custom_object
        return self._custom(f"create the {kind.kind}", kind, create, manifest, unless=409) is not None

    def find(self, kind: Kind, name: str) -> dict[str, Any] | None:
        """Returns the current state of an object; None when it does not exist.

        Args:
            kind: Its kind.
            name: Its name.

        Raises:
            ClusterError: The cluster refuses.
        """
        fetch = self._objects.get_namespaced_custom_object
        found: dict[str, Any] | None = self._custom(f"read {kind.kind} {name!r}", kind, fetch, name, unless=404)
        return found

    def trials(self, experiment: str) -> list[dict[str, Any]]:
        """Returns the trials of an Experiment.

        Raises:
            ClusterError: The cluster refuses.
        """
        return self._listed(TRIAL, f"{EXPERIMENT_LABEL}={experiment}")

    def names(self, kind: Kind) -> list[str]:
        """Returns the names of all objects of a kind.

        Args:
            kind: The kind.

        Raises:
            ClusterError: The cluster refuses, or does not know the kind.
        """
        return sorted(str(each["metadata"]["name"]) for each in self._listed(kind))

    def _listed(self, kind: Kind, labels: str = "") -> list[dict[str, Any]]:
        fetch = self._objects.list_namespaced_custom_object
        return list(self._custom(f"list the {kind.plural}", kind, fetch, label_selector=labels).get("items", []))

    def delete(self, kind: Kind, name: str, policy: str = "Background") -> None:
        """Deletes an object and all that belongs to it, if it exists.

        Args:
            kind: Its kind.
            name: Its name.
            policy: ``Foreground`` keeps it until what belongs to it is gone.

        Raises:
            ClusterError: The cluster refuses it.
        """
        delete = self._objects.delete_namespaced_custom_object
        self._custom(f"delete the {kind.kind}", kind, delete, name, unless=404, propagation_policy=policy)

    def own(self, kind: Kind, name: str, owner: dict[str, str]) -> None:
        """Makes an object the owner of another: the cluster deletes the other with it.

        Args:
            kind: The other's kind.
            name: The other's name.
            owner: An owner reference.

        Raises:
            ClusterError: The cluster refuses it.
        """
        # Versions of the client differ in the kind of patch that they send by themselves.
        client = kubernetes.client.ApiClient(header_name="Content-Type", header_value="application/merge-patch+json")
        patch = kubernetes.client.CustomObjectsApi(client).patch_namespaced_custom_object
        change = {"metadata": {"ownerReferences": [owner]}}
        self._custom(f"set the owner of the {kind.kind}", kind, patch, name, change)

    def owner(self) -> dict[str, str] | None:
        """Returns a reference to what controls the pod of this process, such as a Workflow.

        Returns:
            The owner reference; None outside a pod, in a pod of another namespace, and in a pod that nothing controls.

        Raises:
            ClusterError: The cluster refuses.
        """
        pod = _own_pod(kubernetes.client.Configuration.get_default_copy().get_api_key_with_prefix("authorization"))
        if pod is None or pod[0] != self.name:
            return None
        fetch = self._core.list_namespaced_pod
        found = self._ask(
            "read the pod of this step", lambda: fetch(self.name, field_selector=f"metadata.name={pod[1]}")
        )
        for each in found.items:
            for owner in each.metadata.owner_references or []:
                if owner.controller:
                    return {"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": owner.uid}
        return None

    def waiting_pods(self, pods: PodsOf) -> Iterator[tuple[str, str]]:
        """Yields pods that do not run, and why: (name, reason).

        Args:
            pods: Which pods.

        Raises:
            ClusterError: The cluster refuses.
        """
        fetch = self._core.list_namespaced_pod
        found = self._ask("list the pods", lambda: fetch(self.name, label_selector=pods.selector))
        for pod in found.items:
            for reason in _why_waiting(pod):
                yield pod.metadata.name, reason

    def ended_pods(self, pods: PodsOf, container: str) -> Iterator[EndedPod]:
        """Yields the pods whose training has ended, and yields them again when their state changes.

        It ends after some minutes, and when the connection breaks. The next call begins with all pods that exist.

        Args:
            pods: Which pods.
            container: The container of the training.

        Raises:
            ClusterError: The cluster refuses.
        """
        events = kubernetes.watch.Watch().stream(
            self._core.list_namespaced_pod,
            self.name,
            label_selector=f"{pods.selector},{pods.label}",
            timeout_seconds=_WATCH_SECONDS,
            _request_timeout=(10, _WATCH_SECONDS + 30),
        )
        try:
            for event in events:
                ended = _how_ended(event["object"], container, pods.label)
                if ended is not None:
                    yield ended
        except _NO_ANSWER as error:
            _raise_if_refused("watch the pods", error)

    def end_of_log(self, pod: EndedPod, lines: int) -> bytes:
        """Returns the last lines of what a training printed; empty when its pod is gone.

        Args:
            pod: The pod.
            lines: How many, at most.

        Raises:
            ClusterError: The cluster refuses.
        """
        options = {"container": pod.printed_in, "tail_lines": lines, "limit_bytes": _LOG_BYTES}
        try:
            # The client would decode the answer, and fails where that is not UTF-8.
            answer = self._core.read_namespaced_pod_log(pod.name, self.name, **options, _preload_content=False)
        except _NO_ANSWER as error:
            _raise_if_refused("read the logs", error)
            return b""
        return bytes(answer.data)

    def _custom(
        self,
        what: str,
        kind: Kind,
        call: Callable[..., Any],
        *arguments: object,
        unless: int | None = None,
        **options: str,
    ) -> Any:
        place = kind.group, kind.version, self.name, kind.plural
        return self._ask(what, lambda: call(*place, *arguments, **options), unless)

    def _ask(self, what: str, question: Callable[[], Any], unless: int | None = None) -> Any:
        """Returns the server's answer, or None for the status `unless`; repeats the request while it is busy."""
        end = time.monotonic() + self._patience
        wait = 1.0
        while True:
            try:
                return question()
            except ApiException as error:
                if error.status == unless:
                    return None
                if error.status not in _BUSY or time.monotonic() + wait > end:
                    raise ClusterError(f"cannot {what}: {_said(error)}") from None
            except (urllib3.exceptions.HTTPError, OSError) as error:
                if time.monotonic() + wait > end:
                    raise ClusterError(f"cannot {what}: the cluster does not answer: {error}") from None
            time.sleep(wait)
            wait = min(wait * 2, 30.0)


def _from_kubeconfig() -> str:
    try:
        # The client itself reads the variable only once, when it is imported.
        file = os.environ.get("KUBECONFIG")
        kubernetes.config.load_kube_config(file)
        _, context = kubernetes.config.list_kube_config_contexts(file)
    except (kubernetes.config.ConfigException, OSError) as error:
        raise ClusterError(
            f"no cluster is configured: this process is not in a pod with a service account's token, and {error}; "
            f"set KUBECONFIG, or give the pod a service account"
        ) from None
    return str(context["context"].get("namespace") or "default")


def _own_pod(authorization: str | None) -> tuple[str, str] | None:
    """Returns namespace and name of the pod that a token was made for; None for other tokens.

    Source: Kubernetes, bound service account tokens: the claim ``kubernetes.io``.
    """
    try:
        _, payload, _ = (authorization or "").split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["kubernetes.io"]
        return str(claims["namespace"]), str(claims["pod"]["name"])
    except (ValueError, KeyError, TypeError):
        return None


def _raise_if_refused(what: str, error: Exception) -> None:
    """Raises an error about a missing right; not about what is gone, nor about a connection that broke."""
    if isinstance(error, ApiException) and error.status in (401, 403):
        raise ClusterError(f"cannot {what}: {_said(error)}") from None


def _said(error: ApiException) -> str:
    try:
        message = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        message = error.reason
    return f"{message} ({error.status}){_HINTS.get(error.status, '')}"


_HINTS = {
    403: "; give the service account that right (docs/guides/kubectl.md)",
    404: "; the cluster does not know that kind, or has no such namespace: install what provides the kind",
}


def _why_waiting(pod: Any) -> Iterator[str]:
    status = pod.status
    for condition in status.conditions or []:
        if condition.type == "PodScheduled" and condition.status == "False":
            yield f"{condition.reason}: {condition.message}"
    for container in [*(status.init_container_statuses or []), *(status.container_statuses or [])]:
        waiting = container.state.waiting if container.state else None
        if waiting is not None and waiting.reason not in (None, "ContainerCreating", "PodInitializing"):
            yield f"container {container.name}: {waiting.reason}: {waiting.message or ''}".rstrip(": ")


def _how_ended(pod: Any, container: str, label: str) -> EndedPod | None:
    status = pod.status
    states = {each.name: each.state.terminated for each in status.container_statuses or [] if each.state}
    training = states.get(container)
    if training is None and status.phase != "Failed":
        return None
    reasons = []
    if training is not None:
        named = "" if training.reason in (None, "Error", "Completed") else f" ({training.reason})"
        reasons.append(f"exit code {training.exit_code}{named}")
    if status.reason:
        reasons.append(": ".join(filter(None, (status.reason, status.message))))
    return EndedPod(
        name=pod.metadata.name,
        owner=pod.metadata.labels[label],
        failed=training is None or training.exit_code != 0 or status.phase == "Failed",
        lost=any(each.type == "DisruptionTarget" and each.status == "True" for each in status.conditions or []),
        why="; ".join(reasons) or "its pod failed",
        printed_in=COLLECTOR if any(each.name == COLLECTOR for each in pod.spec.containers) else container,
    )
