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
        _show(Path(executor_output), name, values)


def write_classification(
    path: str | Path,
    labels: Sequence[str],
    matrix: Sequence[Sequence[int]],
    executor_output: str | Path | None = None,
    *,
    roc: Sequence[tuple[float, float, float]] = (),
    name: str = "classification",
) -> None:
    """Writes how well classes are told apart as a JSON file and, for KFP's page, as the metadata of the artifact.

    Args:
        path: The artifact's.
        labels: The classes.
        matrix: The confusion matrix: for each true class a row with the count of each predicted one.
        executor_output: Where the argument ``--executor-output`` says; None leaves it out.
        roc: Points of the ROC curve: false positive rate, true positive rate, threshold.
        name: The artifact's name among the step's outputs.

    Raises:
        MetricError: The matrix has not a row and a column for each class, or a value is not finite.
        OSError: A file cannot be written.
    """
    sizes = [len(row) for row in matrix]
    if sizes != [len(labels)] * len(labels):
        raise MetricError(
            f"a confusion matrix has a row and a column for each of the {len(labels)} labels, "
            f"but got {len(sizes)} rows of {sorted(set(sizes))} values"
        )
    rows = [[*row] for row in matrix]
    points = [[*point] for point in roc]
    content = {"labels": [*labels], "matrix": rows, **({"roc": points} if points else {})}
    write_text(Path(path), _json(content, "a classification") + "\n")
    if executor_output is None:
        return
    # Source: kfp 2.17, dsl.ClassificationMetrics: the form that KFP's page draws.
    shown: dict[str, object] = {
        "confusionMatrix": {
            "annotationSpecs": [{"displayName": label} for label in labels],
            "rows": [{"row": row} for row in rows],
        }
    }
    if points:
        shown["confidenceMetrics"] = [
            {"confidenceThreshold": threshold, "recall": true, "falsePositiveRate": false}
            for false, true, threshold in points
        ]
    _show(Path(executor_output), name, shown)


def _show(executor_output: Path, name: str, metadata: Mapping[str, object]) -> None:
    """Tells KFP what its page shows of an artifact, beside what was told of others."""
    told = json.loads(executor_output.read_text(encoding="utf-8")) if executor_output.exists() else {}
    # Source: kfp 2.17, v2 launcher: what it reads of this file, and no other key.
    artifacts = {**told.get("artifacts", {}), name: {"artifacts": [{"metadata": metadata}]}}
    write_text(executor_output, _json({"artifacts": artifacts}, "metrics"))


def _json(value: object, what: str) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        raise MetricError(f"{what} must be finite, but got {value}")
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise MetricError(f"{what} must hold finite numbers only, but got {value!r}") from error
