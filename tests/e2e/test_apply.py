"""Everything that this project renders: a cluster takes it strictly, and taking it again changes nothing.

The objects are stored in namespaces without room for a pod, so nothing of them runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from cluster_run import missing_for_a_run
from e2e_admission import untold
from e2e_apply import Set, apply, changed_by_applying_again, difference, refusal_of_creation, set_for
from e2e_namespaces import idle_namespaces
from e2e_rendered import NotRendered, Rendered, counted, rendered_by_documents, rendered_in, without_repeats
from places import ROOT

LACKING = missing_for_a_run(os.environ)
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.smoke,
    pytest.mark.skipif(LACKING is not None, reason=str(LACKING)),
    pytest.mark.timeout(600),
]

NOT_RENDERED = {
    "is an image of the project": "a part of a study or pipeline whose image is built first",
    "KFP cannot wait for a step that may be skipped": "an example of what KFP cannot do",
    "KFP has no working_dir": "an example of every key of a step",
    "KFP mounts claims writable": "an example of every key of a volume",
    "KFP's tasks cannot set": "an example of a setting that KFP lacks",
    "KFP's tasks have no volumes of storage drivers": "an example of a volume that KFP lacks",
    "an artifact cannot be missing in KFP": "an example for local runs and Argo",
    "share data with it only on a volume with a claim": "an example for local runs, without a shared volume",
    "a step's own pod is on one node, but step": "an example for training on several nodes, without a job",
}
"""What kftune says of an example that it does not render -> why the example is there."""

REFUSED = {
    "docs/guides/lint.md, cluster/experiment.yaml": "cannot unmarshal number",
}
"""An example that a cluster refuses -> the reason; an algorithm that this cluster does not have is one more reason."""

LACKING_KINDS = {
    "pipeline to upload to KFP",
    "pipelines.kubeflow.org/v2beta1 Pipeline",
    "pipelines.kubeflow.org/v2beta1 PipelineVersion",
}
"""What a cluster with Katib and Argo cannot judge."""

ALGORITHM = "failed to find suggestion config for algorithm"

Count = Callable[[str, object], None]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Rendered | NotRendered]:
    manifests = rendered_in(ROOT / "manifests", "manifests/")
    return [*manifests, *rendered_by_documents(tmp_path_factory.mktemp("documents"))]


@pytest.fixture(scope="module")
def applied(examples: list[Rendered | NotRendered]) -> Iterator[Set]:
    found = set_for(without_repeats([one for one in examples if isinstance(one, Rendered)]))
    with idle_namespaces(*(place.namespace for place in found.places)):
        for place in found.places:
            apply(place)
        yield found


def test_an_example_that_is_not_rendered_is_known(
    examples: list[Rendered | NotRendered], record_property: Count
) -> None:
    left_out = [one for one in examples if isinstance(one, NotRendered)]
    record_property("examples that are not rendered", len(left_out))
    reasons = {one.source: [reason for reason in NOT_RENDERED if reason in one.message] for one in left_out}
    assert [f"{one.source}: {one.message}" for one in left_out if len(reasons[one.source]) != 1] == []
    assert {reason for found in reasons.values() for reason in found} == NOT_RENDERED.keys()


def test_the_cluster_takes_every_object_strictly(
    examples: list[Rendered | NotRendered], applied: Set, record_property: Count
) -> None:
    objects = [one for place in applied.places for one in place.objects]
    record_property("files and kustomizations", sum(isinstance(one, Rendered) for one in examples))
    record_property("objects applied", len(objects))
    record_property("kinds applied", counted(objects))
    record_property("kinds that the cluster does not have", counted(applied.lacking))
    assert {one.kind for one in applied.lacking} <= LACKING_KINDS
    assert {"Experiment", "WorkflowTemplate", "CronWorkflow"} <= {one.content["kind"] for one in objects}


def test_applying_again_changes_nothing(applied: Set) -> None:
    assert [changed for changed in map(changed_by_applying_again, applied.places) if changed] == []


def test_there_is_no_difference_between_what_is_rendered_and_what_the_cluster_has(applied: Set) -> None:
    assert [found for found in map(difference, applied.places) if found] == []


def test_the_cluster_refuses_what_lint_refuses(applied: Set, record_property: Count) -> None:
    record_property("refused, as lint says", "; ".join(one.source for _, one, _ in applied.to_refuse))
    told = {one.source: refusal_of_creation(namespace, one) or "" for namespace, one, _ in applied.to_refuse}
    assert [claim for _, one, verdict in applied.to_refuse for claim in untold(verdict, told[one.source])] == []
    by_example = {source: text for source, text in told.items() if ALGORITHM not in text}
    assert by_example.keys() == REFUSED.keys()
    assert [source for source, reason in REFUSED.items() if reason not in by_example[source]] == []


def test_the_server_would_create_what_has_no_name_yet(applied: Set, record_property: Count) -> None:
    record_property("objects created by a dry run", len(applied.to_create))
    refusals = [refusal_of_creation(namespace, one) for namespace, one in applied.to_create]
    assert [refusal for refusal in refusals if refusal] == []
    assert refusals
