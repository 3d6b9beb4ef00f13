"""`kftune train` with config files, and `kftune init`, which writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kftune import yaml_text
from kftune.cli import main
from kftune.training import ModelHparams, RunHparams

RUN = "kftune.training:RunHparams"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KFTUNE_CONFIG_PATH", raising=False)
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> RunHparams:
    """The hyperparameters that a command line gives."""
    assert main(["train", RUN, *arguments, "--print-config"]) == 0
    found: Any = yaml_text.load(capsys.readouterr().out)
    return RunHparams.from_dict(found)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["train", RUN, *arguments, "--print-config"]) == 2
    return capsys.readouterr().err


def test_later_files_count_more_and_the_command_line_most(folder: Path, capsys):
    (folder / "a.yaml").write_text("data: {batch_size: 1, seed: 1, num_workers: 1}\n")
    (folder / "b.yaml").write_text("data: {batch_size: 2, seed: 2}\n")
    found = shown(capsys, "data.batch_size=3", "-c", "a.yaml", "--config", "b.yaml", "data.shuffle=false")
    assert (found.data.batch_size, found.data.seed, found.data.num_workers) == (3, 2, 1)
    assert not found.data.shuffle


@pytest.mark.parametrize("sign", ["", "+"])
def test_keys_of_a_mapping_are_set_and_added_and_removed(folder: Path, capsys, sign: str):
    (folder / "a.yaml").write_text("model: {optimizer: {kwargs: {lr: 0.1, weight_decay: 0.5}}}\n")
    changes = [f"{sign}model.optimizer.kwargs.betas=[0.9, 0.99]", "~model.optimizer.kwargs.weight_decay"]
    found = shown(capsys, "-c", "a.yaml", *changes)
    assert found.model.optimizer.kwargs == {"lr": 0.1, "betas": [0.9, 0.99]}


def test_a_tilde_restores_the_default_of_a_key(folder: Path, capsys):
    (folder / "a.yaml").write_text("trainer: {max_epochs: 3, seed: 7}\n")
    found = shown(capsys, "-c", "a.yaml", "~trainer.max_epochs")
    assert (found.trainer.max_epochs, found.trainer.seed) == (10, 7)


@pytest.mark.parametrize("given", [["--config-name", "b"], ["--config-name=b.yaml"], ["-cn", "b"], ["-c", "b"]])
def test_a_name_is_looked_for_in_the_config_path(folder: Path, capsys, monkeypatch, given: list[str]):
    for name in ("one", "two"):
        (folder / name).mkdir()
    (folder / "one" / "a.yaml").write_text("data: {seed: 1}\n")
    (folder / "two" / "a.yaml").write_text("data: {seed: 3}\n")
    (folder / "two" / "b.yaml").write_text("data: {seed: 2}\n")
    monkeypatch.setenv("KFTUNE_CONFIG_PATH", f"{folder / 'one'}:{folder / 'two'}")
    assert shown(capsys, *given).data.seed == 2
    assert shown(capsys, *given, "-c", "a").data.seed == 1


def test_a_file_here_comes_before_the_config_path_but_a_name_is_never_one(folder: Path, capsys, monkeypatch):
    (folder / "there").mkdir()
    (folder / "a.yaml").write_text("data: {seed: 1}\n")
    (folder / "there" / "a.yaml").write_text("data: {seed: 2}\n")
    monkeypatch.setenv("KFTUNE_CONFIG_PATH", "there")
    assert shown(capsys, "-c", "a.yaml").data.seed == 1
    assert shown(capsys, "--config-name", "a").data.seed == 2


def test_without_a_config_path_a_name_is_one_here(folder: Path, capsys):
    (folder / "a.yaml").write_text("data: {seed: 1}\n")
    assert shown(capsys, "--config-name", "a").data.seed == 1


def test_what_is_not_in_the_config_path_is_answered_with_near_names(folder: Path, capsys, monkeypatch):
    (folder / "there").mkdir()
    (folder / "there" / "baseline.yaml").write_text("")
    monkeypatch.setenv("KFTUNE_CONFIG_PATH", "there")
    assert "in there (KFTUNE_CONFIG_PATH); did you mean 'baseline'" in refused(capsys, "--config-name", "basline")
    assert "here or in there (KFTUNE_CONFIG_PATH); did you mean 'baseline" in refused(capsys, "-c", "basline.yaml")
    monkeypatch.setenv("KFTUNE_CONFIG_PATH", "nowhere")
    assert "there is no folder nowhere" in refused(capsys, "-c", "a")


def test_the_keys_of_other_programs_are_read_below_their_root(folder: Path):
    (folder / "a.yaml").write_text(
        "model_config:\n  matmul_precision: high\n  optimizer: {module_name: torch.optim.AdamW, kwargs: {lr: 0.001}}\n"
        "  scheduler: {module_name: torch.optim.lr_scheduler.CosineAnnealingLR, kwargs: {T_max: 100}}\n"
        "  checkpoint: {dirpath: checkpoints/, monitor: validation/loss, mode: min, save_top_k: 3}\n"
        "  early_stopping: {monitor: validation/loss, patience: 10, mode: min}\n"
    )
    found = ModelHparams.from_yaml("a.yaml", key="model_config")
    assert (found.matmul_precision, found.optimizer.kwargs, found.scheduler.kwargs) == (
        *("high", {"lr": 0.001}),
        {"T_max": 100},
    )
    assert found.early_stopping is not None
    assert found.early_stopping.patience == 10


def test_init_writes_a_file_that_gives_the_defaults(folder: Path, capsys):
    assert main(["init", RUN]) == 0
    assert "next: kftune train kftune.training:RunHparams -c config.yaml" in capsys.readouterr().out
    assert shown(capsys, "-c", "config.yaml") == RunHparams()


def test_init_without_a_model_writes_what_every_typed_model_has(folder: Path, capsys):
    assert main(["init", "-o", "made/typed.yaml"]) == 0
    assert "kftune init MODEL" in capsys.readouterr().err
    assert RunHparams.from_yaml(folder / "made" / "typed.yaml") == RunHparams()


def test_init_keeps_a_file_that_is_there_unless_forced(folder: Path, capsys):
    (folder / "config.yaml").write_text("data: {seed: 7}\n")
    assert main(["init", "lstm"]) == 2
    assert "config.yaml is there already" in capsys.readouterr().err
    assert (folder / "config.yaml").read_text() == "data: {seed: 7}\n"
    assert main(["init", "lstm", "--force"]) == 0
    assert "lstm_units: 64" in (folder / "config.yaml").read_text()


def test_init_prints_to_standard_output(folder: Path, capsys):
    assert main(["init", "lstm", "-o", "-"]) == 0
    found: Any = yaml_text.load(capsys.readouterr().out)
    assert found["lstm_units"] == 64
    assert list(folder.iterdir()) == []
