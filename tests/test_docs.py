"""Every command and code block of README.md and docs/ runs here, in a scratch folder that holds a copy of pipelines/.

A document's blocks run in order: `sh` in bash, `python` in a process of its own. One whose first line is
`# file: PATH` is written to that path instead. A YAML block without a path is a part of a study, or of a pipeline when
it has a key that only pipelines have: it is laid over a whole one.
`<!-- not run: REASON -->` before a block says why it is only looked at.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from document_blocks import BLOCK, DOCUMENTS, Block, blocks, whole
from places import ROOT

LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def _id(document: Path) -> str:
    return str(document.relative_to(ROOT))


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "pipelines", tmp_path / "pipelines")
    return tmp_path


def _run(command: list[str], code: str, folder: Path, modules: list[Path]) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": ":".join(map(str, modules)),
    }
    done = subprocess.run(command, input=code, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"


def _try(block: Block, scratch: Path, folder: Path, modules: list[Path]) -> None:
    """Writes, runs or reads a block; folders of files that it writes are added to `modules`."""
    if block.file:
        path = scratch / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.code)
        modules.append(path.parent)
    elif block.reason or block.language == "text":
        return
    elif block.language == "sh":
        _run(["bash", "-euo", "pipefail"], block.code, folder, modules)
    elif block.language == "python":
        _run([sys.executable, "-"], block.code, folder, modules)
    elif block.language == "yaml":
        whole(block.code)
    else:
        assert block.language == "toml"
        tomllib.loads(block.code)


@pytest.mark.parametrize("document", DOCUMENTS, ids=_id)
def test_every_block_of_a_document_runs(document: Path, scratch: Path) -> None:
    folder = scratch / document.parent.relative_to(ROOT) if "pipelines" in document.parts else scratch
    modules: list[Path] = []
    for block in blocks(document):
        _try(block, scratch, folder, modules)


@pytest.mark.parametrize("document", DOCUMENTS, ids=_id)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    targets = LINK.findall(document.read_text())
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_id)
def test_every_link_to_a_heading_leads_to_one(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)", document.read_text())
    assert [link for link in links if link[1] not in _anchors(document.parent / link[0] if link[0] else document)] == []


def _anchors(document: Path) -> set[str]:
    """The headings as links name them."""
    text = BLOCK.sub("", document.read_text())
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.+)$", text, re.M)}


def test_every_make_target_that_a_document_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {
        name
        for document in DOCUMENTS
        for name in re.findall(r"(?:^|`)make ([a-z][a-z0-9-]+)", document.read_text(), re.M)
    }
    assert named - targets == set()


def test_contributing_names_every_make_target():
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M)
    named = re.findall(r"\bmake ([a-z][a-z0-9-]+)", (ROOT / "CONTRIBUTING.md").read_text())
    assert set(targets) - {"help"} - set(named) == set()
