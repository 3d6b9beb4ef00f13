"""The pods that the objects of a kustomization create, for scanners that know neither Experiments nor workflows.

`python tests/support/pods_of_set.py MANIFESTS OUT` writes the pods of all files below a folder.
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
    """Yields name and spec of each pod that an object creates, including those of the launcher's Experiment."""
    if not isinstance(document, dict) or document.get("$patch") == "delete":
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
    """Yields what the Pod Security Standard *restricted* (Kubernetes 1.36) rejects in a pod, in its words if possible.

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
    for container in (*pod.get("initContainers", []), *pod["containers"]):
        own = {**pod.get("securityContext", {}), **container.get("securityContext", {})}
        capabilities = own.get("capabilities", {})
        rules = {
            "must not be privileged": not own.get("privileged"),
            "must set allowPrivilegeEscalation=false": own.get("allowPrivilegeEscalation") is False,
            "must set runAsNonRoot=true": own.get("runAsNonRoot") is True,
            "must not set runAsUser=0": own.get("runAsUser") != 0,
            "must set seccompProfile.type": own.get("seccompProfile", {}).get("type")
            in ("RuntimeDefault", "Localhost"),
            "must set capabilities.drop=[ALL]": "ALL" in capabilities.get("drop", []),
            "must not add capabilities": {*capabilities.get("add", [])} <= {"NET_BIND_SERVICE"},
            "must have the default procMount": own.get("procMount", "Default") == "Default",
            "must not have a hostPort": not any("hostPort" in port for port in container.get("ports", [])),
        }
        yield from (f"{container['name']} {rule}" for rule, held in rules.items() if not held)


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
