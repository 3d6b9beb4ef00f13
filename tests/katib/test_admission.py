"""The API server's and the webhook's answers, beyond the recorded cases."""

from __future__ import annotations

from kftune.katib.admission.server import metadata_reasons


def test_the_reason_of_a_wrong_key_names_its_part_once():
    (name,) = metadata_reasons({"name": "x", "labels": {"a b": "1"}})
    assert name.detail.startswith("name part must consist of alphanumeric characters, '-', '_' or '.', and must start")
    (prefix,) = metadata_reasons({"name": "x", "annotations": {"A_/b": ""}})
    assert prefix.detail.startswith("prefix part a lowercase RFC 1123 subdomain must consist of lower case")
