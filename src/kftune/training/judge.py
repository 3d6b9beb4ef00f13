"""``python -m kftune.training evaluate``: judges a trained model by the readings that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kftune import outputs
from kftune.files import write_text
from kftune.training.arguments import step_arguments
from kftune.training.folder import read_summary

USAGE = """\
usage: python -m kftune.training evaluate --model=PATH --data=PATH [--name=PATH ...]

Judges a model by the newest readings, which are kept for validation; no weight was learned from them.

arguments:
  --model             the folder that a training wrote
  --data              the readings, as the data step writes them
  --metrics           the file to write: val_loss, val_mae and baseline_loss as JSON
  --val_loss          the file to write: mean squared error in squared spreads
  --val_mae           the file to write: mean absolute error in litres per second
  --report            the file to write: an HTML page with the loss of each epoch
  --executor-output   the file to write: the metrics as KFP's page wants them
"""


def run(argv: Sequence[str]) -> int:
    """Judges the model and gives the exit status.

    Raises:
        UsageError: The arguments are not those of the step.
        HparamsError: The model or the readings cannot be used.
        MetricError: A metric is not finite.
        OSError: A file cannot be written.
    """
    further = ("metrics", "val_loss", "val_mae", "report", "executor-output")
    given = step_arguments("evaluate", argv, ("model", "data"), further)
    # Only now: a mistake on the command line need not wait for torch.
    from kftune.training.lstm import judge  # noqa: PLC0415
    from kftune.training.page import evaluation_page  # noqa: PLC0415

    folder = Path(given["model"])
    hparams, metrics = judge(folder, Path(given["data"]))
    if "metrics" in given:
        outputs.write_metrics(given["metrics"], metrics, given.get("executor-output"))
    for name in ("val_loss", "val_mae"):
        if name in given:
            outputs.write(given[name], metrics[name])
    if "report" in given:
        page = evaluation_page(hparams.circuit, metrics, hparams.to_dict(), read_summary(folder)["history"])
        write_text(Path(given["report"]), page)
    print(" ".join(f"{name}={value:.6g}" for name, value in metrics.items()), flush=True)
    return 0
