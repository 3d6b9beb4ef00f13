"""What the API server refuses in `pod` and `container` of a pipeline's steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from kftune.lint import check

PIPELINE = """\
name: toy
targets: {argo: {}}
steps:
  first:
    kind: container
    image: registry.example/toy:1
    command: [python, a.py]
    FRAGMENT
"""


def found(folder: Path, fragment: str) -> list[tuple[str, str, str]]:
    file = folder / "pipeline.yaml"
    file.write_text(PIPELINE.replace("FRAGMENT", fragment))
    findings = check(str(file)).findings
    return [(each.code, each.severity, each.path) for each in findings if each.code in ("KT277", "KT410", "KT411")]


@pytest.mark.parametrize(
    ("fragment", "place"),
    [
        ("pod: {tolerations: [{key: a, operator: Exists, value: b}]}", "pod.tolerations"),
        ("pod: {hostname: A_B}", "pod.hostname"),
        ("pod: {priority: 7}", "pod.priority"),
        ("container: {ports: [{containerPort: 80, name: Http}]}", "container.ports"),
        ("container: {volumeMounts: [{name: shm, mountPath: /x, subPath: ../y}]}", "container.volumeMounts"),
        ("container: {resources: {limits: {nvidia.com/gpu: '0.5'}}}", "container.resources"),
    ],
)
def test_what_the_server_refuses_is_reported_at_the_field(tmp_path: Path, fragment: str, place: str):
    assert found(tmp_path, fragment) == [("KT277", "fails", f"steps.first.{place}")]


@pytest.mark.parametrize(
    "fragment",
    [
        "pod: {tolerations: [{key: a, operator: Exists}], hostAliases: [{ip: 10.0.0.7, hostnames: [license-server]}]}",
        "container: {lifecycle: {preStop: {exec: {command: [sync]}}}}",
        "pod: {securityContext: {supplementalGroups: [44, 109]}}",
    ],
)
def test_what_the_server_accepts_is_not_reported(tmp_path: Path, fragment: str):
    assert found(tmp_path, fragment) == []
