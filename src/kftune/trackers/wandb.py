"""Weights & Biases: an offline run for each trial, which `wandb sync` sends."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kftune import confined
from kftune.errors import MissingExtraError, UsageError
from kftune.results.trials import Trials
from kftune.trackers.runs import Run, Written, runs_of


def write(results: Trials, folder: Path | None) -> Written:
    """Writes an offline run for each trial that has none yet; nothing is sent.

    The id of a run is made of its study and trial, so what is sent twice is one run on the server.

    Args:
        results: The trials.
        folder: The runs are below ``wandb/`` in it.

    Raises:
        UsageError: There is no folder.
        MissingExtraError: wandb is not installed.
        ConfinedError: A link leads out of the folder.
        OSError: The folder cannot be written.
    """
    if folder is None:
        raise UsageError("runs of W&B are written offline; say where: -o FOLDER, and send them with wandb sync")
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # nothing is sent that the user has not asked for
    try:
        import wandb  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError("wandb", "wandb") from error
    place, exported = confined.to_write(folder, "wandb/run").parent, runs_of(results)
    place.mkdir(parents=True, exist_ok=True)
    present = {path.name.rpartition("-")[2] for path in place.glob("*run-*-*")}
    missing = [run for run in exported.runs if run.key not in present]
    # Written elsewhere and moved, so that an interrupt leaves no half of a run.
    with TemporaryDirectory(prefix=".kftune-", dir=folder) as aside:
        for run in missing:
            _write(run, results, Path(aside), wandb)
            for made in (Path(aside) / "wandb").glob(f"offline-run-*-{run.key}"):
                shutil.move(made, place / made.name)
    return Written(
        str(place),
        len(missing),
        len(exported.runs) - len(missing),
        f"wandb sync {place}/offline-run-*",
        (*exported.notes, *_left_out(missing)),
    )


def _left_out(runs: list[Run]) -> list[str]:
    """Returns a note about reports that W&B does not take."""
    names = {name for run in runs for name, points in run.metrics.items() if any(point.step < 0 for point in points)}
    return [f"left out, because W&B has no steps below 0: reports of {', '.join(sorted(names))}"] if names else []


def _write(run: Run, results: Trials, folder: Path, wandb: Any) -> None:
    meta = results.meta
    settings = wandb.Settings(
        mode="offline",
        root_dir=str(folder),
        silent=True,
        console="off",
        disable_code=True,
        disable_git=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
    )
    with wandb.init(
        id=run.key,
        project=meta.slug,
        group=meta.name,
        name=run.name,
        tags=[run.tags["kftune.state"]],
        notes=run.tags.get("kftune.message"),
        # A run's own start is when it was written: W&B takes no other.
        config={**run.values, **run.tags, "kftune.started": run.started, "kftune.ended": run.ended},
        settings=settings,
        allow_val_change=True,
    ) as made:
        for step, row in sorted(_rows(run).items()):
            made.log(row, step=step)
        for tag, point in run.counted.items():
            made.summary[tag] = point.value
        made.finish(exit_code=0 if run.succeeded else 1)


def _rows(run: Run) -> dict[int, dict[str, float]]:
    """Returns step -> what was reported at it. W&B takes steps in ascending order, and one value for each."""
    rows: dict[int, dict[str, float]] = {}
    for tag, points in run.metrics.items():
        for point in (each for each in points if each.step >= 0):
            rows.setdefault(point.step, {}).update({tag: point.value, "_timestamp": point.time})
    return rows
