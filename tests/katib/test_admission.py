"""The API server's and the webhook's answers, beyond the recorded cases."""

from __future__ import annotations

from typing import Any

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
