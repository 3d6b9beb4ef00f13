from __future__ import annotations

import json
import random
import subprocess
import sys
from typing import Any

import pytest
from growth import is_linear
from lint_examples import EXAMPLE
from mangled import LARGE, SEEDS, mangled
from mutations import MUTATIONS, Mutation, mutated, places
from places import ROOT, SUPPORT, TESTS

from kftune.katib.admission.cluster import Cluster, KatibConfig, cluster_of
from kftune.katib.admission.defaults import VERSIONS, KatibVersion
from kftune.katib.go.reading import read
from kftune.lint.experiment import check_experiment
from kftune.lint.placing import placed
from kftune.lint.rules.all import RULES
from kftune.lint.sources import Document, SourceText, documents

VALUES: list[Any] = [
    *[None, True, 0, -1, 1.5, 1e300, 2**31, 2**63, "", "x", "NaN", "\u0000", "${trialParameters.lr}", "-.5", "é"],
    *[[], {}, [None], [[]], {"a": None}, {"kind": "Job"}, [{}], ["x"], {"name": "main"}],
]
MOST_MEMORY = 200  # MB


def survives(text: str, version: KatibVersion = "0.19") -> None:
    judge_all(list(documents(SourceText("fuzz.yaml", text, named=True))), version)


def judge_all(found: list[Document], version: KatibVersion) -> None:
    cluster = cluster_of([document.value for document in found], KatibConfig(), labelled=True)
    judgements = [check_experiment(document, cluster, version) for document in found]
    json.dumps([list(placed(judgement)) for judgement in judgements])
    assert {finding.code for judgement in judgements for finding in judgement.findings} <= set(RULES)


def _put(value: Any) -> Mutation:
    return lambda name, _: [(name, value)]


def test_no_value_in_any_place_makes_it_crash():
    example = read(EXAMPLE)
    (document,) = documents(SourceText("fuzz.yaml", EXAMPLE, named=True))
    for path, _ in places(example):
        for value in VALUES:
            changed = mutated(example, path, _put(value))
            for version in VERSIONS:
                check_experiment(document._replace(value=changed), Cluster(), version)


def _mangled_texts(count: int) -> None:
    chance = random.Random(7)
    for number in range(count):
        survives(mangled(chance), VERSIONS[number % 3])


def _mutated_objects(count: int) -> None:
    chance = random.Random(7)
    seeds = [list(documents(SourceText("fuzz.yaml", text, named=True))) for text in SEEDS]
    changes = [*MUTATIONS.values(), *map(_put, VALUES)]
    for _ in range(count):
        found = list(chance.choice(seeds))
        at = chance.randrange(len(found))
        value = found[at].value
        for _ in range(chance.choice([1, 2, 3])):
            where = list(places(value))
            changed = mutated(value, chance.choice(where)[0], chance.choice(changes)) if where else None
            value = value if changed is None else changed
        found[at] = found[at]._replace(value=value)
        judge_all(found, "0.19")


def test_some_hundreds_of_mangled_texts_are_checked():
    _mangled_texts(500)


def test_some_hundreds_of_mutated_objects_are_checked():
    _mutated_objects(600)


@pytest.mark.nightly
def test_twenty_thousand_mangled_texts_are_checked():
    _mangled_texts(20_000)


@pytest.mark.nightly
def test_twenty_thousand_mutated_objects_are_checked():
    _mutated_objects(20_000)


@pytest.mark.parametrize("name", LARGE)
def test_a_megabyte_of_anything_costs_about_twice_as_much_as_half_of_it(name: str):
    assert is_linear(survives, LARGE[name](500), LARGE[name](1000))


@pytest.mark.nightly
@pytest.mark.parametrize("name", LARGE)
def test_a_megabyte_of_anything_fits_into_little_memory(name: str):
    folders = [str(SUPPORT), str(ROOT / "tools"), str(TESTS / "lint")]
    code = (
        f"import resource, sys; sys.path[:0] = {folders!r}; import mangled, test_fuzz as it; "
        f"it.survives(mangled.LARGE[{name!r}](1000)); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < MOST_MEMORY
