"""Reads and writes Katib's objects in a cluster, with the Kubernetes client."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import kubernetes
import urllib3
from kubernetes.client.rest import ApiException

from kftune.errors import ClusterError
from kftune.katib.trial import COLLECTOR

_GROUP, _VERSION = "kubeflow.org", "v1beta1"
# Source: Kubernetes, service account admission: the namespace of every pod with a token.
_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_LABEL = "katib.kubeflow.org/experiment"
_TRIAL_LABEL = "katib.kubeflow.org/trial"
_WATCH_SECONDS = 300
_LOG_BYTES = 1 << 18
_NO_ANSWER = (ApiException, urllib3.exceptions.HTTPError, OSError)
_BUSY = (429, 500, 502, 503, 504)


class EndedPod(NamedTuple):
    """A pod of a trial whose training has ended."""

    name: str
    trial: str
    failed: bool
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

    def create_experiment(self, experiment: dict[str, Any]) -> bool:
        """Creates an Experiment; returns false when the name already exists.

        Raises:
            ClusterError: The cluster refuses it.
        """
        create = self._objects.create_namespaced_custom_object
        return self._katib("create the Experiment", create, "experiments", experiment, unless=409) is not None

    def experiment(self, name: str) -> dict[str, Any] | None:
        """Returns the current state of an Experiment; None when it does not exist.

        Raises:
            ClusterError: The cluster refuses.
        """
        return self._object("experiments", name)

    def suggestion(self, experiment: str) -> dict[str, Any] | None:
        """Returns the Suggestion of an Experiment, which has the state of its algorithm's service; None without one.

        Raises:
            ClusterError: The cluster refuses.
        """
        return self._object("suggestions", experiment)

    def trials(self, experiment: str) -> list[dict[str, Any]]:
        """Returns the trials of an Experiment.

        Raises:
            ClusterError: The cluster refuses.
        """
        fetch = self._objects.list_namespaced_custom_object
        found = self._katib("list the trials", fetch, "trials", label_selector=f"{_LABEL}={experiment}")
        return list(found.get("items", []))

    def delete_experiment(self, name: str) -> None:
        """Deletes an Experiment with its trials, if it exists.

        Raises:
            ClusterError: The cluster refuses it.
        """
        delete = self._objects.delete_namespaced_custom_object
        self._katib("delete the Experiment", delete, "experiments", name, unless=404)

    def own_experiment(self, name: str, owner: dict[str, str]) -> None:
        """Makes an object the owner of an Experiment: the cluster deletes the Experiment with it.

        Args:
            name: The Experiment.
            owner: An owner reference.

        Raises:
            ClusterError: The cluster refuses it.
        """
        # Versions of the client differ in the kind of patch that they send by themselves.
        client = kubernetes.client.ApiClient(header_name="Content-Type", header_value="application/merge-patch+json")
        patch = kubernetes.client.CustomObjectsApi(client).patch_namespaced_custom_object
        change = {"metadata": {"ownerReferences": [owner]}}
        self._katib("set the owner of the Experiment", patch, "experiments", name, change)

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

    def waiting_pods(self, experiment: str) -> Iterator[tuple[str, str]]:
        """Yields the pods of an Experiment that do not run, and why: (name, reason).

        Raises:
            ClusterError: The cluster refuses.
        """
        fetch = self._core.list_namespaced_pod
        pods = self._ask("list the pods", lambda: fetch(self.name, label_selector=f"{_LABEL}={experiment}"))
        for pod in pods.items:
            for reason in _why_waiting(pod):
                yield pod.metadata.name, reason

    def ended_pods(self, experiment: str, container: str) -> Iterator[EndedPod]:
        """Yields the pods of trials whose training has ended, and yields them again when their state changes.

        It ends after some minutes, and when the connection breaks. The next call begins with all pods that exist.

        Args:
            experiment: The Experiment's name.
            container: The container of the training.

        Raises:
            ClusterError: The cluster refuses.
        """
        events = kubernetes.watch.Watch().stream(
            self._core.list_namespaced_pod,
            self.name,
            label_selector=f"{_LABEL}={experiment},{_TRIAL_LABEL}",
            timeout_seconds=_WATCH_SECONDS,
            _request_timeout=(10, _WATCH_SECONDS + 30),
        )
        try:
            for event in events:
                ended = _how_ended(event["object"], container)
                if ended is not None:
                    yield ended
        except _NO_ANSWER as error:
            _raise_if_refused("watch the pods of trials", error)

    def end_of_log(self, pod: EndedPod, lines: int) -> bytes:
        """Returns the last lines of what a trial printed; empty when its pod is gone.

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
            _raise_if_refused("read the logs of trials", error)
            return b""
        return bytes(answer.data)

    def _object(self, plural: str, name: str) -> dict[str, Any] | None:
        fetch = self._objects.get_namespaced_custom_object
        found: dict[str, Any] | None = self._katib(
            f"read {plural.rstrip('s')} {name!r}", fetch, plural, name, unless=404
        )
        return found

    def _katib(
        self, what: str, call: Callable[..., Any], *arguments: object, unless: int | None = None, **options: str
    ) -> Any:
        return self._ask(what, lambda: call(_GROUP, _VERSION, self.name, *arguments, **options), unless)

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
    hint = "; give the service account that right (docs/guides/kubectl.md)" if error.status == 403 else ""
    return f"{message} ({error.status}){hint}"


def _why_waiting(pod: Any) -> Iterator[str]:
    status = pod.status
    for condition in status.conditions or []:
        if condition.type == "PodScheduled" and condition.status == "False":
            yield f"{condition.reason}: {condition.message}"
    for container in [*(status.init_container_statuses or []), *(status.container_statuses or [])]:
        waiting = container.state.waiting if container.state else None
        if waiting is not None and waiting.reason not in (None, "ContainerCreating", "PodInitializing"):
            yield f"container {container.name}: {waiting.reason}: {waiting.message or ''}".rstrip(": ")


def _how_ended(pod: Any, container: str) -> EndedPod | None:
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
        trial=pod.metadata.labels[_TRIAL_LABEL],
        failed=training is None or training.exit_code != 0 or status.phase == "Failed",
        why="; ".join(reasons) or "its pod failed",
        printed_in=COLLECTOR if any(each.name == COLLECTOR for each in pod.spec.containers) else container,
    )
