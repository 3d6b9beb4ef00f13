"""Small pipelines with the class of study_examples."""

from __future__ import annotations

from typing import Any

from study_examples import data as study_data

from kftune.pipeline import Pipeline, pipeline_from_dict


def step(kind: str = "container", **fields: Any) -> dict[str, Any]:
    """Returns a step in the form of a pipeline file."""
    return {"kind": kind, **({} if kind == "tune" else {"module": "toy"}), **fields}


def tune(**fields: Any) -> dict[str, Any]:
    """Returns a tune step with a study."""
    return step("tune", study=study_data(), **fields)


def pipeline(steps: dict[str, Any], **sections: Any) -> Pipeline:
    """Returns a pipeline of these steps."""
    return pipeline_from_dict({"name": "toy", "steps": steps, **sections})


def chain(**changes: Any) -> dict[str, Any]:
    """Returns a pipeline of three steps in sequence; each uses the output of the step before."""
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
