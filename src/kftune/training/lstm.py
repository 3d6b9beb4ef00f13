"""Trains the LSTM of `kftune.hparams.models.lstm`: readings, model, epochs, best checkpoint.

Shape suffixes: B windows, W hours seen, F features, U hidden units, H hours to predict.
"""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kftune.errors import HparamsError, MetricError
from kftune.hparams.models.lstm import LstmHparams
from kftune.metrics import report
from kftune.training import checkpoint
from kftune.training.data import Circuit, Scale, load_circuit, read_circuit
from kftune.training.ending import finish, is_out_of_patience
from kftune.training.process import Process, start_process
from kftune.training.windows import FEATURES, Errors, Split, Windows, baselines, split_windows


class Forecaster(nn.Module):
    """An LSTM over the hours seen; its last state predicts how the reading changes in each of the next hours."""

    def __init__(self, hparams: LstmHparams) -> None:
        super().__init__()
        self.lstm = nn.LSTM(FEATURES, hparams.lstm_units, num_layers=hparams.layers, batch_first=True)
        self.dropout = nn.Dropout(hparams.dropout)
        self.head = nn.Linear(hparams.lstm_units, hparams.horizon_hours)

    def forward(self, seen_BWF: Tensor) -> Tensor:
        """Predicts the readings of the next hours.

        Args:
            seen_BWF: Features of the hours seen.

        Returns:
            float32, windows x hours, in the scale of the readings seen.
        """
        hidden_BWU, _ = self.lstm(seen_BWF)
        change_BH: Tensor = self.head(self.dropout(hidden_BWU[:, -1]))
        return seen_BWF[:, -1:, 0] + change_BH


def train(hparams: LstmHparams, data: Path | None = None, output: Path | None = None) -> int:
    """Trains, reports train_loss, val_loss and val_mae each epoch, and keeps the best epoch's model.

    Args:
        hparams: Hyperparameters.
        data: File with the circuit's readings, in the format of `read_circuit`; None uses KFTUNE_DATA.
        output: The folder to write; None uses KFTUNE_OUTPUT_DIR.

    Returns:
        The exit status: 0, or 128 plus the number of the signal that stopped it.

    Raises:
        HparamsError: The circuit does not exist or has too few readings, or a batch is smaller than the number of
            processes.
        UsageError: KFTUNE_DEVICE is invalid.
        MetricError: A loss is no longer finite.
        OSError: The output folder cannot be written.
    """
    started = time.monotonic()
    with start_process(hparams.seed) as process:
        process.check_batch_size(hparams.batch_size)
        folder = output or process.output_dir
        name = hparams.circuit
        circuit = load_circuit(name, process.data_dir) if data is None else read_circuit(name, data)
        split = split_circuit(circuit, hparams).to(process.device)
        model = Forecaster(hparams).to(process.device)
        summary = _start_summary(hparams, split, model, process)
        if process.is_first:
            checkpoint.start_output(folder, hparams)
            _print_plan(summary)

        best: dict[str, float] = {"epoch": 0, "val_loss": math.inf}
        for epoch, metrics in _epochs(model, split, hparams, process):
            improved = metrics["val_loss"] < best["val_loss"]
            if improved:
                best = {"epoch": epoch, **metrics}
            summary |= {"epochs": epoch, "best": best}
            summary["history"].append({"epoch": epoch, **metrics})
            if process.is_first:
                if improved:
                    weights = {"state_dict": model.state_dict(), "scale": asdict(split.scale)}
                    checkpoint.save_model(folder, weights)
                report(step=epoch, **metrics)
            if is_out_of_patience(summary, hparams.patience):
                summary["status"] = "out of patience"
                break

        if process.stopped:
            summary["status"] = "stopped"
        return finish(folder, summary, process, started)


def split_circuit(circuit: Circuit, hparams: LstmHparams, scale: Scale | None = None) -> Split:
    """Splits a circuit's readings into windows.

    Args:
        circuit: The readings.
        hparams: The sizes of windows and of the part for validation.
        scale: The scale of a trained model; None computes one from the readings.
    """
    return split_windows(
        circuit,
        window_hours=hparams.window_hours,
        horizon_hours=hparams.horizon_hours,
        val_fraction=hparams.val_fraction,
        scale=scale,
    )


def load_trained(folder: Path) -> tuple[LstmHparams, Forecaster, Scale]:
    """Loads the model from a training's output folder, ready to predict.

    Returns:
        Its hyperparameters, the model of the best epoch, and the scale of its readings.

    Raises:
        HparamsError: The folder contains no finished epoch.
    """
    values, state = checkpoint.load_model(folder)
    hparams = LstmHparams.from_dict(values)
    model = Forecaster(hparams)
    try:
        model.load_state_dict(state["state_dict"])
        return hparams, model.eval(), Scale(**state["scale"])
    except (RuntimeError, KeyError, TypeError) as error:
        raise HparamsError(f"{folder}: model.pt must contain the weights for hparams.json: {error}") from error


