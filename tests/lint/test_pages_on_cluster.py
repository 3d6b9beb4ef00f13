"""Which examples of lint's pages the e2e suite runs on a cluster, and why the other ones are left out."""

from __future__ import annotations

from collections import Counter

from e2e_lint import admissions, further, pages, refusals, runs, severity_of

from kftune.lint.rules.all import RULES

PYTHON = "it is about {}, a Python service that the cluster does not have"
LEFT = {
    "a file of kftune, which no cluster holds": 18,
    "its collector's image comes from a registry, and the cluster has none": 1,
    "the page has no example": 6,
    "the cluster has no TrainJob": 2,
    "the cluster has no service for early stopping": 7,
    "it stops after thousands of trials": 1,
    "its image comes from a registry, and the cluster has none": 2,
    "the setting is one of Katib's random, a Python service that the cluster does not have": 1,
    PYTHON.format("random"): 5,
    PYTHON.format("grid"): 4,
    PYTHON.format("pbt"): 3,
    PYTHON.format("hyperband"): 3,
    PYTHON.format("multivariate-tpe"): 1,
    PYTHON.format("bayesianoptimization"): 1,
    PYTHON.format("enas"): 1,
}


def test_what_is_left_out_has_a_reason():
    assert Counter(page.left for page in pages() if page.left) == LEFT
    assert len([*refusals(), *runs()]) == len(RULES) - sum(LEFT.values())


def test_an_adapted_example_is_still_reported_by_its_page():
    found = {page.code: severity_of(page.fails or {}, page.code) for page in runs()}
    assert found == {page.code: page.severity for page in runs()}


def test_a_further_case_is_reported_by_its_rule():
    assert {name for name, page in further().items() if page.fails is None} == set()


def test_each_example_is_asked_of_the_server_in_the_form_that_it_admits():
    assert len({code for code, _ in admissions()}) == len(RULES) - 18 - 6
