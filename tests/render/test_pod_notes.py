"""The notes about a pod name the Pod Security Standard that it needs. The e2e suite asks a server the same."""

from __future__ import annotations

from typing import Any

import pytest
from pod_standards import CASES, container_of

from kftune.render.pod_notes import least_strict_standard, pod_notes
from kftune.spec.container import ContainerSettings


@pytest.mark.parametrize("name", CASES)
def test_the_strictest_standard_of_each_setting_is_known(name: str):
    assert least_strict_standard(container_of(name))[0] == CASES[name][1]


@pytest.mark.parametrize("name", CASES)
def test_a_note_names_the_standard_that_a_pod_needs(name: str):
    notes = [note for note in pod_notes(container_of(name), "it") if "Pod Security" in note]
    assert {note.rpartition("; use ")[2] for note in notes} == {CASES[name][1]} - {"restricted"}


def test_a_note_names_settings_as_the_file_has_them():
    note, _ = pod_notes(container_of("a strong capability"), "step train")
    assert note == (
        "step train has security.capabilities: namespaces of the Pod Security Standards baseline and restricted reject "
        "it; use privileged"
    )


@pytest.mark.parametrize(
    ("security", "noted"),
    [
        ({}, True),
        ({"run_as_user": 7}, True),
        ({"run_as_user": 7, "run_as_non_root": False}, True),
        ({"run_as_non_root": False}, False),
        ({"run_as_user": 0, "run_as_non_root": False}, False),
    ],
)
def test_capabilities_of_a_program_that_is_not_root_have_a_note(security: dict[str, Any], noted: bool):
    added = {"capabilities": {"add": ["CHOWN"]}}
    container = ContainerSettings.model_validate({"security": {**security, **added}})
    assert any("have no effect" in note for note in pod_notes(container, "it")) == noted


@pytest.mark.parametrize(
    ("context", "noted"),
    [({}, False), ({"runAsNonRoot": True}, True), ({"runAsNonRoot": True, "runAsUser": 7}, False)],
)
def test_a_pod_that_forbids_root_for_the_engine_s_containers_has_a_note(context: dict[str, Any], noted: bool):
    container = ContainerSettings.model_validate({"pod": {"securityContext": context}})
    assert any("whole pod" in note for note in pod_notes(container, "it")) == noted
