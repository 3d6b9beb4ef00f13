"""Runs kftune's command line for the tests of the seeds, and the files of a project as seed 000 lays them out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent


def kftune(folder: Path, *arguments: str, status: int = 0) -> str:
    """Runs a command in a folder, in a process of its own. Returns its output and its errors."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "kftune", *arguments],
        cwd=folder,
        env={**os.environ, "PATH": programs},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def write(folder: Path, files: dict[str, str]) -> Path:
    """Writes files with their folders. Returns the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    return folder


# A class, its registry and its script, where projects for SageMaker keep them. Only the base class is of kftune.
SAGEMAKER_PROJECT = {
    "src/pipeline_steps/hyperparameters_base.py": """\
        from kftune.hparams import ModelHyperparameters as ModelHyperparameters
    """,
    "src/pipeline_steps/hyperparameters_mymodel.py": """\
        from pydantic import Field, field_validator

        from .hyperparameters_base import ModelHyperparameters


        class MyModelHyperparameters(ModelHyperparameters):
            '''A net with hidden layers of one width.'''

            learning_rate: float = Field(0.01, description="Step size")
            num_epochs: int = Field(10, description="Passes over the data")
            batch_size: int = Field(32, description="Examples per step")
            hidden_layers: int = Field(2, description="Depth")
            hidden_units: int = Field(128, description="Width")
            dropout_rate: float = Field(0.5, description="Share of the units that is left out")

            @field_validator("learning_rate")
            def positive(cls, value):
                if not value > 0:
                    raise ValueError("Learning rate must be positive")
                return value
    """,
    "src/pipeline_registry/hyperparameter_registry.py": """\
        HYPERPARAMETER_REGISTRY = {
            "MyModelHyperparameters": {
                "class_name": "MyModelHyperparameters",
                "module_path": "src.pipeline_steps.hyperparameters_mymodel",
                "model_type": "mymodel",
                "description": "A net with hidden layers",
            },
        }
    """,
    "project.yaml": """\
        name: mine
        namespace: team-a
        registry: [src.pipeline_registry.hyperparameter_registry]
    """,
    "dockers/mymodel/train.py": """\
        import argparse
        import json


        def read():
            parser = argparse.ArgumentParser()
            parser.add_argument("--learning-rate", default=0.01, type=float)
            parser.add_argument("--num-epochs", default=10, type=int)
            parser.add_argument("--batch-size", default=32, type=int)
            parser.add_argument("--hidden-layers", default=2, type=int)
            parser.add_argument("--hidden-units", default=128, type=int)
            parser.add_argument("--dropout-rate", default=0.5, type=float)
            return parser.parse_args()


        def train(given):
            print("given", json.dumps(vars(given)))
            for epoch in range(1, given.num_epochs + 1):
                print(f"step={epoch} val_loss={abs(given.learning_rate - 0.02) + given.dropout_rate / epoch:.6f}")


        if __name__ == "__main__":
            train(read())
    """,
    "study.yaml": """\
        name: mymodel
        hparams: mymodel
        search:
          learning_rate: {loguniform: [1e-3, 1e-1]}
          hidden_units: {choice: [64, 128]}
        objective: {metric: val_loss, direction: minimize}
        algorithm: {name: random, seed: 1}
        budget: {max_trials: 3, parallel: 2}
        step:
          image: "registry.example/mymodel:1"
          command: [python, dockers/mymodel/train.py]
          arguments: {names: dashes}
    """,
}
