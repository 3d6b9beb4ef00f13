"""What a training of a reader does when memory runs out: a real limit, and errors at a chosen size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from kftune import yaml_text
from kftune.hparams.models.ocr import OcrHparams
from kftune.training.digits.dataset import Recipe, generate
from kftune.training.ocr import train
from kftune.training.ocr.batches import Batch
from kftune.training.ocr.loop import Training

LIMITED = """
import resource, sys
from pathlib import Path
from kftune.hparams.models.ocr import OcrHparams
from kftune.training.ocr import loop

start = loop.Training.start

def limited(self, folder):
    start(self, folder)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 200 * 2**20,) * 2)

loop.Training.start = limited
sys.exit(loop.train(OcrHparams.from_args()))
"""


@pytest.fixture
def values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("KFTUNE_OUTPUT_DIR", raising=False)
    generate(tmp_path / "data" / "metadata.yaml", Recipe(train=128, val=8, test=8))
    sizes = {"models": {"small": {"channels": [2, 2, 2], "hidden": 4, "dropout": 0.0}}}
    sizes["models"]["medium"] = {"channels": [128, 16, 16], "hidden": 8}
    (tmp_path / "sizes.yaml").write_text(yaml_text.dump(sizes), encoding="utf-8")
    yield {
        **{"model_name": "small", "model_config_path": "sizes.yaml", "metadata_path": "data/metadata.yaml"},
        **{"batch_size": 16, "num_epochs": 2, "num_workers": 0, "device": "cpu", "use_tensorboard": False},
    }
    torch.set_num_threads(threads)


def summary() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("training_output/hyperparameter_experiment/summary.json").read_bytes())
    return found


def limited(hparams: OcrHparams) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LIMITED, *hparams.to_args()]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "MALLOC_ARENA_MAX": "1"}
    )


@pytest.mark.nightly  # the default run has a typed model in such a process
def test_a_process_with_too_little_memory_goes_on_with_smaller_pieces(values: dict[str, Any]):
    hparams = OcrHparams(**{**values, "model_name": "medium", "batch_size": 128, "num_epochs": 1})
    done = limited(hparams)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "memory ran out" in done.stdout
    assert "can't allocate memory" in done.stdout
    first = summary()["fallbacks"][0]
    assert (first["epoch"], first["batch_size"], first["accumulate"]) == (1, [128, 64], [1, 2])
    assert summary()["status"] == "completed"


class Scarce(Training):
    """A training that has memory for some pictures at a time only."""

    most = 4

    def _gradients(self, piece: Batch, share: float) -> tuple[torch.Tensor, list[str]]:
        if len(piece[0]) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
        return super()._gradients(piece, share)


def test_pieces_are_halved_until_they_fit_and_stay_so(values: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kftune.training.ocr.loop.Training", Scarce)
    assert train(OcrHparams(**values)) == 0
    assert [each["batch_size"] for each in summary()["fallbacks"]] == [[16, 8], [8, 4]]
    assert {each["epoch"] for each in summary()["fallbacks"]} == {1}
    assert train(OcrHparams(**{**values, "num_epochs": 3, "resume": True})) == 0
    assert len(summary()["fallbacks"]) == 2


def test_an_error_that_remains_with_single_pictures_ends_the_training(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Scarce, "most", 0)
    monkeypatch.setattr("kftune.training.ocr.loop.Training", Scarce)
    with pytest.raises(torch.OutOfMemoryError):
        train(OcrHparams(**values))


def test_one_switch_turns_it_off(values: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kftune.training.ocr.loop.Training", Scarce)
    with pytest.raises(torch.OutOfMemoryError):
        train(OcrHparams(**{**values, "fallback": False}))


def test_another_error_is_not_a_lack_of_memory(values: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    def broken(*_: Any) -> None:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(Training, "_gradients", broken)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        train(OcrHparams(**values))
