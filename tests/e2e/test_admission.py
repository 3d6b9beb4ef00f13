"""Recorded Experiments by server-side dry run: the cluster's verdicts, and their texts, are those of lint.

The verdicts are those of server-side apply. `kubectl create` takes two documents more: `generateName`, which lint
admits too, with a note (KT122), and `kind: experiment` in lower case.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from cluster_run import apply_command, kubectl, missing_for_a_run, unused_name
from e2e_admission import (
    Asked,
    Places,
    ask,
    chosen,
    lint_of,
    placed,
    seen_cluster,
    store_existing,
    templates,
)
from e2e_namespaces import idle_namespaces

LACKING = missing_for_a_run(os.environ)
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(LACKING is not None, reason=str(LACKING)),
    pytest.mark.timeout(600),
]

DOCUMENTS = 300


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Asked]]:
    places = Places(unused_name("admission"), unused_name("unlabelled"))
    with idle_namespaces(places.labelled), idle_namespaces(places.unlabelled, labelled=False):
        kubectl(apply_command(dry_run=False), templates(places))
        given = [placed(case, places) for case in chosen(DOCUMENTS)]
        for case in (one for one in given if "old" in one):
            store_existing(case, places.of(case))
        seen = {labelled: seen_cluster(places, labelled=labelled) for labelled in (True, False)}
        answers = ask(given, places, tmp_path_factory.mktemp("documents"))
        yield [
            Asked(case["id"], lint_of(case, seen[case.get("label", True)]), answer)
            for case, answer in zip(given, answers, strict=True)
        ]


def test_the_verdict_of_the_cluster_is_that_of_lint(
    asked: list[Asked], record_property: Callable[[str, object], None]
) -> None:
    stages = Counter(one.verdict.stage for one in asked)
    record_property("documents", len(asked))
    record_property("stages", ", ".join(f"{stage} {count}" for stage, count in stages.most_common()))
    differing = {one.id: f"lint: {one.lint.outcome}; cluster: {one.cluster}" for one in asked if one.differs()}
    assert differing == {}
    assert set(stages) == {"yaml", "server", "decode", "webhook", "admitted"}
    assert len(asked) == DOCUMENTS


def test_the_server_gives_the_reasons_that_lint_gives(
    asked: list[Asked], record_property: Callable[[str, object], None]
) -> None:
    refused = [one for one in asked if not one.verdict.admitted and not one.cluster.admitted and one.was_sent()]
    untold = {one.id: f"{one.untold()} is not in: {one.cluster.text}" for one in refused if one.untold()}
    record_property("refusals by the server, with equal texts", len(refused) - len(untold))
    assert untold == {}
