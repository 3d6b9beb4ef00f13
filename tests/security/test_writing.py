"""What kftune writes into a folder stays in it: a planted link leads no file, and no removal of one, elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from local_experiment import experiment, sh
from places import ROOT

from kftune import confined
from kftune.cli import main
from kftune.errors import ConfinedError
from kftune.images.lock import Lock

HEAD = "# kftune wrote these files here, and removes those that it writes no more. It touches no others."
LIST = f"{HEAD}\nprecious.txt\n"
PROJECT = "name: net\nnamespace: a\nfiles: [study.yaml]\noverlays: {dev: {namespace: b}}\n"
STUDY = """\
name: net
hparams: LstmHparams
search: {learning_rate: {loguniform: [0.001, 0.1]}}
objective: {metric: loss, direction: minimize}
budget: {max_trials: 1}
step: {command: [python, train.py], image: registry.example/a:1}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder beside one with a file that nobody may touch."""
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "precious.txt").write_text("precious")
    (tmp_path / "victim" / ".kftune-files").write_text(LIST)
    (tmp_path / "own").mkdir()
    given = tmp_path / "own" / "given" / "net"
    given.mkdir(parents=True)
    (given / "study.yaml").write_text(STUDY)
    (given / "project.yaml").write_text(PROJECT)
    monkeypatch.chdir(tmp_path / "own")
    return tmp_path / "own"


def untouched(victim: Path) -> bool:
    files = {path.name: path.read_text() for path in victim.iterdir()}
    return files == {"precious.txt": "precious", ".kftune-files": LIST}


@pytest.mark.parametrize(
    ("link", "arguments"),
    [
        ("out/net", ["render", "--all", "given", "--out", "out"]),
        ("out/net", ["render", "--all", "given", "--out", "out", "--target", "katib"]),
        ("out/base", ["render", "given/net", "--out", "out"]),
        ("out/overlays", ["render", "given/net", "--out", "out"]),
        ("images", ["images", "init", "launcher"]),
        ("images/launcher", ["images", "init", "launcher"]),
        ("images/kftune", ["images", "init", "launcher"]),
        ("pipelines", ["new", "hparams", "net"]),
        ("pipelines/net", ["new", "pipeline", "net"]),
        ("tests", ["new", "hparams", "net"]),
    ],
)
def test_a_planted_link_leads_no_file_out_of_the_folder(folder, capsys, link, arguments):
    (folder / link).parent.mkdir(parents=True, exist_ok=True)
    (folder / link).symlink_to(folder.parent / "victim")
    assert main(arguments) == 2
    assert "but a link in it leads to" in capsys.readouterr().err
    assert untouched(folder.parent / "victim")


def test_the_folder_that_the_user_names_may_be_a_link(folder):
    (folder.parent / "elsewhere").mkdir()
    (folder / "out").symlink_to(folder.parent / "elsewhere")
    assert main(["render", "--all", "given", "--out", "out"]) == 0
    assert any((folder.parent / "elsewhere").rglob("*.yaml"))


def test_a_link_in_place_of_a_file_is_replaced(folder):
    (folder / "out").mkdir()
    (folder / "out" / "file").symlink_to(folder.parent / "victim" / "precious.txt")
    assert confined.to_write(folder, "out/file") == folder / "out" / "file"
    assert confined.to_write(Path("not-there"), "file") == Path("not-there/file")


def test_the_lock_of_images_stays_in_its_project(folder):
    (folder / "images").symlink_to(folder.parent / "victim")
    with pytest.raises(ConfinedError, match="a link in it leads to"):
        Lock(Path("images/images.lock.json"), {}).write()
    assert untouched(folder.parent / "victim")


@pytest.mark.parametrize("tracker", ["tensorboard", "wandb"])
def test_runs_of_trackers_stay_in_their_folder(folder, capsys, tracker):
    pytest.importorskip(tracker)
    shutil.copy(ROOT / "tests" / "data" / "katib_dumps" / "ocr-small.yaml", "dump.yaml")
    (folder / "out").mkdir()
    for name in ("ocr-small", "wandb"):
        (folder / "out" / name).symlink_to(folder.parent / "victim")
    assert main(["export", "dump.yaml", "--to", tracker, "-o", "out"]) == 2
    assert "but a link in it leads to" in capsys.readouterr().err
    assert untouched(folder.parent / "victim")


def test_a_fix_follows_a_link_only_if_the_user_names_it(folder, capsys):
    given = experiment(sh("echo loss=1"), trials=1)
    victim = folder.parent / "victim" / "experiment.json"
    before = json.dumps(given, indent=2)
    victim.write_text(before)
    (folder / "linked.json").symlink_to(victim)
    assert main(["lint", ".", "--fix"]) == 2
    assert "linked.json must stay below ., but a link in it leads to" in capsys.readouterr().err
    assert victim.read_text() == before
    main(["lint", ".", "linked.json", "--fix"])
    main(["lint", "linked.json", "--fix"])
    assert victim.read_text() != before
    assert (folder / "linked.json").is_symlink()
