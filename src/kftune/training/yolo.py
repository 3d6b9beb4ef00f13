"""Trains with the program ``yolo`` of ultralytics, and reports what it writes into ``results.csv``.

Ultralytics has the licence AGPL-3.0. Who uses it installs it; this module starts its command line as a separate
process, and imports nothing from it. `docs/yolo.md` says how.
"""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from kftune.argv import Style, to_arguments
from kftune.errors import HparamsError, UsageError
from kftune.files import write_text
from kftune.hparams.models.yolo import YoloHparams
from kftune.metrics import report
from kftune.training.detection import check_continues, log_line
from kftune.training.folder import read_json

COLUMNS = {
    "train/box_loss": "train_loss",
    "train/cls_loss": "train_cls_loss",
    "train/dfl_loss": "train_dfl_loss",
    "val/box_loss": "val_loss",
    "val/cls_loss": "val_cls_loss",
    "val/dfl_loss": "val_dfl_loss",
    "metrics/precision(B)": "precision",
    "metrics/recall(B)": "recall",
    "metrics/mAP50(B)": "mAP_0.5",
    "metrics/mAP50-95(B)": "mAP_0.5_0.95",
}
"""Column of results.csv -> metric."""

RUN = "yolo"
"""The folder that yolo writes, in the output folder."""

_MAY_DIFFER = {"resume", "batch", "device", "workers", "cache", "patience", "time", "save_period", "plots"}
"""What yolo accepts again when a training continues."""
_NOT_PASSED = {"network", "resume", "device"}
_STYLE = Style(form="name=value")


def train(hparams: YoloHparams, data: Path | None = None, output: Path | None = None) -> int:
    """Trains, and reports the metrics of each epoch.

    Args:
        hparams: Hyperparameters.
        data: The file that describes the data set to yolo, such as ``digits/data.yaml``.
        output: The folder to write; None uses KFTUNE_OUTPUT_DIR.

    Returns:
        The exit status: that of yolo, or 128 plus the number of the signal that stopped it.

    Raises:
        UsageError: There is no program ``yolo``, or no data set is given.
        HparamsError: There are several processes, or resume finds another training.
        OSError: The output folder cannot be written.
    """
    if data is None:
        raise UsageError("yolo needs the file that describes its data set: --data=digits/data.yaml")
    if (count := os.environ.get("WORLD_SIZE", "1")) != "1":
        raise HparamsError(f"yolo starts its own processes, but WORLD_SIZE is {count}; set device=0,1 instead")
    program = find_program()
    folder = (output or Path(os.environ.get("KFTUNE_OUTPUT_DIR") or "output")).absolute()
    last = folder / RUN / "weights" / "last.pt"
    continues = hparams.resume and last.is_file()
    summary: dict[str, Any] = {"status": "completed", "experiment_name": RUN, "epochs": 0, "best": None, "history": []}
    rows = Rows(folder / RUN / "results.csv")
    if continues:
        check_continues(folder, hparams, _MAY_DIFFER)
        if (path := folder / "summary.json").is_file() and read_json(path).get("status") == "completed":
            print(f"{folder} has a finished training")
            return 0
        for row in rows.new():
            _add(summary, row)
        print(f"continues after epoch {summary['epochs']}", flush=True)
    else:
        shutil.rmtree(folder / RUN, ignore_errors=True)
        (folder / "summary.json").unlink(missing_ok=True)
    _write(folder / "hparams.json", hparams.to_dict())
    command = command_line(hparams, data, folder, program=program, last=last if continues else None)
    summary["command"] = command
    status = _follow(command, rows, summary, hparams.epochs)
    summary["status"] = "completed" if status == 0 else "stopped" if status > 128 else "failed"
    _write(folder / "summary.json", summary)
    return status


def find_program() -> str:
    """Returns the path of the program ``yolo``: next to this Python, or in PATH.

    Raises:
        UsageError: There is none.
    """
    found = shutil.which("yolo", path=str(Path(sys.executable).parent)) or shutil.which("yolo")
    if found is None:
        raise UsageError(
            "this model needs the program yolo of ultralytics, which kftune does not install because its licence is "
            "AGPL-3.0; install it yourself: pip install ultralytics==8.4.190 torchvision==0.28.0"
        )
    return found


