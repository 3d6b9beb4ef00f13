"""``python -m kftune.training evaluate``: evaluates a trained model on readings that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kftune.training.arguments import step_arguments
from kftune.training.folder import read_summary
from kftune.training.page import ABOUT_EVALUATION
from kftune.training.step_outputs import write_outputs

USAGE = """\
usage: python -m kftune.training evaluate --model=PATH --data=PATH [--name=PATH ...]

Evaluates a model on the newest readings. They are kept for validation; no weight was learned from them.

arguments:
  --model             folder that a training wrote
  --data              file with the readings, as the data step writes it
  --metrics           file to write: val_loss, val_mae and baseline_loss as JSON
  --val_loss          file to write: mean squared error in squared spreads
  --val_mae           file to write: mean absolute error in litres per second
  --report            file to write: an HTML page with the loss of each epoch
  --executor-output   file to write: the metrics in the form that KFP's page reads
"""


def run(argv: Sequence[str]) -> int:
    """Evaluates the model and returns the exit status.

    Raises:
        UsageError: The arguments are invalid.
        HparamsError: The model or the readings cannot be used.
        MetricError: A metric is not finite.
        OSError: A file cannot be written.
    """
    further = ("metrics", "val_loss", "val_mae", "report", "executor-output")
    given = step_arguments("evaluate", argv, ("model", "data"), further)
    # Imported here, so that a mistake on the command line is reported without waiting for torch.
    from kftune.training.lstm import evaluate_trained  # noqa: PLC0415

    folder = Path(given["model"])
    hparams, metrics = evaluate_trained(folder, Path(given["data"]))
    write_outputs(
        given,
        metrics,
        title=f"Evaluation of {hparams.circuit}",
        about=ABOUT_EVALUATION,
        hparams=hparams.to_dict(),
        history=read_summary(folder)["history"],
    )
    print(" ".join(f"{name}={value:.6g}" for name, value in metrics.items()), flush=True)
    return 0
