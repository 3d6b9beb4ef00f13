"""Empty folders and the limits of the containers that fill them."""

from __future__ import annotations

import pytest

from kftune.lint.trial.pods import PodTemplate
from kftune.lint.trial.sizes import size_advice


def places(folder: dict[str, str], limits: dict[str, str], *, mounted: bool = True) -> list[str]:
    container = {"resources": {"limits": limits}, "volumeMounts": [{"name": "a", "mountPath": "/a"}] * mounted}
    spec = {"volumes": [{"name": "a", "emptyDir": folder}], "containers": [container]}
    return [".".join(map(str, each.path)) for each in size_advice(PodTemplate({"spec": spec}, ()))]


@pytest.mark.parametrize(
    ("folder", "limits", "reported"),
    [
        ({"medium": "Memory", "sizeLimit": "4Gi"}, {"memory": "2Gi"}, True),
        ({"medium": "Memory", "sizeLimit": "2Gi"}, {"memory": "2048Mi"}, True),
        ({"medium": "Memory", "sizeLimit": "1Gi"}, {"memory": "2Gi"}, False),
        ({"medium": "Memory", "sizeLimit": "4Gi"}, {"cpu": "2"}, False),
        ({"medium": "Memory"}, {"memory": "2Gi"}, False),
        ({"sizeLimit": "4Gi"}, {"memory": "2Gi"}, False),
        ({"sizeLimit": "4Gi"}, {"ephemeral-storage": "2Gi"}, True),
        ({"sizeLimit": "2Gi"}, {"ephemeral-storage": "2Gi"}, False),
        ({"medium": "Memory", "sizeLimit": "${trialParameters.a}"}, {"memory": "2Gi"}, False),
    ],
)
def test_a_folder_that_ends_its_container_is_reported(folder: dict[str, str], limits: dict[str, str], reported: bool):
    assert places(folder, limits) == ["spec.volumes.0.emptyDir.sizeLimit"] * reported


def test_a_folder_that_no_container_mounts_is_not_reported():
    assert places({"medium": "Memory", "sizeLimit": "4Gi"}, {"memory": "2Gi"}, mounted=False) == []
