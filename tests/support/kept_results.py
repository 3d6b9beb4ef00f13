"""A project whose study, pipeline and list of experiments have run: what `kftune list` finds, and `prune` removes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import experiment_lists

SIZE = 20_000
# Trial 2 fails at its first try. Smaller numbers are better, so trials 1 and 2 are the best ones.
SCRIPT = f"""\
import os, sys
from pathlib import Path
output = Path(os.environ["KFTUNE_OUTPUT_DIR"])
number = int(os.environ["KFTUNE_TRIAL_NAME"][-4:])
(output / "weights").write_bytes(b"x" * {SIZE})
mark = Path(f"{{os.environ['KFTUNE_TRIAL_NAME']}}.tried")
if number == 2 and not mark.exists():
    mark.touch()
    sys.exit(1)
print(f"loss={{number}}")
"""
CLASS = """\
from kftune import Hparam, Hparams, Uniform


class Tiny(Hparams):
    \"\"\"A tiny model.\"\"\"

    lr: float = Hparam(0.1, search=Uniform(0.0, 1.0))
    \"\"\"Step size.\"\"\"
"""
STUDY = """\
name: tiny
hparams: tiny:Tiny
objective: {metric: loss, direction: minimize}
algorithm: {name: random, seed: 1}
budget: {max_trials: 4, parallel: 1, retries: {failed: 1}}
step: {command: [python, trial.py]}
"""
PIPELINE = """\
name: pipe
parameters: {text: {type: str, default: a}}
steps:
  data: {kind: data, command: [python, data.py], inputs: {text: "${parameters.text}"}, outputs: {data: dataset}}
  tune: {kind: tune, study: study.yaml, overrides: [budget.max_trials=2], after: [data]}
"""
DATA = """\
import sys
from pathlib import Path
given = dict(token[2:].split("=", 1) for token in sys.argv[1:])
Path(given["data"]).write_text(given["text"])
"""
# Each trial is in the Pareto set.
TRADE_OFF = """\
name: both
hparams: tiny:Tiny
objectives: [{metric: loss, direction: minimize}, {metric: gain, direction: maximize}]
algorithm: {name: random, seed: 1}
budget: {max_trials: 3, parallel: 1}
step: {command: [sh, -c, "echo loss=${KFTUNE_TRIAL_NAME##*-}; echo gain=${KFTUNE_TRIAL_NAME##*-}", sh]}
"""
WAITS = """\
name: waits
hparams: tiny:Tiny
objective: {metric: loss, direction: minimize}
algorithm: {name: random, seed: 1}
budget: {max_trials: 2, parallel: 1}
step: {command: [sh, -c, "echo loss=1; touch started; while [ ! -e go ]; do sleep 0.05; done", sh]}
"""


def write(folder: Path) -> None:
    """Writes the files of the project."""
    files = {"trial.py": SCRIPT, "tiny.py": CLASS, "study.yaml": STUDY, "pipeline.yaml": PIPELINE, "data.py": DATA}
    for name, text in {**files, "waits.yaml": WAITS, "both.yaml": TRADE_OFF}.items():
        (folder / name).write_text(text)


def run(folder: Path, file: str, *more: str) -> None:
    """Runs a file of the project."""
    # In a process of its own: two folders have modules of one name.
    subprocess.run([sys.executable, "-m", "kftune", "run", file, "--plain", *more], cwd=folder, check=True)


def make_lists(folder: Path) -> None:
    """Writes a list of experiments and runs it."""
    folder.mkdir()
    experiment_lists.project(folder)
    experiment_lists.run(folder)


def start_waiting(folder: Path) -> subprocess.Popen[bytes]:
    """Starts a study whose first trial waits for a file `go`; returns when it runs."""
    command = [sys.executable, "-m", "kftune", "run", "waits.yaml", "--plain"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not (folder / "started").exists():
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.05)
    return process


def all_files(folder: Path) -> dict[str, bytes]:
    """Returns the content of all files below a folder, but for the locks and what readers of a database leave."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.name != "lock" and not path.name.endswith(("-shm", "-wal"))
    }
