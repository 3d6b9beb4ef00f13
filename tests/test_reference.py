"""The pages of docs/reference: as generated, with an example of every key, and every variable of the environment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from document_blocks import blocks
from places import ROOT
from reference_pages import all_pages, experiments_sections, pipeline_sections, project_sections, study_sections
from reference_schema import Section

from kftune import yaml_text
from kftune.katib.engines.settings import SEED
from kftune.study.algorithms import KNOWN, declared

PAGES = ROOT / "docs" / "reference"
SECTIONS = {
    "study": study_sections,
    "pipeline": pipeline_sections,
    "project": project_sections,
    "experiments": experiments_sections,
}


@pytest.mark.parametrize(("name", "text"), [pytest.param(*page, id=page[0]) for page in all_pages()])
def test_a_page_is_what_the_generator_writes(name, text):
    assert (PAGES / name).read_text() == text, "run: python tools/reference_pages.py docs/reference"


def paths(value: Any, path: str = "") -> Iterator[str]:
    """The keys of a YAML block: ``budget.max_trials``, ``metrics[].name``."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, f"{path}.{key}" if path else str(key))
    if isinstance(value, list):
        for inner in value:
            yield from paths(inner, f"{path}[]")


def keys(sections: list[Section]) -> list[str]:
    return [key.path for section in sections for key in section.keys]


@pytest.mark.parametrize("what", SECTIONS)
def test_every_key_of_a_file_has_an_example(what):
    found = {path for block in blocks(PAGES / f"{what}.md") for path in paths(yaml_text.load(block.code))}
    patterns = {key: re.escape(key).replace("NAME", ".+") for key in keys(SECTIONS[what]())}
    assert len(patterns) > 10
    assert [key for key, pattern in patterns.items() if not any(re.fullmatch(pattern, path) for path in found)] == []


@pytest.mark.parametrize("what", SECTIONS)
def test_every_key_of_a_file_has_a_meaning(what):
    assert [key.path for section in SECTIONS[what]() for key in section.keys if not key.meaning] == []


@pytest.mark.parametrize("algorithm", KNOWN)
def test_every_setting_of_an_algorithm_has_a_meaning(algorithm):
    settings = declared(algorithm).settings
    assert [name for name, setting in settings.items() if not setting.meaning and name != SEED] == []


# -- the environment ------------------------------------------------------------------------------------------------


def sources() -> list[Path]:
    return sorted((ROOT / "src").rglob("*.py"))


def strings(code: str) -> dict[str, str]:
    """The texts of a module's constants by name."""
    return dict(re.findall(r"""^([A-Z_]+) = ['"]([^'"]*)['"]""", code, re.M))


def environment_reads(code: str) -> Iterator[str]:
    """The names in ``os.environ.get(NAME)``, ``os.environ[NAME]`` and ``NAME in os.environ``, as written."""
    yield from re.findall(r"os\.environ(?:\.\w+\(|\[)[\"']?(\w+)", code)
    yield from re.findall(r"(\w+)[\"']? (?:not )?in os\.environ", code)


def variables_of(path: Path) -> set[str]:
    code = path.read_text()
    constants = strings(code)
    read = {constants.get(name, name) for name in environment_reads(code)}
    return {name for name in read if re.fullmatch("[A-Z][A-Z0-9_]+", name)} | set(
        re.findall(r"KFTUNE_[A-Z0-9_]*[A-Z0-9]", code)
    )


def test_every_variable_that_the_code_reads_or_writes_is_on_the_page():
    found = set().union(*(variables_of(path) for path in sources()))
    assert {"KFTUNE_DATA", "NO_COLOR", "KF_PIPELINES_SA_TOKEN_PATH"} <= found
    shown = re.findall(r"^\| `([A-Z0-9_]+)`", (PAGES / "environment.md").read_text(), re.M)
    assert sorted(found - set(shown)) == []
    assert len(shown) == len(set(shown))


def test_no_variable_is_on_the_page_without_being_in_the_code():
    code = "".join(path.read_text() for path in sources())
    shown = re.findall(r"^\| `([A-Z0-9_]+)`", (PAGES / "environment.md").read_text(), re.M)
    assert [name for name in shown if name not in code] == []
