"""What people read after a mistake with `apply`: each text stands in tests/snapshots/apply_mistakes.txt.

mistake_texts.py says how it is written anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from applied import CONFIG, run, write
from mistake_texts import REMEDY, printed, record, recorded

SNAPSHOTS = "apply_mistakes.txt"

APPLY = ["apply", "study.yaml", "--yes"]
TO = [*APPLY, "--to", "config.yaml"]
AT = [*TO, "--at", "P1/C1"]
OTHER = [*APPLY, "--to", "other.yaml"]

COMMANDS = {
    "no file": APPLY,
    "no such file": [*APPLY, "--to", "confg.yaml"],
    "no such key": [*TO, "--at", "P1/C11"],
    "dots and slashes": [*TO, "--at", "P1.C1/lr"],
    "a path to a value": [*TO, "--at", "P1/C1/lr"],
    "no path": TO,
    "no trial of the present values": [*TO, "--at", "P1/C4"],
    "no better": [*AT, "--trial", "3"],
    "other values than the trials had": [*TO, "--at", "P1/C3"],
    "a validator of the class refuses": [*TO, "--at", "P1/C5", "--force"],
    "no such trial": [*AT, "--trial", "net-9"],
    "no such metric": [*AT, "--metric", "val_los"],
    "a trial and a metric": [*AT, "--metric", "val_loss", "--trial", "1"],
    "an unknown name in --map": [*AT, "--map", "learning_rate=lr"],
    "a --map without a path": [*AT, "--map", "lr"],
    "--dry-run and --yes": [*AT, "--dry-run"],
    "no class": [*AT, "--hparams", "applied:Nett"],
    "a branch without a repository": [*AT, "--branch"],
    "no results": ["apply", "new.yaml", "--to", "config.yaml"],
    "a pipeline": ["apply", "pipeline.yaml", "--to", "config.yaml"],
    "a key in a block of text": [*OTHER, "--at", "block"],
    "a key that is merged": [*OTHER, "--at", "merged"],
    "a key that others merge": [*OTHER, "--at", "base"],
    "a key twice": [*OTHER, "--at", "twice"],
    "a list": [*OTHER, "--at", "items"],
    "an item that is not there": [*OTHER, "--at", "items/name=d"],
    "broken YAML": [*APPLY, "--to", "broken.yaml"],
    "run: --at alone": ["run", "study.yaml", "--at", "P1/C1"],
    "run: two baselines": ["run", "study.yaml", "--baseline", "--baseline-from", "config.yaml"],
    "run: a baseline outside of the space": ["run", "study.yaml", "--baseline-from", "config.yaml", "--at", "P1/C4"],
    "run: a baseline with other values": ["run", "study.yaml", "--baseline-from", "config.yaml", "--at", "P1/C3"],
    "run: a baseline for a pipeline": ["run", "pipeline.yaml", "--baseline"],
    "study: apply without a file": ["show", "study.yaml", "apply={at: P1}"],
    "study: apply maps another name": ["show", "study.yaml", "apply={to: config.yaml, map: {rate: lr}}"],
    "study: update_config": ["show", "study.yaml", "update_config=true"],
    "kubectl's form": ["apply", "-f", "study.yaml"],
    "study: apply: true": ["show", "study.yaml", "apply=true"],
    "snippet: no such trial": ["snippet", "study.yaml", "--trial", "net-9"],
}

OTHERS = """\
block:
  lr: |
    0.001
  units: 64
base: &base {lr: 0.001, units: 64}
merged:
  <<: *base
twice:
  lr: 0.001
  lr: 0.001
  units: 64
items:
- {name: c, lr: 0.001}
- {name: e, lr: 0.001}
"""


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("mistakes")
    write(folder)
    run(folder)
    study = (folder / "study.yaml").read_text()
    (folder / "new.yaml").write_text(study.replace("name: net", "name: new"))
    (folder / "pipeline.yaml").write_text("name: p\nsteps:\n  a: {kind: data, command: [x]}\n")
    (folder / "other.yaml").write_text(OTHERS)
    (folder / "broken.yaml").write_text("lr: [1\n")
    found = {name: printed(command, folder) for name, command in COMMANDS.items()}
    assert (folder / "config.yaml").read_text() == CONFIG
    record(SNAPSHOTS, found)
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_a_mistake_is_answered_with_its_recorded_text(name: str, texts: dict[str, str]) -> None:
    assert texts[name] == recorded(SNAPSHOTS).get(name), REMEDY


def test_no_snapshot_is_left_over(texts: dict[str, str]) -> None:
    assert set(recorded(SNAPSHOTS)) == set(texts)


def test_no_mistake_changes_a_file_or_shows_a_path_of_this_machine(texts: dict[str, str]) -> None:
    assert [name for name, text in texts.items() if str(Path.home()) in text or text.startswith("exit 0")] == []
