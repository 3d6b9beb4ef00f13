"""Lint against recorded answers of the API server about Jobs and their pods."""

from __future__ import annotations

import random
from typing import Any

import pytest
from refused_pods import PodCase, pod_cases

from kftune import yaml_text
from kftune.katib.admission.cluster import Cluster
from kftune.katib.pod import creation_problems, job_problems, spec_problems
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


ODD: tuple[Any, ...] = (None, 0, -1, True, "", [], {}, [1], {"a": []}, "x", 1.5, [{}], [[]], {"name": ["a"]})


def distorted(value: Any, chance: random.Random) -> Any:
    """Returns a value with some of its parts replaced by values of other types."""
    inside: Any = value
    inside = {key: distorted(each, chance) for key, each in value.items()} if isinstance(value, dict) else inside
    inside = [distorted(each, chance) for each in value] if isinstance(value, list) else inside
    return chance.choice(ODD) if chance.random() < 0.06 else inside


@pytest.mark.parametrize("seed", range(5))
def test_values_of_any_type_are_read(seed: int):
    chance = random.Random(seed)
    for case in CASES.values():
        job = {key: distorted(value, chance) for key, value in case.job["spec"].items()}
        pod = {key: distorted(value, chance) for key, value in case.job["spec"]["template"]["spec"].items()}
        found = [*job_problems(job, ()), *spec_problems(pod, ()), *creation_problems(pod, ())]
        assert all(each.detail for each in found)
