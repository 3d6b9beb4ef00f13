from __future__ import annotations

import random
import time
from typing import Any

import pytest

from kftune.katib.admission.cluster import Cluster
from kftune.katib.admission.defaults import VERSIONS
from kftune.katib.go.reading import read
from kftune.lint.example import EXAMPLE
from kftune.lint.judging import judge
from kftune.lint.report import as_json, placed
from kftune.lint.rules import RULES
from kftune.lint.sources import Source, decoded, documents

VALUES: list[Any] = [
    *[None, True, 0, -1, 1.5, 1e300, 2**31, 2**63, "", "x", "NaN", "\u0000", "${trialParameters.lr}", "-.5", "é"],
    *[[], {}, [None], [[]], {"a": None}, {"kind": "Job"}, [{}], ["x"], {"name": "main"}],
]
SIGNS = [
    "\t",
    "\x00",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "!!x ",
    "|",
    ">",
    "'",
    '"',
    "%",
    "@",
    "- ",
    ": ",
    "\n",
    "---\n",
    "<<: ",
]


def survives(text: str) -> None:
    for document in documents(Source("fuzz.yaml", text, named=True)):
        for version in VERSIONS:
            judgement = judge(document, Cluster(), version)
            as_json([(judgement, list(placed(judgement)))], version)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += paths(item, (*path, key))
    return found


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


def test_no_value_in_any_place_makes_it_crash():
    example = read(EXAMPLE)
    source = Source("fuzz.yaml", EXAMPLE, named=True)
    (document,) = documents(source)
    for path in paths(example):
        for value in VALUES:
            for version in VERSIONS:
                judgement = judge(document._replace(value=changed(example, path, value)), Cluster(), version)
                assert {finding.code for finding in judgement.findings} <= set(RULES)


@pytest.mark.slow
def test_no_mangled_text_makes_it_crash():
    chance = random.Random(7)
    for _ in range(1500):
        text = EXAMPLE
        for _ in range(chance.randint(1, 5)):
            start = chance.randrange(len(text))
            cut = chance.choice([0, 0, 1, 5, 40])
            text = text[:start] + chance.choice(SIGNS) * chance.choice([1, 1, 3]) + text[start + cut :]
        survives(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 500_000,
        "{a: " * 200_000,
        "a: " + "9" * 1_000_000,
        "- " * 200_000,
        "\t" * 1000,
        "a: &a [*a, *a]",
        "? " * 50_000,
        "!" * 100_000,
        "x: |\n" + "  y\n" * 100_000,
        "k: v\n" * 100_000,
        decoded(bytes(range(256)) * 1000),
    ],
    ids=str.__len__,
)
def test_large_and_odd_texts_end_soon(text: str):
    start = time.perf_counter()
    survives(text)
    assert time.perf_counter() - start < 10  # a second each on an idle machine
