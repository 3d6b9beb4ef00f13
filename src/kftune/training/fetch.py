"""``python -m kftune.training data``: writes the readings of one circuit for the steps after it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from kftune.training.arguments import step_arguments
from kftune.training.data import load_circuit, write_circuit

USAGE = """\
usage: python -m kftune.training data --circuit=PLANT/CIRCUIT --data=PATH

Writes the readings of one circuit.

arguments:
  --circuit   PLANT001/CIRCUIT01 was measured; any other PLANTnnn/CIRCUITnn is generated from its name
  --data      file to write: CSV, a time and litres per second on each line

environment:
  KFTUNE_DATA   folder with your own readings: PLANT001/CIRCUIT01.csv and so on
"""


def run(argv: Sequence[str]) -> int:
    """Writes the readings and returns the exit status.

    Raises:
        UsageError: The arguments are invalid.
        HparamsError: The circuit does not exist.
        OSError: The file cannot be written.
    """
    given = step_arguments("data", argv, ("circuit", "data"))
    folder = os.environ.get("KFTUNE_DATA")
    circuit = load_circuit(given["circuit"], Path(folder) if folder else None)
    write_circuit(circuit, Path(given["data"]))
    print(f"{circuit.name}: {len(circuit.flow)} readings from {circuit.times[0]} to {circuit.times[-1]}", flush=True)
    return 0