def evaluate_trained(folder: Path, data: Path) -> tuple[LstmHparams, dict[str, float]]:
    """Evaluates a trained model on the readings for validation.

    Args:
        folder: The output folder of its training.
        data: File with the circuit's readings, in the format of `read_circuit`.

    Returns:
        Its hyperparameters; ``val_loss`` and ``val_mae`` as training reports them, and ``baseline_loss``: the val_loss
        of the best prediction without a model.

    Raises:
        HparamsError: The model or the readings cannot be used.
    """
    hparams, model, scale = load_trained(folder)
    with start_process(hparams.seed) as process:
        split = split_circuit(read_circuit(hparams.circuit, data), hparams, scale).to(process.device)
        errors = evaluate(model.to(process.device), split.val, scale)
        baseline = min(errors.loss for errors in baselines(split.val, scale).values())
    return hparams, {"val_loss": errors.loss, "val_mae": errors.mae, "baseline_loss": baseline}


def evaluate(model: nn.Module, windows: Windows, scale: Scale) -> Errors:
    """Returns the model's errors on all windows, without dropout.

    Args:
        model: The model.
        windows: What to predict.
        scale: The scale of the windows.
    """
    model.eval()
    with torch.inference_mode():
        return Errors.of(model(windows.seen_BWF), windows.next_BH, scale)


def _epochs(
    model: Forecaster, split: Split, hparams: LstmHparams, process: Process
) -> Iterator[tuple[int, dict[str, float]]]:
    """Trains the model and yields the number and metrics of each epoch; ends early when asked to stop."""
    learner = nn.parallel.DistributedDataParallel(model) if process.world_size > 1 else model
    optimizer = torch.optim.Adam(model.parameters(), lr=hparams.learning_rate)
    generator = torch.Generator().manual_seed(hparams.seed)
    for epoch in range(1, hparams.epochs + 1):
        order = torch.randperm(len(split.train), generator=generator)
        train_loss = _train_epoch(learner, optimizer, split.train, order, hparams=hparams, process=process)
        if process.stopped:
            return
        val = evaluate(model, split.val, split.scale)
        if not (math.isfinite(train_loss) and math.isfinite(val.loss)):
            raise MetricError(
                f"losses must be finite, but after epoch {epoch} train_loss is {train_loss} and val_loss is "
                f"{val.loss}; lower learning_rate or clip_norm"
            )
        yield epoch, {"train_loss": train_loss, "val_loss": val.loss, "val_mae": val.mae}


def _train_epoch(
    learner: nn.Module,
    optimizer: torch.optim.Optimizer,
    windows: Windows,
    order: Tensor,
    *,
    hparams: LstmHparams,
    process: Process,
) -> float:
    """Trains on all windows in this order and returns the mean squared error of the predictions on the way."""
    learner.train()
    squares_and_count = torch.zeros(2, dtype=torch.float64, device=process.device)
    for batch in torch.split(order, hparams.batch_size):
        if process.stops_now:
            break
        if len(batch) < process.world_size:
            continue
        share = process.share(batch).to(process.device)
        off_BH = learner(windows.seen_BWF[share]) - windows.next_BH[share]
        squares = off_BH.square().sum()
        # DistributedDataParallel averages gradients over processes; needed is their sum over the whole batch.
        loss = squares * process.world_size / (len(batch) * hparams.horizon_hours)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learner.parameters(), hparams.clip_norm)
        optimizer.step()
        squares_and_count += torch.stack([squares.detach(), squares.new_tensor(off_BH.numel())])
    total, count = process.total(squares_and_count).tolist()
    process.agree_to_stop()
    return total / count if count else math.nan


def _start_summary(hparams: LstmHparams, split: Split, model: Forecaster, process: Process) -> dict[str, Any]:
    return {
        "status": "completed",
        "model_type": "lstm",
        "circuit": hparams.circuit,
        "epochs": 0,
        "best": None,
        "history": [],
        "baselines": {name: asdict(errors) for name, errors in baselines(split.val, split.scale).items()},
        "windows": {"train": len(split.train), "val": len(split.val)},
        "parameters": sum(weights.numel() for weights in model.parameters()),
        "device": process.device.type,
        "processes": process.world_size,
        "versions": {"python": platform.python_version(), "torch": str(torch.__version__)},
    }


def _print_plan(summary: dict[str, Any]) -> None:
    windows = summary["windows"]
    baseline = min(errors["loss"] for errors in summary["baselines"].values())
    print(
        f"{summary['circuit']}: {windows['train']} windows to train on, {windows['val']} to validate with; "
        f"without a model val_loss would be {baseline:.4f}",
        flush=True,
    )
