"""Custom objects get the API server's recorded answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from crd_schemas import OVERLAY
from recorded import cases

from kftune.katib.admission.reason import field_text
from kftune.katib.crd import schema
from kftune.katib.crd.objects import is_known, judge_object
from kftune.katib.go.reading import read

KINDS = [tuple(name.split()) for name in OVERLAY["kinds"]]
FILES = ("crd-trainer", "crd-other", "crd-argo")
TRAIN_JOB = {
    "apiVersion": "trainer.kubeflow.org/v1alpha1",
    "kind": "TrainJob",
    "metadata": {"name": "t"},
    "spec": {"runtimeRef": {"name": "torch"}, "trainer": {"env": [{"name": "A"}, {"name": "B"}]}},
}


def answer(case: dict[str, Any]) -> tuple[bool, bool, list[str]]:
    old = read(case["old"]) if "old" in case else None
    verdict = judge_object(read(case["yaml"]), old)
    return verdict.stored, verdict.applied, sorted(map(field_text, verdict.pruned))


def recorded_fields(case: dict[str, Any]) -> set[str]:
    return {error["field"] for error in case["errors"]} - {"<nil>", ""}


def problem_fields(case: dict[str, Any]) -> set[str]:
    """The fields of the problems and all fields above them."""
    verdict = judge_object(read(case["yaml"]), read(case["old"]) if "old" in case else None)
    return {field_text(problem.path[:end]) for problem in verdict.problems for end in range(len(problem.path) + 1)}


@pytest.mark.parametrize("file", FILES)
def test_every_recorded_answer_is_the_same(file: str):
    wrong = {
        case["id"]: (answer(case), case["errors"])
        for case in cases(file)
        if answer(case) != (case["ok"], case["strict_ok"], sorted(case["pruned"]))
    }
    assert wrong == {}


@pytest.mark.parametrize("file", FILES)
def test_a_problem_names_the_field_that_the_server_names(file: str):
    """Without errors that have no field: rules that the server could not check, and a name that does not match."""
    wrong = [
        case["id"] for case in cases(file) if (fields := recorded_fields(case)) and not problem_fields(case) & fields
    ]
    assert wrong == []


@pytest.mark.parametrize(("version", "kind"), KINDS)
def test_every_kind_has_a_schema(version: str, kind: str):
    assert is_known({"apiVersion": version, "kind": kind})


def test_other_kinds_have_no_schema():
    assert not is_known({"apiVersion": "batch/v1", "kind": "Job"})
    assert not is_known({"apiVersion": ["batch/v1"], "kind": {}})
    assert not is_known(None)


def test_an_edit_may_keep_an_invalid_value():
    living = json.loads(json.dumps(TRAIN_JOB))
    living["spec"]["trainer"]["numNodes"] = -1
    assert not judge_object(living).stored
    assert judge_object(living, living).stored


def test_the_order_of_a_list_with_keys_does_not_count_in_an_edit():
    turned = json.loads(json.dumps(TRAIN_JOB))
    turned["spec"]["trainer"]["env"].reverse()
    assert judge_object(turned, TRAIN_JOB).stored
    turned["spec"]["trainer"]["env"][0]["value"] = "x"
    assert [problem.detail for problem in judge_object(turned, TRAIN_JOB).problems] == ["field is immutable"]


def test_generated_names_are_checked_too():
    given = {**TRAIN_JOB, "metadata": {"generateName": "a" * 70}}
    assert judge_object(given).stored
    assert not judge_object({**given, "metadata": {"generateName": "1run-"}}).stored


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, {"spec": 1}, {"spec": {"trainer": [[]]}}, {"metadata": []}])
@pytest.mark.parametrize(("version", "kind"), KINDS)
def test_no_value_makes_it_crash(version: str, kind: str, value: Any):
    inside = value if isinstance(value, dict) else {"metadata": {"name": "x"}, "spec": value}
    judge_object({"apiVersion": version, "kind": kind, **inside})


def test_no_type_of_the_overlay_is_unused():
    """A misspelt name there changes nothing. Types of the old Kubernetes that equal the new ones are stored once."""
    stored = json.loads(Path(schema.__file__).with_name("schemas.json").read_text(encoding="utf-8"))["types"]
    assert {name for name in OVERLAY["types"] if not name.startswith("1.28")} <= stored.keys()
