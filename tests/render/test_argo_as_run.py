"""Our Argo without Argo, held to what Argo's own linter and controller said of 450 manifests."""

from __future__ import annotations

import pytest
from argo_as_run import lint
from argo_traps import traps
from recorded import cases

CASES = cases("argo")

# The controller was given the pods' outputs by hand ("1" for each), a cluster without other objects, and pods that
# never fail: verdicts that hang on this are not to be had from the manifest.
HARNESS = {
    "loop-23": 'withParam of an output, which was "1" and so no list',
    "retry-03": "a retry limit that is a word: no pod failed, so nobody read it",
    "retry-16": "a backoff that is no duration: no pod failed",
    "sync-03": "there was no ConfigMap for the semaphore",
    "sync-08": "there was no database for the semaphore",
    "spec-33": "there was no service account",
    "ref-18": "the harness could not look up templates elsewhere",
    "ref-33": "the harness could not look up templates elsewhere",
}


def _id(case: dict[str, object]) -> str:
    return str(case["id"])


def test_lint_agrees_with_argos_on_every_recorded_manifest():
    wrong = [case["id"] for case in CASES if (lint(case.get("yaml", "")) is None) != case["ok"]]
    assert len(CASES) == 450
    assert wrong == []


RUN = [case for case in CASES if case["ok"] and case.get("run")]


@pytest.mark.parametrize("case", [case for case in RUN if case["id"] not in HARNESS], ids=_id)
def test_traps_agree_with_what_the_controller_did(case):
    found = {trap.phase for trap in traps(case["yaml"])} - {"Wrong"}
    assert found == ({case["run"]["phase"]} - {"Succeeded"})


@pytest.mark.parametrize("case", [case for case in RUN if case["id"] in HARNESS], ids=_id)
def test_the_verdicts_left_out_are_those_that_hang_on_the_harness(case):
    found = {trap.phase for trap in traps(case["yaml"])} - {"Wrong"}
    assert found != ({case["run"]["phase"]} - {"Succeeded"})