def command_line(
    hparams: YoloHparams, data: Path, folder: Path, *, program: str = RUN, last: Path | None = None
) -> list[str]:
    """Returns the command line of a training.

    Values that are the defaults of ultralytics are left out, so that other versions of it take the line too.

    Args:
        hparams: Hyperparameters.
        data: The file that describes the data set.
        folder: The output folder.
        program: The program.
        last: The checkpoint to continue from; None starts from the beginning.
    """
    # A file is named in full, because yolo looks for others in another folder.
    dataset = data.absolute() if data.exists() else data
    changed = hparams.diff(YoloHparams())
    texts = hparams.to_assignments()
    given = {"model": str(last or hparams.network), "data": str(dataset)}
    if last is None:
        given |= {"project": str(folder), "name": RUN, "exist_ok": "true"}
        passed = [name for name in changed if name not in _NOT_PASSED]
    else:
        given |= {"resume": "true"}
        passed = [name for name in changed if name in _MAY_DIFFER - _NOT_PASSED]
    given |= {name: texts[name] for name in passed}
    if device := _device(hparams):
        given["device"] = device
    return [program, "detect", "train", *to_arguments(given, _STYLE)]


def _device(hparams: YoloHparams) -> str:
    """Returns the device as yolo names it; empty for its own choice."""
    if hparams.device is not None:
        return hparams.device
    kind, _, number = os.environ.get("KFTUNE_DEVICE", "").partition(":")
    return (number or "0") if kind == "cuda" else kind


class Rows:
    """The rows of ``results.csv``, to which yolo adds one for each epoch.

    Args:
        path: The file; it may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def new(self) -> Iterator[dict[str, float]]:
        """Yields the rows that were added since the last call, as ``epoch`` and metrics; only whole lines are read."""
        try:
            lines = self._path.read_text(encoding="utf-8").split("\n")[:-1]
        except FileNotFoundError:
            return
        rows = list(csv.DictReader(lines, skipinitialspace=True))
        for row in rows[self._read :]:
            found = {name: float(row[column]) for column, name in COLUMNS.items() if row.get(column)}
            yield {"epoch": float(row["epoch"]), **found}
        self._read = len(rows)


def _follow(command: list[str], rows: Rows, summary: dict[str, Any], epochs: int) -> int:
    """Runs yolo, prints what it prints, reports what it writes, and returns the exit status."""
    started = time.monotonic()
    # Without this, yolo installs packages that it misses.
    environment = {"YOLO_AUTOINSTALL": "false", **os.environ}
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment) as child,
        _passing_signals(child) as received,
    ):
        assert child.stdout is not None  # noqa: S101 - it is a pipe
        for line in child.stdout:
            # What is cut off has no line break, and would hide the line after it.
            print(line.decode("utf-8", "replace").removesuffix("\n"), flush=True)
            _report_new(rows, summary, epochs)
        code = child.wait()
        _report_new(rows, summary, epochs)
    status = 128 + received[0] if received and code != 0 else code if code >= 0 else 128 - code
    how = "completed" if status == 0 else f"yolo ended with exit status {status}"
    print(f"{how} after {time.monotonic() - started:.1f} s", flush=True)
    return status


def _report_new(rows: Rows, summary: dict[str, Any], epochs: int) -> None:
    for row in rows.new():
        _add(summary, row)
        metrics = {name: value for name, value in row.items() if name != "epoch"}
        print(log_line(summary["epochs"], epochs, metrics), flush=True)
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        for name in metrics.keys() - finite.keys():
            print(f"epoch {summary['epochs']}: {name} is {metrics[name]}, which is not reported", flush=True)
        if finite:
            report(step=summary["epochs"], **finite)


def _add(summary: dict[str, Any], row: dict[str, float]) -> None:
    """Adds an epoch to a summary; the best one is that with the highest mAP over all thresholds."""
    # JSON has no number for nan.
    entry = {name: value for name, value in row.items() if math.isfinite(value)} | {"epoch": int(row["epoch"])}
    summary["epochs"] = entry["epoch"]
    summary["history"].append(entry)
    score, best = entry.get("mAP_0.5_0.95"), summary["best"]
    if score is not None and (best is None or score > best["mAP_0.5_0.95"]):
        summary["best"] = entry


@contextmanager
def _passing_signals(child: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """Passes signals that stop a training on to a process; yields the list of received ones."""
    received: list[int] = []

    def passed_on(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        child.send_signal(number)

    previous = {number: signal.signal(number, passed_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _write(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
