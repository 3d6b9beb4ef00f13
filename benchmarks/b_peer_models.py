"""Writes and imports a module that makes an Experiment from the models of an SDK, as a user would write it.

So a peer makes the same document that kftune renders, and is measured for its own models only. The module contains
`V1beta1Experiment(api_version=..., spec=V1beta1ExperimentSpec(...))`.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

# Key in the document -> the model's name for it, and the model of its value (None for plain data).
Fields = Mapping[str, tuple[str, type | None]]


def builder(folder: Path, experiment: type, fields: Callable[[type], Fields]) -> Callable[..., Any]:
    """Returns a function that makes the Experiment from the values in which studies differ."""
    template = json.loads((folder / "template.json").read_text(encoding="utf-8"))
    names = {tuple(path): f"value{index}" for index, path in enumerate(template["paths"])}
    models: dict[str, type] = {}

    def expression(value: Any, model: type | None, path: tuple[str | int, ...]) -> str:
        if path in names:
            return names[path]
        if isinstance(value, list):
            return f"[{', '.join(expression(item, model, (*path, index)) for index, item in enumerate(value))}]"
        if not isinstance(value, dict):
            return repr(value)
        if model is None:
            pairs = (f"{key!r}: {expression(item, None, (*path, key))}" for key, item in value.items())
            return f"{{{', '.join(pairs)}}}"
        models[model.__name__] = model
        known = fields(model)
        given = (f"{known[key][0]}={expression(item, known[key][1], (*path, key))}" for key, item in value.items())
        return f"{model.__name__}({', '.join(given)})"

    written = folder / f"made_with_{experiment.__module__.partition('.')[0]}.py"
    made = expression(template["document"], experiment, ())
    written.write_text(f"def make({', '.join(names.values())}):\n    return {made}\n", encoding="utf-8")
    spec = importlib.util.spec_from_file_location(written.stem, written)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    vars(module).update(models)
    spec.loader.exec_module(module)
    make: Callable[..., Any] = module.make
    return make


def values(folder: Path) -> Iterator[list[Any]]:
    """Yields, for each study, the values in which it differs from others."""
    with (folder / "values.jsonl").open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
