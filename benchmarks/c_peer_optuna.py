"""Optuna's own loop around the same child.

python -m benchmarks.c_peer_optuna sqlite|journal ALGORITHM N FOLDER   prints seconds per trial
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from benchmarks.c_child import CHILD

LOSS = re.compile(r"loss=(\S+)")


def storage(kind: str, folder: Path) -> BaseStorage:
    if kind == "sqlite":
        return RDBStorage(f"sqlite:///{folder}/optuna.db")
    return JournalStorage(JournalFileBackend(f"{folder}/optuna.log"))


def objective(trial: optuna.Trial) -> float:
    arguments = (
        f"--learning_rate={trial.suggest_float('learning_rate', 1e-4, 1e-2, log=True)}",
        f"--layers={trial.suggest_int('layers', 1, 8)}",
        f"--optimizer={trial.suggest_categorical('optimizer', ['sgd', 'adam', 'adamw'])}",
    )
    done = subprocess.run([*CHILD, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    found = LOSS.search(done.stdout)
    assert found
    return float(found[1])


def main() -> None:
    kind, algorithm, count, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
    folder.mkdir()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(multivariate=algorithm == "multivariate-tpe", constant_liar=False, seed=7)
    study = optuna.create_study(storage=storage(kind, folder), sampler=sampler)
    started = perf_counter()
    study.optimize(objective, n_trials=count)
    print(json.dumps({"trial": (perf_counter() - started) / count}))


if __name__ == "__main__":
    main()
