"""The Jobs and pods of `refused_pods.jsonl` on the cluster of KUBECONFIG: its API server accepts and refuses the same.

`make e2e`. A cluster without privileged containers or with its own policies refuses more.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from cluster_run import missing_for_a_run, own_namespace
from refused_pods import pod_cases

from kftune import yaml_text

LACKING = missing_for_a_run(os.environ)
pytestmark = [pytest.mark.cluster, pytest.mark.skipif(LACKING is not None, reason=str(LACKING))]

CASES = tuple(pod_cases())
ONLY_PODS = {case.name for case in CASES if case.says.startswith("POD: ")}
NO_JOBS = {case.name for case in CASES if case.says} - ONLY_PODS


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with own_namespace("pods") as name:
        yield name


def refused(objects: Sequence[dict[str, Any]], namespace: str) -> set[str]:
    """Returns the names of the objects that the server does not accept."""
    command = ["kubectl", "create", "--dry-run=server", f"--namespace={namespace}", "--output=name", "--filename=-"]
    text = yaml_text.dump_all(objects)
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=300, check=False)
    accepted = {line.partition("/")[2] for line in done.stdout.splitlines()}
    assert accepted, done.stderr[-500:]
    return {each["metadata"]["name"] for each in objects} - accepted


def test_the_server_refuses_the_jobs_that_lint_reports(
    namespace: str, record_property: Callable[[str, object], None]
) -> None:
    assert refused([case.job for case in CASES], namespace) == NO_JOBS
    record_property("Jobs", len(CASES))
    record_property("refused", len(NO_JOBS))


def test_the_server_refuses_the_pods_of_some_jobs_that_it_accepts(
    namespace: str, record_property: Callable[[str, object], None]
) -> None:
    admitted = [case for case in CASES if case.name not in NO_JOBS]
    assert refused([case.pod for case in admitted], namespace) == ONLY_PODS
    record_property("pods", len(admitted))
    record_property("refused", len(ONLY_PODS))
