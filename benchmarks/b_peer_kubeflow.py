"""The Kubeflow SDK's side: its models of Katib's objects, `to_dict`, and PyYAML's dumper in C.

b_peer_kubeflow.py serve FOLDER       renders the first study repeatedly
b_peer_kubeflow.py write FOLDER FILE  writes the first study into a file
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args

import yaml
from kubeflow_katib_api import models
from pydantic import BaseModel

from benchmarks.b_peer_models import Fields, builder, values
from benchmarks.worker import serve


def fields(model: Any) -> Fields:
    return {field.alias or name: (name, _model(field.annotation)) for name, field in model.model_fields.items()}


def _model(annotation: Any) -> type | None:
    """Returns the model in an annotation such as `Optional[List[V1beta1ParameterSpec]]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for inner in get_args(annotation) if (model := _model(inner))), None)


def main() -> None:
    mode, folder = sys.argv[1], Path(sys.argv[2])
    build = builder(folder, models.V1beta1Experiment, fields)
    first = next(values(folder))

    def text() -> str:
        return yaml.dump(build(*first).to_dict(), Dumper=yaml.CSafeDumper, sort_keys=False)

    if mode == "serve":
        serve(text)
    else:
        Path(sys.argv[3]).write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
