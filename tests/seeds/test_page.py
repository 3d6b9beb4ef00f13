"""`docs/seeds.md` and the tests of the seeds name each other, so that neither says more than the other."""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

import pytest
from places import ROOT, TESTS

SEEDS = ("000", "001", "002", "003", "004")
STATES = ("works", "differs", "refused", "planned")


class Row(NamedTuple):
    """A row of a table: an item, its state, what it is here, and the tests that run it."""

    item: str
    state: str
    here: str
    tests: tuple[str, ...]


def rows(seed: str) -> list[Row]:
    page = (ROOT / "docs" / "seeds.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {seed}: .*?(?=^## |\Z)", page, re.M | re.S)
    lines = re.findall(r"^\| (.+?) \| (\w+) \| (.+?)(?: <!-- (.+?) -->)? \|$", section, re.M)
    assert len(lines) == len(re.findall(r"^\| (?!item )", section, re.M)), "a row that is not read"
    return [Row(item, state, here, tuple(re.findall(r"\w+", named))) for item, state, here, named in lines]


def written_for(seed: str) -> set[str]:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (TESTS / "seeds").glob(f"test_{seed}*.py")]
    functions = [node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {node.name for node in functions if node.name.startswith("test_")}


@pytest.mark.parametrize("seed", SEEDS)
def test_every_row_has_a_state_that_the_page_explains(seed: str):
    assert {row.state for row in rows(seed)} <= set(STATES)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_row_that_is_there_names_a_test_and_a_guide(seed: str):
    there = [row for row in rows(seed) if row.state in ("works", "differs")]
    assert [row.item for row in there if not row.tests] == []
    assert [row.item for row in there if "](" not in row.here] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_every_trap_of_a_document_has_a_test(seed: str):
    assert [row.item for row in rows(seed) if row.item.startswith("trap:") and not row.tests] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_the_tests_that_the_page_names_are_the_tests_that_there_are(seed: str):
    named = {name for row in rows(seed) for name in row.tests}
    assert named == written_for(seed)


def test_what_is_planned_says_what_serves_today():
    planned = [row for seed in SEEDS for row in rows(seed) if row.state == "planned"]
    assert [row.item for row in planned if "today" not in row.here] == []


def test_every_file_of_the_seeds_has_its_section():
    assert {path.stem[:8] for path in (TESTS / "seeds").glob("test_0*.py")} == {f"test_{seed}" for seed in SEEDS}
