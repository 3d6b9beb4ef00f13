"""One training in bare Lightning or with kftune: `python -m benchmarks.m_script bare|kftune FOLDER`.

It prints the seconds of CPU from the start of the process to the first batch, and those of the fastest epoch after the
first: seconds of CPU, because other work on a small machine changes the time on the clock more than the sides do.
Both log the averages of two metrics in training and validation, and keep the best three checkpoints and the last.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

EPOCHS, EXAMPLES, BATCH, WIDTH = 6, 19200, 64, 192


def main() -> None:
    which, folder = sys.argv[1], Path(sys.argv[2])
    warnings.simplefilter("ignore")
    times = _kftune(folder) if which == "kftune" else _bare(folder)
    epochs = [after - before for before, after in pairwise(times)]
    print(json.dumps({"start": times[0], "epoch": min(epochs[1:])}))


def _clock(pl: Any) -> tuple[Any, list[float]]:
    times: list[float] = []

    class Clock(pl.Callback):  # type: ignore[misc]
        def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
            if batch_idx == 0:
                times.append(time.process_time())

        def on_train_end(self, trainer: Any, module: Any) -> None:
            times.append(time.process_time())

    return Clock(), times


def _body(torch: Any) -> Any:
    nn = torch.nn
    return nn.Sequential(nn.Linear(64, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1))


def _data(torch: Any) -> list[Any]:
    torch.manual_seed(0)
    inputs = torch.randn(EXAMPLES + 1920, 64)
    whole = torch.utils.data.TensorDataset(inputs, inputs.sum(1, keepdim=True))
    return torch.utils.data.random_split(whole, [EXAMPLES, 1920])


def _bare(folder: Path) -> list[float]:
    import pytorch_lightning as pl
    import torch
    from pytorch_lightning.callbacks import ModelCheckpoint
    from torch.utils.data import DataLoader

    torch.set_num_threads(1)

    class Net(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.body = _body(torch)

        def _step(self, batch: Any, stage: str) -> Any:
            inputs, targets = batch
            off = self.body(inputs) - targets
            loss = off.square().mean()
            values = {f"{stage}/loss": loss, f"{stage}/mae": off.abs().mean()}
            self.log_dict(values, on_step=False, on_epoch=True, batch_size=len(inputs))
            return loss

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return self._step(batch, "train")

        def validation_step(self, batch: Any, batch_idx: int) -> Any:
            return self._step(batch, "validation")

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters())

    train, held_out = _data(torch)
    clock, times = _clock(pl)
    keeper = ModelCheckpoint(folder, monitor="validation/loss", save_top_k=3, save_last=True)
    trainer = pl.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        callbacks=[clock, keeper],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Net(), DataLoader(train, batch_size=BATCH, shuffle=True), DataLoader(held_out, batch_size=BATCH))
    return times


def _kftune(folder: Path) -> list[float]:
    import pytorch_lightning as pl
    import torch

    from kftune.training import Data, Model, ModelHparams, fit

    torch.set_num_threads(1)

    class Net(Model[ModelHparams]):
        def __init__(self) -> None:
            super().__init__()
            self.body = _body(torch)

        def forward(self, inputs: Any) -> Any:
            return self.body(inputs)

        def compute_metrics(self, outputs: Any, targets: Any) -> dict[str, Any]:
            off = outputs - targets
            return {"loss": off.square().mean(), "mae": off.abs().mean()}

    clock, times = _clock(pl)
    data = Data(_data(torch), {"batch_size": BATCH})
    fit(Net(), data, {"max_epochs": EPOCHS, "accelerator": "cpu"}, output=folder, callbacks=[clock])
    return times


if __name__ == "__main__":
    main()
