"""Optuna's side: `e_peer_optuna.py make N FILE` writes a study, `e_peer_optuna.py best FILE` prints its best trial."""

from __future__ import annotations

import random
import sys

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, create_trial
from sqlalchemy import event
from sqlalchemy.engine import Engine

SPACE = {
    "learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
    "layers": IntDistribution(1, 8),
    "optimizer": CategoricalDistribution(["sgd", "adam", "adamw"]),
}


def trial(chance: random.Random) -> FrozenTrial:
    params = {
        "learning_rate": chance.uniform(1e-4, 1e-2),
        "layers": chance.randint(1, 8),
        "optimizer": chance.choice(["sgd", "adam", "adamw"]),
    }
    return create_trial(params=params, distributions=SPACE, value=chance.random())


def make(count: int, path: str) -> None:
    # Not measured, so it needs no disk sync for each write.
    event.listen(Engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
    chance = random.Random(0)
    study = optuna.create_study(storage=f"sqlite:///{path}", study_name="bench")
    study.add_trials([trial(chance) for _ in range(count)])


def best(path: str) -> None:
    best = optuna.load_study(study_name="bench", storage=f"sqlite:///{path}").best_trial
    print(best.number, best.value, best.params)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make", count, path]:
            make(int(count), path)
        case ["best", path]:
            best(path)
