"""`docs/security.md` names, for each border, the code that holds it and tests that there are; no suite is left out."""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

from places import ROOT, TESTS


class Border(NamedTuple):
    """A row of the table of borders."""

    what: str
    code: str
    tests: str
    named: dict[str, list[str]]
    """File below tests/ -> the tests of it."""


def borders() -> list[Border]:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"^## What it does not trust$.*?(?=^## )", page, re.M | re.S)
    lines = re.findall(r"^\| (.+?) \| .+ \| (.+?) \| (.+?) <!-- (.+?) --> \|$", section, re.M)
    assert len(lines) == len(re.findall(r"^\| ", section, re.M)) - 1, "a row that is not read"
    return [Border(what, code, tests, dict(_named(comment))) for what, code, tests, comment in lines]


def _named(comment: str) -> list[tuple[str, list[str]]]:
    files = [part.partition(":") for part in comment.split(";")]
    return [(file.strip(), re.findall(r"\w+", tests)) for file, _, tests in files]


def there_in(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_border_names_tests_that_there_are():
    missing = {
        border.what: [f"{file}: {test}" for file, tests in border.named.items() for test in {*tests} - there_in(file)]
        for border in borders()
    }
    assert {what: tests for what, tests in missing.items() if tests} == {}
    assert all(tests for border in borders() for tests in border.named.values())


def test_every_border_links_to_its_code_and_to_its_tests():
    assert [border.what for border in borders() if "](../src/kftune/" not in border.code] == []
    assert [border.what for border in borders() if "](../tests/" not in border.tests] == []


def test_every_file_of_hostile_inputs_is_named():
    named = {file for border in borders() for file in border.named}
    files = {f"security/{path.name}" for path in (TESTS / "security").glob("test_*.py")}
    assert files - named == {"security/test_page.py"}
