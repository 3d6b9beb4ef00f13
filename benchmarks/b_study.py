"""The circuits study in Python: `pipelines/circuits/study.yaml`, with a name and a bound that depend on a number."""

from __future__ import annotations

from kftune import Choice, LogUniform, Study
from kftune.hparams.models.lstm import LstmHparams
from kftune.study import Algorithm, Budget, KatibTarget, MetricSpec, Objective, Resources, Step, Targets


def study(number: int) -> Study:
    return Study(
        name=f"circuits-{number}",
        hparams=LstmHparams,
        values={"circuit": "PLANT001/CIRCUIT01"},
        search={
            "lstm_units": Choice(32, 64, 128, 256),
            "learning_rate": LogUniform(1e-4 + number * 1e-9, 1e-2),
            "epochs": Choice(30, 50, 100),
            "batch_size": Choice(16, 32, 64),
        },
        objective=Objective(metric="val_loss", direction="minimize", reduce="min"),
        metrics=(MetricSpec(name="val_mae", reduce="min"), MetricSpec(name="train_loss", reduce="latest")),
        algorithm=Algorithm(name="random"),
        budget=Budget(max_trials=20, parallel=3, max_failed=3, trial_timeout=1800),
        step=Step(
            name="train",
            image="registry.example/circuits:1",
            module="kftune.training",
            args=("lstm",),
            resources=Resources(cpu="2", memory="2Gi"),
        ),
        targets=Targets(katib=KatibTarget(version="0.19", namespace="team-a")),
    )
