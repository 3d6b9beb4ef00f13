"""Reads the arguments of a step's script and writes its outputs; imports only the standard library.

    paths, rest = outputs.take(sys.argv[1:], "data", "metrics", "val_loss", "executor-output")
    hparams = LstmHparams.from_args(rest)
    ...
    outputs.write(paths["val_loss"], 0.25)
    outputs.write_metrics(paths["metrics"], {"val_loss": 0.25}, paths.get("executor-output"))

`docs/guides/pipelines.md` has the rules for scripts that do not use this module.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from kftune.errors import MetricError, UsageError
from kftune.files import write_text

Value = bool | int | float | str | list[object] | dict[str, object]


def take(argv: Sequence[str], *names: str) -> tuple[dict[str, str], list[str]]:
    """Takes arguments ``--name=value`` or ``--name value`` out of a command line.

    Args:
        argv: The arguments, without the program.
        *names: What to take; ``-`` and ``_`` are equal.

    Returns:
        The values by name, without missing and empty ones, and the remaining arguments in order.

    Raises:
        UsageError: A name is given twice, or without a value.
    """
    known = {name.replace("-", "_"): name for name in names}
    taken: dict[str, str] = {}
    rest = []
    tokens = deque(argv)
    while tokens:
        token = tokens.popleft()
        flag, equals, value = token.partition("=")
        name = known.get(flag.removeprefix("--").replace("-", "_")) if flag.startswith("--") else None
        if name is None:
            rest.append(token)
            continue
        if name in taken:
            raise UsageError(f"--{name} must be given once, but is given twice")
        if not equals and (not tokens or tokens[0].startswith("--")):
            raise UsageError(f"--{name} needs a value: --{name}=VALUE")
        taken[name] = value if equals else tokens.popleft()
    return {name: value for name, value in taken.items() if value}, rest


def write(path: str | Path, value: Value) -> None:
    """Writes a parameter: a text unchanged, other values as JSON.

    Args:
        path: The file; its folder is created when missing.
        value: The value.

    Raises:
        MetricError: The value contains a number that is not finite.
        OSError: The file cannot be written.
    """
    write_text(Path(path), value if isinstance(value, str) else _json(value, "an output"))


def write_metrics(
    path: str | Path, metrics: Mapping[str, float], executor_output: str | Path | None = None, name: str = "metrics"
) -> None:
    """Writes metrics as a JSON file and, for KFP's page, as the metadata of the artifact.

    Args:
        path: The path of the artifact.
        metrics: Name -> value.
        executor_output: The path in the argument ``--executor-output``; None writes no metadata.
        name: The artifact's name among the step's outputs.

    Raises:
        MetricError: A value is not finite.
        OSError: A file cannot be written.
    """
    _write_artifact(path, "metrics", dict(metrics), executor_output, name)


def write_classification_metrics(
    path: str | Path,
    *,
    labels: Sequence[str] = (),
    confusion_matrix: Sequence[Sequence[int]] = (),
    roc_curve: tuple[Sequence[float], Sequence[float], Sequence[float]] | None = None,
    executor_output: str | Path | None = None,
    name: str = "classification_metrics",
) -> None:
    """Writes a confusion matrix, a ROC curve or both as a JSON file and, for KFP's page, as the artifact's metadata.

    Args:
        path: The path of the artifact.
        labels: The classes, in the order of the matrix.
        confusion_matrix: One row per true class: the number of predictions of each class.
        roc_curve: False positive rates, true positive rates and thresholds, as scikit-learn's ``roc_curve`` returns
            them; the first threshold may be infinite. At most 500 points are written.
        executor_output: The path in the argument ``--executor-output``; None writes no metadata.
        name: The artifact's name among the step's outputs.

    Raises:
        MetricError: Both are missing, sizes do not match, or a number is not finite.
        OSError: A file cannot be written.
    """
    values: dict[str, object] = {}
    if roc_curve is not None:
        values["confidenceMetrics"] = _roc_points(*roc_curve)
    if labels or confusion_matrix:
        values["confusionMatrix"] = _confusion(labels, confusion_matrix)
    if not values:
        raise MetricError("classification metrics need a confusion_matrix with labels, a roc_curve or both; give one")
    _write_artifact(path, "classification metrics", values, executor_output, name)


# As many points as a picture can show; the database of KFP's page accepts only a few MiB.
_MOST_POINTS = 500


def _roc_points(false: Sequence[float], true: Sequence[float], thresholds: Sequence[float]) -> list[dict[str, float]]:
    if not len(false) == len(true) == len(thresholds) >= 2:
        raise MetricError(
            f"a ROC curve is three equally long lists, two points or more, but got {len(false)} false positive rates, "
            f"{len(true)} true positive rates and {len(thresholds)} thresholds"
        )
    limits = [float(threshold) for threshold in thresholds]
    if limits[0] == math.inf:  # no positive predictions; JSON has no infinity
        limits[0] = limits[1] + 1
    last = len(limits) - 1
    kept = range(last + 1) if last < _MOST_POINTS else [i * last // (_MOST_POINTS - 1) for i in range(_MOST_POINTS)]
    return [
        {"confidenceThreshold": limits[index], "recall": float(true[index]), "falsePositiveRate": float(false[index])}
        for index in kept
    ]


def _confusion(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> dict[str, object]:
    if len(matrix) != len(labels) or any(len(row) != len(labels) for row in matrix):
        sizes = [len(row) for row in matrix]
        raise MetricError(
            f"a confusion matrix has a row and a column for each label, but got {len(labels)} labels "
            f"and rows of {sizes}"
        )
    return {
        "annotationSpecs": [{"displayName": str(label)} for label in labels],
        "rows": [{"row": [int(count) for count in row]} for row in matrix],
    }


def _write_artifact(
    path: str | Path, what: str, metadata: Mapping[str, object], executor_output: str | Path | None, name: str
) -> None:
    """Writes a JSON file, and adds its content to the file for KFP's page, which may have other content already."""
    write_text(Path(path), _json(metadata, what) + "\n")
    if executor_output is None:
        return
    shown = Path(executor_output)
    content = json.loads(shown.read_text("utf-8")) if shown.exists() else {}
    # Source: kfp 2.17, v2 launcher: it reads only this key of the file.
    content.setdefault("artifacts", {})[name] = {"artifacts": [{"metadata": metadata}]}
    write_text(shown, _json(content, "metrics"))


def _json(value: object, what: str) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        raise MetricError(f"{what} must be finite, but got {value}")
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise MetricError(f"{what} must contain only finite numbers, but got {value!r:.200}") from error
