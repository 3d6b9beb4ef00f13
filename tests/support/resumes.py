"""A training that writes a checkpoint after each step, and goes on from the last one that kftune has heard of.

Arguments: the steps, and seconds a step.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

STEPS = 27


def step_of(state: dict[str, Any], draw: random.Random) -> None:
    """Trains one step."""
    state["step"] += 1
    state["loss"] = state["loss"] * 0.9 + draw.random() / 10


def begin(number: int) -> tuple[dict[str, Any], random.Random]:
    """Returns a new training."""
    draw = random.Random(number)
    return {"step": 0, "loss": draw.uniform(1, 9)}, draw


def whole_curve(number: int, steps: int = STEPS) -> list[float]:
    """Returns what an uninterrupted training reports."""
    state, draw = begin(number)
    losses = []
    for _ in range(steps):
        step_of(state, draw)
        losses.append(state["loss"])
    return losses


def main(steps: int, seconds: float) -> None:
    """Trains, until the end or SIGTERM."""
    output, asked = Path(os.environ["KFTUNE_OUTPUT_DIR"]), list[int]()
    signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
    state, draw = begin(int(os.environ["KFTUNE_TRIAL_NAME"][-4:]))
    known = int(os.environ.get("KFTUNE_RESUMED", "0"))
    for step in range(known, 0, -1):
        checkpoint = output / f"checkpoint-{step}.json"
        if checkpoint.exists():
            state, (version, numbers, rest) = json.loads(checkpoint.read_text())
            draw.setstate((version, tuple(numbers), rest))
            break
    with (output / "starts").open("a") as starts:
        print(state["step"], known, file=starts)
    while state["step"] < steps and not asked:
        step_of(state, draw)
        sys.stdout.write(f"step={state['step']} loss={state['loss']!r}\n")
        sys.stdout.flush()
        new = output / "new"
        new.write_text(json.dumps([state, draw.getstate()]))
        new.replace(output / f"checkpoint-{state['step']}.json")
        time.sleep(seconds)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
