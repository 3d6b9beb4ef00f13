"""What a training step hands over beside its model: the metrics of the kept epoch, and a page with the losses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kftune import outputs
from kftune.files import write_text
from kftune.hparams import Hparams
from kftune.training.folder import read_summary
from kftune.training.page import training_page

VALUES = ("train_loss", "val_loss", "val_mae")
NAMES = ("metrics", *VALUES, "report", "executor-output")
"""The arguments that say where."""


def write_shown(given: Mapping[str, str], folder: Path, hparams: Hparams) -> None:
    """Writes what the command line asks for.

    Args:
        given: Path by name, of `NAMES`.
        folder: What the training wrote.
        hparams: What it was trained with.

    Raises:
        HparamsError: The training has not ended.
        OSError: A file cannot be written.
    """
    summary = read_summary(folder)
    metrics = {name: summary["best"][name] for name in VALUES}
    if "metrics" in given:
        outputs.write_metrics(given["metrics"], metrics, given.get("executor-output"))
    for name in VALUES:
        if name in given:
            outputs.write(given[name], metrics[name])
    if "report" in given:
        page = training_page(summary["circuit"], metrics, hparams.to_dict(), summary["history"])
        write_text(Path(given["report"]), page)
