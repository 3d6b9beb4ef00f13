"""The circuits' set on a cluster: asked, applied, run, checked, and taken away again.

`make e2e`. It trains with torch, so it needs more than the rest of the suite: KFTUNE_E2E_TORCH must name an image of
images/train that the cluster can pull, and the cluster needs a StorageClass whose claims many pods can mount.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cluster_run import (
    LAUNCHER,
    OVERLAY,
    TORCH,
    apply_command,
    cluster_says,
    known,
    kubectl,
    missing_for_the_circuits,
    removed_at_end,
    small_project,
    true_conditions,
    unused_name,
    wait_until,
    wrong_results,
)
from e2e_argo import artifact_secret
from places import CIRCUITS

from kftune import yaml_text
from kftune.cli import main

LACKING = missing_for_the_circuits(os.environ)
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(LACKING is not None, reason=str(LACKING)),
]
_ENDED = ("Succeeded", "Failed", "Error")


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
    namespace = unused_name("set")
    names = {"train": TORCH, "launcher": LAUNCHER}
    images = {name: os.environ[variable] for name, variable in names.items() if variable in os.environ}
    project = small_project(CIRCUITS, folder, namespace, images)
    assert main(["render", str(project), "--out", str(folder / "out")]) == 0
    overlay = folder / "out" / "overlays" / OVERLAY
    built: Any = [*yaml_text.load_all(kubectl(["kubectl", "kustomize", str(overlay)]))]
    documents = known(built, kubectl(["kubectl", "api-versions"]).split())
    with removed_at_end(namespace):
        spaces = [one for one in documents if one["kind"] == "Namespace"]
        kubectl(apply_command(dry_run=False), yaml_text.dump_all([*spaces, artifact_secret(namespace)]))
        found = Applied(namespace, overlay, documents)
        kubectl(apply_command(dry_run=True), found.text())
        kubectl(apply_command(dry_run=False), found.text())
        yield found


def test_the_server_takes_every_object_and_applying_again_changes_nothing(applied: Applied) -> None:
    again = kubectl([*apply_command(dry_run=False), "-o", "name"], applied.text())
    assert len(again.split()) == len(applied.documents)


def test_the_experiment_finds_a_best_trial(applied: Applied) -> None:
    name = applied.need("Experiment")
    ended = wait_until(
        f"experiment/{name}",
        applied.namespace,
        lambda found: {"Succeeded", "Failed"} & set(true_conditions(found)),
        1800,
    )
    assert wrong_results(ended) == [], cluster_says(applied.namespace)


def test_the_workflow_runs_to_its_end(applied: Applied) -> None:
    applied.need("WorkflowTemplate")
    made = kubectl(["kubectl", "create", "-f", str(applied.folder / "pipeline.argo-run.yaml"), "-o", "name"]).strip()
    name = made.partition("/")[2]
    ended = wait_until(
        f"workflow/{name}", applied.namespace, lambda found: found.get("status", {}).get("phase") in _ENDED, 3600
    )
    assert ended["status"]["phase"] == "Succeeded", cluster_says(applied.namespace)
