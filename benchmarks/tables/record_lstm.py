"""Records `lstm.csv`: kftune's own LSTM on the measured circuit. About 10 minutes on two cores.

python -m benchmarks.tables.record_lstm
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.tables.record import EPOCHS, Point, record

VALUES = {
    "lstm_units_log2": range(3, 7),
    "layers": range(1, 3),
    "batch_size_log2": range(4, 7),
    "learning_rate_step": range(10),  # of a factor 2, from 1e-4
}


def train(point: Point) -> Sequence[float]:
    import json

    from kftune.errors import MetricError
    from kftune.hparams.models.lstm import LstmHparams
    from kftune.training import lstm

    numbers = {name: int(text) for name, text in point.items()}
    hparams = LstmHparams(
        lstm_units=2 ** numbers["lstm_units_log2"],
        layers=numbers["layers"],
        batch_size=2 ** numbers["batch_size_log2"],
        learning_rate=1e-4 * 2 ** numbers["learning_rate_step"],
        epochs=EPOCHS,
    )
    with tempfile.TemporaryDirectory() as folder:
        try:
            lstm.train(hparams, output=Path(folder))
        except MetricError:
            return []  # the loss became infinite
        summary = json.loads((Path(folder) / "summary.json").read_text(encoding="utf-8"))
    return [epoch["val_loss"] for epoch in summary["history"]]


if __name__ == "__main__":
    record("lstm", VALUES, train)
