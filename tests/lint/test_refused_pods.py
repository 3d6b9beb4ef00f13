"""Lint against recorded answers of the API server about Jobs and their pods."""

from __future__ import annotations

import pytest
from refused_pods import PodCase, pod_cases

from kftune import yaml_text
from kftune.katib.admission.cluster import Cluster
from kftune.katib.pod import spec_problems
from kftune.lint.experiment import check_experiment
from kftune.lint.rules.rule import Finding
from kftune.lint.sources import SourceText, documents

CASES = {case.name: case for case in pod_cases()}
REFUSED = [case for case in CASES.values() if case.says]
ACCEPTED = [case for case in CASES.values() if not case.says]


def findings(experiment: object) -> list[Finding]:
    (found,) = documents(SourceText("x.yaml", yaml_text.dump(experiment), named=True))
    return [each for each in check_experiment(found, Cluster(), "0.19").findings if each.severity != "advice"]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_what_the_server_refuses_is_a_finding_of_a_trial_that_hangs(case: PodCase):
    found = findings(case.experiment)
    assert {each.severity for each in found} <= {"hangs", "refused"}
    assert found, case.says


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.name)
def test_what_the_server_accepts_is_no_finding(case: PodCase):
    assert findings(case.experiment) == []


def test_there_are_many_cases_of_both_kinds():
    assert len(REFUSED) > 250
    assert len(ACCEPTED) > 70


def test_a_finding_says_whether_the_job_or_only_its_pods_are_refused():
    told = {name: findings(CASES[name].experiment)[0].message for name in ("port-twice", "image-blank")}
    assert told["port-twice"].endswith("no Job is created")
    assert told["image-blank"].endswith("no pod is created")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("hugepages-alone", "KT273"),
        ("sub-path-dots", "KT272"),
        ("toleration-operator", "KT277"),
        ("managed-by", "KT276"),
    ],
)
def test_a_place_decides_the_rule(name: str, code: str):
    assert [each.code for each in findings(CASES[name].experiment)] == [code]


def test_a_value_with_a_placeholder_is_not_judged():
    spec = {
        "hostname": "${trialParameters.lr}",
        "tolerations": [{"operator": "${trialParameters.lr}", "value": "${trialParameters.lr}"}],
        "nodeSelector": {"a": "${trialParameters.lr}"},
        "containers": [{"resources": {"limits": {"nvidia.com/gpu": "${trialParameters.lr}"}}}],
        "volumes": [{"name": "a", "emptyDir": {"sizeLimit": "${trialParameters.lr}"}}],
    }
    assert list(spec_problems(spec, ())) == []
