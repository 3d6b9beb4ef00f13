"""``python -m kftune.training evaluate``: evaluates a trained model on data that it was not trained on."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

from kftune.errors import HparamsError
from kftune.training.about import ABOUT, about_of
from kftune.training.arguments import step_arguments
from kftune.training.folder import read_summary
from kftune.training.step_outputs import TEST_NAMES, check_outputs, write_outputs

USAGE = """\
usage: python -m kftune.training evaluate --model=PATH --data=PATH [--name=PATH ...]

Evaluates a model on data that no weight was learned from: the newest readings, or the pictures of the split test.

arguments:
  --model             folder that a training wrote
  --data              the data, as the data step of the model writes it
  --metrics           file to write: all metrics as JSON
  --report            file to write: an HTML page with the metrics, and the curves of the training
  --executor-output   file to write: the metrics in the form that KFP's page reads

files to write with one metric, of an LSTM (the third metric, baseline_loss, is in --metrics only):
  --val_loss             mean squared error in squared spreads
  --val_mae              mean absolute error in litres per second

of a model that reads numbers:
  --test_loss            cross entropy of a token or CTC loss
  --test_char_accuracy   1 less the edits for each character
  --test_seq_accuracy    share of the numbers without a mistake
"""


def run(argv: Sequence[str]) -> int:
    """Evaluates the model and returns the exit status.

    Raises:
        UsageError: The arguments are invalid.
        HparamsError: The model or the data cannot be used, or the model has no such metric.
        MetricError: A metric is not finite.
        OSError: A file cannot be written.
    """
    given = step_arguments("evaluate", argv, ("model", "data"), TEST_NAMES)
    check_outputs(given)
    folder = Path(given["model"])
    summary = read_summary(folder)
    about = about_of(summary)
    if not about.model_type:
        raise HparamsError(f"evaluate knows the models {', '.join(ABOUT)}, and {folder} has another one")
    # Imported here, so that a mistake on the command line is reported without waiting for torch.
    module = importlib.import_module(f"kftune.training.{about.model_type}")
    hparams, metrics = module.evaluate_trained(folder, Path(given["data"]))
    write_outputs(
        given,
        metrics,
        title=f"Evaluation of {about.subject(summary)}",
        about=about.evaluation,
        hparams=hparams.to_dict(),
        summary=summary,
    )
    print(" ".join(f"{name}={value:.6g}" for name, value in metrics.items()), flush=True)
    return 0
