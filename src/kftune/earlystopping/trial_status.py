"""Marks trials as stopped early, through the Kubernetes API and with the account of the pod.

The account needs `get` of `trials` and `patch` of `trials/status` in its namespace; Katib gives it a Role with both.

Source: katib v0.19.0, pkg/earlystopping/v1beta1/medianstop/service.py (SetTrialStatus); the status must keep the
condition at the end of the list, because the last one counts.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from kftune import json_input
from kftune.errors import ClusterError

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod has its account."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_TIMEOUT = 20.0
_TRIES = 5
_PAUSE = 0.3
_BUSY = (http.client.CONFLICT, http.client.TOO_MANY_REQUESTS)


class TrialStatusError(ClusterError):
    """The status of a trial cannot be changed."""


class BusyError(TrialStatusError):
    """The API server does not answer now, or others have changed the trial at the same time."""


class InvalidTrialError(TrialStatusError):
    """A text that no trial can have as its name."""


class Api(NamedTuple):
    """The API server as a pod reaches it."""

    host: str
    port: int
    account: Path = ACCOUNT
    """The folder with the token, the certificate of the API server, and the namespace."""

    @classmethod
    def of_pod(cls) -> Api:
        """Returns the API server of the cluster that this process runs in.

        Raises:
            TrialStatusError: It runs in no pod, or the pod has no account.
        """
        host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "")
        if not host or not port.isdecimal() or not (ACCOUNT / "token").is_file():
            raise TrialStatusError(
                "the status of a trial can be changed only by a pod with a service account; run the service on a "
                "cluster, where Katib starts it"
            )
        return cls(host, int(port))

    @property
    def namespace(self) -> str:
        """The namespace of the pod.

        Raises:
            TrialStatusError: It is not known.
        """
        try:
            return (self.account / "namespace").read_text(encoding="utf-8").strip()
        except OSError as error:
            raise TrialStatusError(f"the service account of the pod must name its namespace: {error}") from error

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, bytes]:
        """Sends a request; returns the code and the text of the answer.

        Args:
            method: GET or PATCH.
            path: The path of the object.
            body: The patch, as a JSON merge patch.

        Raises:
            BusyError: The API server cannot be reached.
        """
        headers = {"Accept": "application/json"}
        try:
            # The token is renewed while the pod runs.
            headers["Authorization"] = f"Bearer {(self.account / 'token').read_text().strip()}"
            context = ssl.create_default_context(cafile=str(self.account / "ca.crt"))
            connection = http.client.HTTPSConnection(self.host, self.port, timeout=_TIMEOUT, context=context)
            if body is not None:
                headers["Content-Type"] = "application/merge-patch+json"
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            found = answer.status, answer.read()
            connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise BusyError(f"the API server {self.host}:{self.port} does not answer: {error}") from error
        return found


def stop_early(trial: str, api: Api) -> None:
    """Adds the condition EarlyStopped to the status of a trial, unless it has it.

    Args:
        trial: Its name.
        api: The API server.

    Raises:
        InvalidTrialError: No trial can have this name.
        TrialStatusError: The API server refuses, or cannot be reached.
    """
    if _NAME.fullmatch(trial) is None:
        raise InvalidTrialError(f"a trial's name has lower-case letters, digits, - and ., but got {trial[:80]!r}")
    path = f"/apis/kubeflow.org/v1beta1/namespaces/{api.namespace}/trials/{trial}"
    for left in reversed(range(_TRIES)):
        try:
            _stop(trial, path, api)
            return
        except BusyError:
            # The collector asks once; if it gets an error, it ends, and the trial fails.
            if not left:
                raise
            time.sleep(_PAUSE)


def _stop(trial: str, path: str, api: Api) -> None:
    found = _checked(api.request("GET", path), trial)
    conditions = (found.get("status") or {}).get("conditions") or []
    if any(each.get("type") == "EarlyStopped" and each.get("status") == "True" for each in conditions):
        return
    # With the version, so that a change of the controller in between is not undone.
    version = found["metadata"]["resourceVersion"]
    patch = {"metadata": {"resourceVersion": version}, "status": {"conditions": [*conditions, _condition()]}}
    _checked(api.request("PATCH", f"{path}/status", patch), trial)


def _checked(answer: tuple[int, bytes], trial: str) -> dict[str, Any]:
    code, data = answer
    try:
        found = json_input.loads(data)
    except ValueError:
        found = None
    if code < http.client.BAD_REQUEST and isinstance(found, dict):
        return found
    said = (found.get("message") if isinstance(found, dict) else "") or data[:200].decode(errors="replace")
    kind = BusyError if code in _BUSY or code >= http.client.INTERNAL_SERVER_ERROR else TrialStatusError
    raise kind(f"trial {trial}: the API server answers {code}: {said}")


def _condition() -> dict[str, str]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "type": "EarlyStopped",
        "status": "True",
        "reason": "TrialEarlyStopped",
        "message": "Trial is early stopped",
        "lastUpdateTime": now,
        "lastTransitionTime": now,
    }
