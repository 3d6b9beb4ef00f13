"""The circuits' set on the cluster of KUBECONFIG: asked, applied, run, checked, and taken away again.

`make e2e`. The cluster needs Katib, and Argo Workflows with an artifact repository for the pipeline, and images that it
can pull: KFTUNE_E2E_TRAIN and KFTUNE_E2E_LAUNCHER name them.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cluster_run import (
    OVERLAY,
    apply_command,
    known,
    kubectl,
    missing_for_a_run,
    small_project,
    wait_command,
    wrong_results,
)
from places import CIRCUITS

from kftune import yaml_text
from kftune.cli import main

LACKING = missing_for_a_run(os.environ)
pytestmark = [pytest.mark.cluster, pytest.mark.skipif(LACKING is not None, reason=str(LACKING))]


class Applied(NamedTuple):
    """A set that the cluster has."""

    namespace: str
    folder: Path
    documents: list[dict[str, Any]]

    def text(self) -> str:
        return yaml_text.dump_all(self.documents)

    def need(self, kind: str) -> str:
        """Name of the object of a kind; the test is skipped when the cluster has no such kind."""
        found = [one["metadata"]["name"] for one in self.documents if one["kind"] == kind]
        if not found:
            pytest.skip(f"the cluster has no {kind}: install what brings it")
        return str(found[0])


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applied]:
    folder = tmp_path_factory.mktemp("e2e")
    namespace = f"kftune-e2e-{uuid.uuid4().hex[:8]}"
    names = {"train": "KFTUNE_E2E_TRAIN", "launcher": "KFTUNE_E2E_LAUNCHER"}
    images = {name: os.environ[variable] for name, variable in names.items() if variable in os.environ}
    project = small_project(CIRCUITS, folder, namespace, images)
    assert main(["render", str(project), "--out", str(folder / "out")]) == 0
    overlay = folder / "out" / "overlays" / OVERLAY
    built: Any = [*yaml_text.load_all(kubectl(["kubectl", "kustomize", str(overlay)]))]
    documents = known(built, kubectl(["kubectl", "api-versions"]).split())
    try:
        spaces = [one for one in documents if one["kind"] == "Namespace"]
        kubectl(apply_command(dry_run=False), yaml_text.dump_all(spaces))
        found = Applied(namespace, overlay, documents)
        kubectl(apply_command(dry_run=True), found.text())
        kubectl(apply_command(dry_run=False), found.text())
        yield found
    finally:
        kubectl(["kubectl", "delete", "namespace", namespace, "--ignore-not-found", "--wait=false"])


def test_the_server_takes_every_object_and_applying_again_changes_nothing(applied: Applied) -> None:
    again = kubectl([*apply_command(dry_run=False), "-o", "name"], applied.text())
    assert len(again.split()) == len(applied.documents)


def test_the_experiment_finds_a_best_trial(applied: Applied) -> None:
    name = applied.need("Experiment")
    kubectl(wait_command(f"experiment/{name}", "condition=Succeeded", applied.namespace, 30))
    found = kubectl(["kubectl", "get", "experiment", name, f"--namespace={applied.namespace}", "-o", "json"])
    assert wrong_results(json.loads(found)) == []


def test_the_workflow_runs_to_its_end(applied: Applied) -> None:
    applied.need("WorkflowTemplate")
    made = kubectl(["kubectl", "create", "-f", str(applied.folder / "pipeline.argo-run.yaml"), "-o", "name"]).strip()
    kubectl(wait_command(made, "jsonpath={.status.phase}=Succeeded", applied.namespace, 60))
