"""Renders service accounts of steps and trials, and Roles with only the verbs that they use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kftune.pipeline import TuneStep
from kftune.project import Project, Variant
from kftune.render.steps import all_nodes, argo_account
from kftune.render.trials import KINDS
from kftune.study import Study

_RBAC = "rbac.authorization.k8s.io"
# Source: Kubernetes creates the first in each namespace; Kubeflow's profile controller creates the others.
_EXISTING = ("default", "default-editor", "default-viewer")


def access(project: Project, variant: Variant) -> list[dict[str, Any]]:
    """Renders the service accounts, Roles and RoleBindings of a project.

    Args:
        project: Its name is the prefix of the Roles' names: several projects may share a namespace.
        variant: Its studies and pipelines, and their namespace.
    """
    executors, launchers, deleters, others = set[str](), set[str](), set[str](), set[str]()
    cleaners, tokens = set[str](), set[str]()
    of_jobs: dict[str, set[str]] = {}
    for member in variant.members.values():
        if isinstance(member, Study):
            others |= {member.step.service_account or "default"}
            continue
        argo = member.targets.argo
        on_argo = "argo" in project.targets
        if on_argo and argo.artifact_gc is not None and argo.artifact_gc.when != "never":
            cleaners.add(argo.artifact_gc.service_account or "default")
        if on_argo and argo.executor_account is not None:
            tokens.add(argo.executor_account)
        for node in all_nodes(member):
            account = argo_account(node.step, argo) or "default"
            if on_argo:
                executors.add(argo.executor_account or account)
            others.add(account)
            accounts = {account, member.targets.kfp.service_account or account}
            if node.step.launches and node.step.job is not None:
                of_jobs.setdefault(node.step.job.kind, set()).update(accounts)
                others |= {node.step.job.service_account or "default"}
            if isinstance(node.step, TuneStep):
                launchers |= accounts
                if node.step.delete != "never":
                    deleters |= accounts
                others |= {node.step.study.step.service_account or "default"}
    space = variant.namespace
    made = sorted((executors | launchers | cleaners | others).union(*of_jobs.values()).difference(_EXISTING))
    return [
        *({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(name, space)} for name in made),
        *(_token(name, space) for name in sorted(tokens)),
        *_granted(f"{project.name}-argo-executor", space, sorted(executors), _EXECUTOR),
        *_granted(f"{project.name}-argo-artifact-gc", space, sorted(cleaners), _CLEANER),
        *_granted(f"{project.name}-launcher", space, sorted(launchers), _LAUNCHER),
        *_granted(f"{project.name}-launcher-delete", space, sorted(deleters), _DELETER),
        *(
            granted
            for kind, accounts in sorted(of_jobs.items())
            for granted in _granted(f"{project.name}-launcher-{kind.lower()}", space, sorted(accounts), _of_jobs(kind))
        ),
    ]


def _of_jobs(kind: str) -> list[dict[str, Any]]:
    """Returns what the launcher of a step on several nodes needs for a kind of object."""
    group = KINDS[kind].api_version.partition("/")[0]
    return [
        {"apiGroups": [group], "resources": [f"{kind.lower()}s"], "verbs": ["create", "delete", "get"]},
        *_PODS,
    ]


# Source: argo-workflows v4.1.2, workflow RBAC: how Argo's container in each pod reports outputs.
_EXECUTOR = [{"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}]
# Source: argo-workflows v4.0.5, manifests/quick-start/base/artifactgc-role.yaml.
_CLEANER = [
    {"apiGroups": ["argoproj.io"], "resources": ["workflowartifactgctasks"], "verbs": ["list", "watch"]},
    {"apiGroups": ["argoproj.io"], "resources": ["workflowartifactgctasks/status"], "verbs": ["patch"]},
]
# What kftune.cluster uses.
_PODS = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
]
_LAUNCHER = [
    {"apiGroups": ["kubeflow.org"], "resources": ["experiments"], "verbs": ["create", "get"]},
    {"apiGroups": ["kubeflow.org"], "resources": ["suggestions"], "verbs": ["get"]},
    {"apiGroups": ["kubeflow.org"], "resources": ["trials"], "verbs": ["list"]},
    *_PODS,
]
_DELETER = [{"apiGroups": ["kubeflow.org"], "resources": ["experiments"], "verbs": ["delete", "patch"]}]


def _token(account: str, space: str) -> dict[str, Any]:
    """Renders the Secret with the token of the executor's account, which Argo mounts; the cluster fills it.

    Source: argo-workflows v4.0.5, util/secrets/names.go.
    """
    metadata = _metadata(f"{account}.service-account-token", space)
    metadata["annotations"] = {"kubernetes.io/service-account.name": account}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/service-account-token"}


def _granted(name: str, space: str, accounts: list[str], rules: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    if not accounts:
        return
    metadata = _metadata(name, space)
    yield {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "Role",
        "metadata": metadata,
        "rules": [{key: [*values] for key, values in rule.items()} for rule in rules],
    }
    yield {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {**metadata},
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": space} for account in accounts],
    }


def _metadata(name: str, space: str) -> dict[str, Any]:
    return {"name": name, "namespace": space}
