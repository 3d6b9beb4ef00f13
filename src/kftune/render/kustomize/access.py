"""Renders service accounts of steps and trials, and Roles with only the verbs that they use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kftune.pipeline import TuneStep
from kftune.project import Variant
from kftune.render.steps import all_nodes
from kftune.render.trials import KINDS
from kftune.study import Study

_RBAC = "rbac.authorization.k8s.io"
# Source: Kubernetes creates the first in each namespace; Kubeflow's profile controller creates the others.
_EXISTING = ("default", "default-editor", "default-viewer")


def access(project: str, variant: Variant) -> list[dict[str, Any]]:
    """Renders the service accounts, Roles and RoleBindings of a project.

    Args:
        project: Its name, the prefix of the Roles' names: several projects may share a namespace.
        variant: Its studies and pipelines, and their namespace.
    """
    executors, launchers, deleters, others = set[str](), set[str](), set[str](), set[str]()
    of_jobs: dict[str, set[str]] = {}
    for member in variant.members.values():
        if isinstance(member, Study):
            others |= {member.step.service_account or "default"}
            continue
        for node in all_nodes(member):
            account = node.step.service_account or member.targets.argo.service_account or "default"
            executors.add(account)
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
    made = sorted((executors | launchers | others).union(*of_jobs.values()).difference(_EXISTING))
    return [
        *({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(name, space)} for name in made),
        *_granted(f"{project}-argo-executor", space, sorted(executors), _EXECUTOR),
        *_granted(f"{project}-launcher", space, sorted(launchers), _LAUNCHER),
        *_granted(f"{project}-launcher-delete", space, sorted(deleters), _DELETER),
        *(
            granted
            for kind, accounts in sorted(of_jobs.items())
            for granted in _granted(f"{project}-launcher-{kind.lower()}", space, sorted(accounts), _of_jobs(kind))
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
