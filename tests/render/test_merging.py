"""Fragments of a pod end up in it as the API server's own code merges them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from places import ROOT
from render_examples import make_study

from kftune.render import render
from kftune.render.merging import merged

RECORDED = [
    json.loads(line) for line in (ROOT / "tests" / "data" / "pod_merges.jsonl").read_text(encoding="utf-8").splitlines()
]
POD = {"containers": [{"name": "train", "env": [{"name": "A", "value": "1"}]}], "nodeSelector": {"a": "b"}}


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def test_random_fragments_merge_as_the_api_server_merges_them():
    for pair in RECORDED:
        assert merged(pair["pod"], pair["patch"]) == without_nulls(pair["merged"])


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"nodeSelector": {"c": "d"}}, {**POD, "nodeSelector": {"a": "b", "c": "d"}}),
        ({"nodeSelector": None}, {"containers": POD["containers"]}),
        ({"nodeSelector": {"a": None}}, {**POD, "nodeSelector": {}}),
        ({"tolerations": [{"key": "x"}]}, {**POD, "tolerations": [{"key": "x"}]}),
        (
            {"containers": [{"name": "train", "env": [{"name": "B", "value": "2"}]}]},
            {
                **POD,
                "containers": [{"name": "train", "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]}],
            },
        ),
    ],
)
def test_a_fragment_changes_what_it_names_and_nothing_else(patch: dict[str, Any], expected: dict[str, Any]):
    before = json.dumps(POD)
    assert merged(POD, patch) == expected
    assert json.dumps(POD) == before


def test_a_study_s_fragments_stand_in_the_pods_of_its_trials():
    step = {
        "image": "registry.example/plain:1",
        "module": "plain.train",
        "pod": {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["db"]}], "enableServiceLinks": False},
        "container": {"lifecycle": {"preStop": {"sleep": {"seconds": 5}}}, "securityContext": {"runAsUser": 7}},
    }
    experiment = render(make_study(step=step)).documents[0]
    pod = experiment["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["hostAliases"] == [{"ip": "10.0.0.1", "hostnames": ["db"]}]
    assert pod["enableServiceLinks"] is False
    assert container["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    assert container["securityContext"]["runAsUser"] == 7
    assert container["securityContext"]["runAsNonRoot"] is True
