"""The code blocks of README.md and docs/, and the wholes around those that show only a part of a study or pipeline."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from places import CIRCUITS, ROOT

from kftune import yaml_text
from kftune.experiments.file import Experiments, list_from_dict
from kftune.pipeline import Pipeline, pipeline_from_dict
from kftune.project import Project
from kftune.study import Study, study_from_dict

DOCUMENTS = [
    path
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "SECURITY.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "pipelines").rglob("*.md")),
    )
    # The pages of the lint rules are generated; the tests of lint judge their examples.
    if path.exists() and path.parent.name != "lint"
]
BLOCK = re.compile(r"(<!-- not run: (?P<reason>.+?) -->\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S)

IMAGE = "registry.example/whole:1"

WHOLE_STUDY: dict[str, Any] = {
    "name": "whole",
    "hparams": "LstmHparams",
    "objective": {"metric": "val_loss", "direction": "minimize"},
    "step": {"image": IMAGE, "module": "kftune.training", "args": ["lstm"]},
}

WHOLE_PIPELINE: dict[str, Any] = {
    "name": "whole",
    "defaults": {"image": IMAGE},
    "parameters": {"circuit": "PLANT001/CIRCUIT01", "limit": 0.5},
    "steps": {
        "data": {"kind": "data", "module": "kftune.training", "args": ["data"]},
        "tune": {"kind": "tune", "study": WHOLE_STUDY, "image": "registry.example/launcher:1"},
        "train": {"kind": "train", "module": "kftune.training", "args": ["lstm"]},
        "evaluate": {"kind": "evaluate", "module": "kftune.training", "outputs": {"val_loss": "float"}},
    },
}
WHOLE_PROJECT = {"name": "whole", "namespace": "team-a"}

PIPELINE_KEYS = set(Pipeline.model_fields) - set(Study.model_fields)
PROJECT_KEYS = set(Project.model_fields) - set(Study.model_fields)


class Block(NamedTuple):
    """One fenced block of a document."""

    language: str
    code: str
    reason: str | None

    @property
    def file(self) -> str | None:
        """The path of the file that the block shows; None if it shows none."""
        found = re.match(r"# file: (\S+)\n", self.code)
        return found[1] if found else None


def blocks(document: Path) -> list[Block]:
    """Returns the blocks of a document, in order."""
    found = BLOCK.finditer(document.read_text())
    return [Block(match["language"], match["code"], match["reason"]) for match in found]


def whole(code: str) -> Study | Pipeline | Project | Experiments:
    """Returns what a YAML block is a part of: the block laid over a whole study, pipeline or project, or a list."""
    part: Any = yaml_text.load(code)
    if "experiments" in part:
        return list_from_dict(part)
    if PROJECT_KEYS & set(part):
        return Project.model_validate({**WHOLE_PROJECT, **part})
    if PIPELINE_KEYS & set(part):
        steps = {**WHOLE_PIPELINE["steps"], **part.get("steps", {})}
        return pipeline_from_dict({**WHOLE_PIPELINE, **part, "steps": steps}, [CIRCUITS])
    study = {**WHOLE_STUDY, **part}
    if "objectives" in part:
        study.pop("objective")
    if "step" in part and "command" not in part["step"]:
        study["step"] = {**WHOLE_STUDY["step"], **part["step"]}
    if "constraints" in part:
        study["hparams"] = "LstmHparams"
    if "search" in part:
        study["hparams"] = "LstmHparams"
        study["search"] = {
            name: spec for name, spec in part["search"].items() if name in ("learning_rate", "batch_size", "epochs")
        }
    return study_from_dict(study)
