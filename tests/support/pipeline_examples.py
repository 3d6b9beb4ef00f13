"""Pipelines small enough to read, of the class in study_examples."""

from __future__ import annotations

from typing import Any

from study_examples import data as study_data

from kftune.pipeline import Pipeline, pipeline_from_dict


def step(kind: str = "container", **fields: Any) -> dict[str, Any]:
    """A step as its file writes it."""
    return {"kind": kind, **({} if kind == "tune" else {"module": "toy"}), **fields}


def tune(**fields: Any) -> dict[str, Any]:
    """A tune step with a study of its own."""
    return step("tune", study=study_data(), **fields)


def pipeline(steps: dict[str, Any], **sections: Any) -> Pipeline:
    """A pipeline of these steps."""
    return pipeline_from_dict({"name": "toy", "steps": steps, **sections})


def chain(**changes: Any) -> dict[str, Any]:
    """Three steps in a row, each of which takes what the one before writes."""
    return {
        "data": step("data", inputs={"n_rows": 10}),
        "train": step("train", inputs={"data": "${steps.data.outputs.data}"}),
        "evaluate": step(
            "evaluate",
            inputs={"model": "${steps.train.outputs.model}"},
            outputs={"metrics": "metrics", "val_loss": "float"},
        ),
        **changes,
    }
