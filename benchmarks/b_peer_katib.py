"""The Katib SDK's side: its models, `sanitize_for_serialization`, `yaml.safe_dump`.

b_peer_katib.py serve FOLDER         renders the first study repeatedly
b_peer_katib.py write FOLDER N FILE  writes N studies into one file, one by one
"""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import Any

import kubernetes.client
import yaml
from kubeflow import katib

from benchmarks.b_peer_models import Fields, builder, values
from benchmarks.worker import serve


def fields(model: Any) -> Fields:
    """Reads the generated tables of a model, which hold types as text, such as `list[V1beta1ParameterSpec]`."""
    found = {}
    for name, key in model.attribute_map.items():
        inner = model.openapi_types[name].removeprefix("list[").removesuffix("]")
        found[key] = (name, getattr(katib, inner, None) or getattr(kubernetes.client, inner, None))
    return found


def main() -> None:
    mode, folder = sys.argv[1], Path(sys.argv[2])
    build = builder(folder, katib.V1beta1Experiment, fields)
    client = katib.ApiClient()
    if mode == "serve":
        first = next(values(folder))
        serve(lambda: yaml.safe_dump(client.sanitize_for_serialization(build(*first))))
        return
    with Path(sys.argv[4]).open("w", encoding="utf-8") as file:
        for row in islice(values(folder), int(sys.argv[3])):
            file.write("---\n")
            yaml.safe_dump(client.sanitize_for_serialization(build(*row)), file)


if __name__ == "__main__":
    main()
