"""What `make setup` and `make demo` install from has the tested versions, with hashes, of all that is asked for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FILES = {"setup": "SETUP_EXTRAS", "demo": "DEMO_EXTRAS"}


def pins(path: Path) -> dict[NormalizedName, str]:
    found = re.findall(r"^([\w.-]+)==([\w.]+)", path.read_text(), re.M)
    return {canonicalize_name(name): version for name, version in found}


def asked(extras: str) -> set[NormalizedName]:
    """Returns the names of the packages that pyproject.toml asks for, without kftune's own."""
    texts = list(PROJECT["dependencies"])
    for extra in extras.split(","):
        texts += PROJECT["optional-dependencies"][extra]
    return {canonicalize_name(Requirement(text).name) for text in texts} - {"kftune"}


@pytest.mark.parametrize("name", FILES)
def test_each_requirement_has_the_version_of_the_constraints(name):
    constraints = pins(ROOT / "constraints.txt")
    found = pins(ROOT / "requirements" / f"{name}.txt")
    both = constraints.keys() & found.keys()
    assert len(both) > 20
    assert {key: found[key] for key in both} == {key: constraints[key] for key in both}


@pytest.mark.parametrize("name", FILES)
def test_each_requirement_has_a_hash(name):
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    entries = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.M))
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize(("name", "variable"), FILES.items())
def test_all_that_is_asked_for_is_in_the_file_with_the_build_backend(name, variable):
    extras = re.search(rf"^{variable} := (.*)$", MAKEFILE, re.M)
    assert extras is not None
    wanted = asked(extras[1]) | {"hatchling", "editables"}
    assert wanted - pins(ROOT / "requirements" / f"{name}.txt").keys() == set()
