"""The API server's and the webhook's answers, beyond the recorded cases."""

from __future__ import annotations

from typing import Any

import pytest

from kftune.katib.admission.job import job_problem
from kftune.katib.admission.server import metadata_reasons


def test_the_reason_of_a_wrong_key_names_its_part_once():
    (name,) = metadata_reasons({"name": "x", "labels": {"a b": "1"}})
    assert name.detail.startswith("name part must consist of alphanumeric characters, '-', '_' or '.', and must start")
    (prefix,) = metadata_reasons({"name": "x", "annotations": {"A_/b": ""}})
    assert prefix.detail.startswith("prefix part a lowercase RFC 1123 subdomain must consist of lower case")


def job_with(source: dict[str, Any]) -> dict[str, Any]:
    volume = {"name": "v", "projected": source}
    return {"spec": {"template": {"spec": {"volumes": [volume]}}}}


def test_go_writes_null_for_a_list_without_omitempty():
    assert job_problem(job_with({"sources": None})) is None


def test_go_drops_an_empty_text_with_omitempty():
    problem = job_problem(job_with({"sources": [{"podCertificate": {"keyType": ""}}]}))
    assert problem is not None
    assert problem.lost
    assert problem.path[-1] == "keyType"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"backoffLimit": "1"}, "to Job: unrecognized type: int32"),
        ({"backoffLimit": 1.5}, "to Job: cannot convert float64 to int32"),
        ({"suspend": 1}, "to Job: unrecognized type: bool"),
        ({"template": {"spec": {"hostname": True}}}, "to Job: unrecognized type: string"),
        ({"template": {"spec": {"hostname": 1}}}, "to Job: cannot convert int64 to string"),
        ({"podFailurePolicy": {"rules": [{"onExitCodes": 1}]}}, "to Job: cannot restore struct from: int64"),
    ],
)
def test_a_job_that_does_not_convert_is_refused_in_the_words_of_a_cluster(spec: dict[str, Any], words: str):
    problem = job_problem({"spec": spec})
    assert problem is not None
    assert problem.detail.endswith(words)


@pytest.mark.parametrize(
    ("container", "words"),
    [
        ({"resources": {"limits": {"cpu": True}}}, "quantities must match the regular expression"),
        ({"resources": {"limits": {"cpu": []}}}, "quantities must match the regular expression"),
        ({"livenessProbe": {"httpGet": {"port": []}}}, "cannot unmarshal array into Go value of type int32"),
        ({"livenessProbe": {"httpGet": {"port": 1.5}}}, "cannot unmarshal number 1.5 into Go value of type int32"),
        ({"livenessProbe": {"httpGet": {"port": 99999999999}}}, "cannot unmarshal number 99999999999 into"),
    ],
)
def test_a_value_that_kubernetes_reads_itself_is_refused_in_its_words(container: dict[str, Any], words: str):
    problem = job_problem({"spec": {"template": {"spec": {"containers": [container]}}}})
    assert problem is not None
    assert words in problem.detail
