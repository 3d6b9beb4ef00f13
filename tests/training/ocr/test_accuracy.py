"""What the model small and the pipeline of pipelines/ocr reach, trained for real. `docs/ocr.md` has these numbers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from places import ROOT


def run(folder: Path, *command: str) -> str:
    environment = {**os.environ, "KFTUNE_DEVICE": "cpu"}
    environment.pop("KFTUNE_OUTPUT_DIR", None)
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.nightly
def test_small_reads_nine_of_ten_numbers_in_fonts_that_it_does_not_know(tmp_path: Path):
    values = ["--model_name=small", "--learning_rate=0.003", "--scheduler_type=cosine", "--num_epochs=24"]
    run(tmp_path, "kftune.training", "ocr", *values, "--num_workers=0", "--model=model")
    assert read_json(tmp_path / "model" / "summary.json")["best"]["val_seq_accuracy"] >= 0.9


@pytest.mark.nightly
def test_the_pipeline_runs_from_pictures_to_a_registered_model(tmp_path: Path):
    shutil.copytree(ROOT / "pipelines" / "ocr", tmp_path / "ocr")
    small = [
        "parameters.pictures.default=100",
        "parameters.epochs.default=2",
        "parameters.min_accuracy.default=-1",
        "steps.tune.overrides=[budget.max_trials=2, values.num_epochs=2]",
    ]
    run(tmp_path / "ocr", "kftune", "pipeline", "run", "pipeline.yaml", *small)
    (manifest,) = (tmp_path / "ocr" / "runs").glob("ocr/*/steps/register/outputs/manifest")
    found = read_json(manifest)
    assert found["hparams"]["num_epochs"] == 2
    assert set(found["metrics"]) == {"test_loss", "test_char_accuracy", "test_seq_accuracy"}
