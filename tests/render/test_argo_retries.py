"""When Argo starts a step again, told from the text that its controller gives a try that has ended."""

from __future__ import annotations

import re
from typing import Any

import pytest
from argo_examples import IMAGE, argo
from pipeline_examples import chain, step, tune

from kftune.render.argo import render_argo
from kftune.render.tuning import STUDY_FAILED

# Read on a cluster with Argo 4.0.5, but for the last five: those are Kubernetes' own texts, and one of Argo 3.6.
LOST = {
    "pod deleted or evicted, and gone": "pod deleted",
    "pod deleted, its end seen": "main: Error (exit code 143)",
    "killed from outside": "main: Error (exit code 137)",
    "node short of memory": "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. ",
    "node shut down": "Pod was terminated in response to imminent node shutdown.",
    "node shuts down": "Pod was rejected as the node is shutting down.",
    "node needed": "Preempted in order to admit critical pod",
    "Argo 3.6": "Error (exit code 143)",
}
FAILED = {
    "exit code 1": "main: Error (exit code 1)",
    "a text of the program": "main: Error (exit code 1): pod deleted",
    "memory limit": "main: OOMKilled (exit code 137)",
    "timeout, whose exit code is 143": "Pod was active on the node longer than the specified deadline",
    "an output is missing": "wait: Error (exit code 64): open /var/run/argo/outputs/x: no such file or directory",
    "code of the same digits": "main: Error (exit code 1437)",
}


def retry_of(steps: dict[str, Any], name: str = "train") -> Any:
    templates = render_argo(argo(steps)).documents[0]["spec"]["templates"]
    return next(template for template in templates if template["name"] == name).get("retryStrategy")


def is_lost(message: str) -> bool:
    strategy = retry_of({"train": step("train", preemption={"retries": 2})})
    pattern = re.fullmatch(r'lastRetry\.message matches "(.*)"', strategy["expression"])
    assert pattern is not None
    return re.search(pattern[1], message) is not None


@pytest.mark.parametrize("name", LOST)
def test_the_loss_of_a_node_is_told_from_its_text(name: str):
    assert is_lost(LOST[name])


@pytest.mark.parametrize("name", FAILED)
def test_a_failure_of_the_program_is_no_loss_of_its_node(name: str):
    assert not is_lost(FAILED[name])


def test_a_step_without_retries_has_no_strategy():
    assert retry_of({"train": step("train")}) is None


def test_retries_alone_start_it_again_after_anything():
    assert retry_of({"train": step("train", retries=2)}) == {"limit": "2", "retryPolicy": "Always"}


def test_retries_after_a_lost_node_are_rendered_without_other_retries():
    strategy = retry_of({"train": step("train", preemption={"retries": 3})})
    assert (strategy["limit"], strategy["retryPolicy"]) == ("3", "Always")
    assert "asInt" not in strategy["expression"]


def test_with_both_a_failing_program_is_started_no_more_often_than_its_limit_says():
    strategy = retry_of({"train": step("train", retries=2, preemption={"retries": 3})})
    assert strategy["limit"] == "5"
    assert strategy["expression"].endswith(" || (asInt(retries) < 2)")


def test_a_tune_step_whose_study_has_failed_is_not_started_again():
    over = f'lastRetry.exitCode != "{STUDY_FAILED}"'
    assert retry_of(chain(tune=tune(image=IMAGE, retries=2)), "tune")["expression"] == over
    both = retry_of(chain(tune=tune(image=IMAGE, retries=2, preemption={"retries": 1})), "tune")
    assert both["expression"].endswith(f" || (asInt(retries) < 2 && {over})")
    lost = retry_of(chain(tune=tune(image=IMAGE, preemption={"retries": 1})), "tune")
    assert "asInt" not in lost["expression"]


def test_retries_after_a_lost_node_may_wait_too():
    strategy = retry_of({"train": step("train", retries={"limit": 0, "backoff": "30s"}, preemption={"retries": 1})})
    assert strategy["backoff"] == {"duration": "30s", "factor": "2"}
