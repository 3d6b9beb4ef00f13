"""The pods that a set's objects make, as plain Pods: for checks that know neither Experiments nor workflows.

`python tests/pods_of_set.py MANIFESTS OUT` writes those of all files below a folder, for scanners.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kftune import yaml_text

_MARK = "--experiment="


def pods(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and spec of each pod that an object makes, those of the launcher's own Experiment too."""
    if not isinstance(document, dict):
        return
    name = document.get("metadata", {}).get("name", "")
    if document.get("kind") == "Experiment":
        yield f"experiment-{name}", _template_of(document["spec"]["trialTemplate"]["trialSpec"])
    elif document.get("kind") == "WorkflowTemplate":
        spec = document["spec"]
        for template in spec["templates"]:
            if "container" not in template:
                continue
            yield (
                f"workflow-{name}-{template['name']}",
                {
                    "securityContext": spec.get("securityContext", {}),
                    "containers": [{"name": "main", **template["container"]}],
                    "initContainers": template.get("initContainers", []),
                    "volumes": template.get("volumes", []),
                    **{key: spec[key] for key in ("hostNetwork",) if key in spec},
                },
            )
            for argument in template["container"].get("args", []):
                if argument.startswith(_MARK):
                    yield from pods(json.loads(argument.removeprefix(_MARK)))


def _template_of(job: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = job["spec"]["template"]["spec"]
    return spec


def not_restricted(pod: dict[str, Any]) -> Iterator[str]:
    """What in a pod the Pod Security Standard *restricted* (Kubernetes 1.36) refuses, its own words as far as they go.

    Source: kubernetes.io/docs/concepts/security/pod-security-standards, and k8s.io/pod-security-admission/policy.
    """
    yield from (f"{key} must not be true" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key))
    allowed = {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
    for volume in pod.get("volumes", []):
        if not volume.keys() - {"name"} <= allowed:
            yield f"volume {volume['name']}: restricted volume types"
    outer = pod.get("securityContext", {})
    for container in (*pod.get("initContainers", []), *pod["containers"]):
        own = container.get("securityContext", {})
        name = container["name"]
        if own.get("privileged"):
            yield f"{name}: privileged"
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"{name}: must set allowPrivilegeEscalation=false"
        if not own.get("runAsNonRoot", outer.get("runAsNonRoot")):
            yield f"{name}: must set runAsNonRoot=true"
        if own.get("runAsUser", outer.get("runAsUser")) == 0:
            yield f"{name}: must not set runAsUser=0"
        kind = own.get("seccompProfile", outer.get("seccompProfile", {})).get("type")
        if kind not in ("RuntimeDefault", "Localhost"):
            yield f"{name}: must set seccompProfile.type"
        capabilities = own.get("capabilities", {})
        if "ALL" not in capabilities.get("drop", []):
            yield f"{name}: must set capabilities.drop=[ALL]"
        if not {*capabilities.get("add", [])} <= {"NET_BIND_SERVICE"}:
            yield f"{name}: must not add capabilities"
        if own.get("procMount", "Default") != "Default":
            yield f"{name}: procMount"
        if any("hostPort" in port for port in container.get("ports", [])):
            yield f"{name}: hostPort"


def main(manifests: Path, out: Path) -> None:
    """Writes the pods of all manifests below a folder."""
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(manifests.rglob("*.yaml")):
        for document in yaml_text.load_all(path.read_text(encoding="utf-8")):
            space = document.get("metadata", {}).get("namespace", "team") if isinstance(document, dict) else ""
            for name, spec in pods(document):
                pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": space}, "spec": spec}
                (out / f"{name}.yaml").write_text(yaml_text.dump(pod), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
