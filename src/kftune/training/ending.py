"""How a training that counts epochs ends: out of patience, stopped by a signal, or complete."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kftune.training import checkpoint
from kftune.training.process import Process


def is_out_of_patience(summary: Mapping[str, Any], patience: int | None) -> bool:
    """Whether too many epochs were not better than the best one.

    Args:
        summary: How many ``epochs`` are done, and the ``best`` one; None while there is none.
        patience: How many epochs are too many; None for any number.
    """
    best = summary["best"]
    return patience is not None and best is not None and bool(summary["epochs"] - best["epoch"] >= patience)


def finish(folder: Path, summary: Mapping[str, Any], process: Process, started: float) -> int:
    """Writes ``summary.json``, prints how the training ended, and returns the exit status.

    Args:
        folder: The output folder.
        summary: Its content; with ``status`` stopped the training was stopped by a signal.
        process: The process; only the first one writes.
        started: When the training began, by `time.monotonic`.

    Returns:
        0, or 128 plus the number of the signal.
    """
    if process.is_first:
        checkpoint.write_json(folder / "summary.json", summary)
        print(f"{summary['status']} after {time.monotonic() - started:.1f} s", flush=True)
    return 128 + (process.stop_signal or signal.SIGTERM) if summary["status"] == "stopped" else 0
