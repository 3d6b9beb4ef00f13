"""What a step's script needs to read its arguments and write its outputs; only the standard library is imported.

    paths, rest = outputs.take(sys.argv[1:], "data", "metrics", "val_loss", "executor-output")
    hparams = LstmHparams.from_args(rest)
    ...
    outputs.write(paths["val_loss"], 0.25)
    outputs.write_metrics(paths["metrics"], {"val_loss": 0.25}, paths.get("executor-output"))

`docs/guides/pipelines.md` has the rules that a script without this module keeps by itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from kftune.errors import MetricError, UsageError
from kftune.files import write_text

Value = bool | int | float | str | list[object] | dict[str, object]


def take(argv: Sequence[str], *names: str) -> tuple[dict[str, str], list[str]]:
    """Takes ``--name=value`` out of a command line.

    Args:
        argv: The arguments, without the program.
        names: What to take; ``-`` and ``_`` are the same.

    Returns:
        The values by name, and the arguments that are left, in order. A name that is not there, or empty, is left out.

    Raises:
        UsageError: A name is there twice.
    """
    known = {name.replace("-", "_"): name for name in names}
    taken: dict[str, str] = {}
    rest = []
    for token in argv:
        flag, equals, value = token.partition("=")
        name = known.get(flag.removeprefix("--").replace("-", "_")) if equals and flag.startswith("--") else None
        if name is None:
            rest.append(token)
        elif name in taken:
            raise UsageError(f"--{name} must be given once, but is there twice")
        else:
            taken[name] = value
    return {name: value for name, value in taken.items() if value}, rest


def write(path: str | Path, value: Value) -> None:
    """Writes a parameter: a text as it is, all else as JSON. Folders are made.

    Raises:
        MetricError: The value holds a number that is not finite.
        OSError: The file cannot be written.
    """
    write_text(Path(path), value if isinstance(value, str) else _json(value, "an output"))


def write_metrics(
    path: str | Path, metrics: Mapping[str, float], executor_output: str | Path | None = None, name: str = "metrics"
) -> None:
    """Writes metrics as a JSON file and, for KFP's page, as the metadata of the artifact.

    Args:
        path: The artifact's.
        metrics: Name -> value.
        executor_output: Where the argument ``--executor-output`` says; None leaves it out.
        name: The artifact's name among the step's outputs.

    Raises:
        MetricError: A value is not finite.
        OSError: A file cannot be written.
    """
    values = dict(metrics)
    write_text(Path(path), _json(values, "metrics") + "\n")
    if executor_output is not None:
        # Source: kfp 2.17, v2 launcher: what it reads of this file, and no other key.
        content = {"artifacts": {name: {"artifacts": [{"metadata": values}]}}}
        write_text(Path(executor_output), _json(content, "metrics"))


def _json(value: object, what: str) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        raise MetricError(f"{what} must be finite, but got {value}")
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise MetricError(f"{what} must hold finite numbers only, but got {value!r}") from error
