"""The published JSON Schema of a project file."""

from __future__ import annotations

from typing import Any

from kftune.project.model import Project
from kftune.study.schema import describe


def project_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a project file."""
    schema = Project.model_json_schema(mode="validation")
    describe(schema, Project)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kftune project",
        **{key: value for key, value in schema.items() if key != "title"},
    }
