"""`kftune new hparams NAME --from SCRIPT` over tests/data/scripts: scripts written as popular projects write them.

tests/snapshots/from_script.txt has what is written for each; `KFTUNE_SNAPSHOTS=write` writes it anew.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mistake_texts import printed, record, recorded
from places import ROOT

from kftune import Hparams
from kftune.render import render
from kftune.study import load_study

SCRIPTS = ROOT / "tests" / "data" / "scripts"
SNAPSHOTS = "from_script.txt"
NAMES = sorted(path.name.removesuffix(".py.txt") for path in SCRIPTS.glob("*.txt") if "configurator" not in path.name)
COMMANDS = {name: ["--command", "train"] for name in ("subcommands", "click_multi", "odd")}
# What the script leaves to the user, as overrides.
COMPLETED = {
    "click_multi": ["values.out=x"],
    "fire_app": ["objective.metric=f1", "objective.direction=maximize", "objective.regex=f1 = ([0-9.]+)"],
    "hf": ["values.model_name_or_path=m"],
    "hydra_app": ["values.data_dir=d"],
    "lightning": ["values={data.data_dir: d}", "objective.metric=val_loss"],
    "odd": ["values={learning_rate: 0.1, epochs: 2}"],
    "settings": ["objective.metric=loss", "objective.regex=loss ([0-9.]+)"],
    "tyro_app": ["values.exp_name=x", "objective.metric=episodic_return", "objective.direction=maximize"],
}
# Those that run with what the tests install.
RUNNING = ["click_multi", "helpers", "hydra_app", "nanogpt", "odd", "subcommands", "timm"]


def written(name: str, folder: Path) -> str:
    shutil.copy(SCRIPTS / f"{name}.py.txt", folder / "train.py")
    shutil.copy(SCRIPTS / "configurator.py.txt", folder / "configurator.py")
    shutil.copytree(SCRIPTS / "conf", folder / "conf")
    return printed(["new", "hparams", f"my_{name}", "--from", "train.py", *COMMANDS.get(name, [])], folder)


def class_of(name: str, folder: Path) -> type[Hparams]:
    spec = importlib.util.spec_from_file_location(f"my_{name}_hparams", folder / f"my_{name}_hparams.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    [found] = [each for each in vars(module).values() if isinstance(each, type) and each.__name__.startswith("My")]
    return found


@pytest.fixture(scope="module")
def texts(tmp_path_factory) -> dict[str, str]:
    found = {}
    for name in NAMES:
        folder = tmp_path_factory.mktemp(name)
        shown = written(name, folder)
        files = [(folder / f"my_{name}_{kind}").read_text() for kind in ("hparams.py", "study.yaml")]
        found[name] = "\n".join((shown, *files))
    record(SNAPSHOTS, found)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_files_of_a_script_are_as_recorded(name, texts):
    assert texts[name] == recorded(SNAPSHOTS)[name]


@pytest.mark.parametrize("name", NAMES)
def test_the_class_reads_its_own_command_line(name, tmp_path):
    assert written(name, tmp_path).startswith("exit 0\n")
    hparams = class_of(name, tmp_path)
    required = {each: leaf.example() for each, leaf in hparams.leaves().items() if leaf.is_required}
    made = hparams.from_args([f"--{each}={value}" for each, value in required.items()])
    assert hparams.from_args(made.to_args()) == made


@pytest.mark.parametrize("name", NAMES)
def test_the_class_is_written_as_linter_and_formatter_want_it(name, tmp_path):
    written(name, tmp_path)
    ruff = [sys.executable, "-m", "ruff"]
    options = ["--config", str(ROOT / "pyproject.toml"), str(tmp_path / f"my_{name}_hparams.py")]
    # ruff takes a list as a default for a mistake, unless it knows that the class is one of pydantic.
    for check in (["check", "--ignore=RUF012"], ["format", "--diff"]):
        done = subprocess.run([*ruff, *check, *options], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_the_study_passes_lint_and_renders_when_the_user_has_completed_it(name, tmp_path, monkeypatch):
    written(name, tmp_path)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / f"my_{name}_study.yaml"
    study = load_study(file, COMPLETED.get(name, []))
    assert study.space
    assert render(study, "katib").documents


@pytest.mark.parametrize("name", [name for name in NAMES if name not in COMPLETED])
def test_lint_finds_nothing_in_a_study_that_needs_no_completion(name, tmp_path):
    written(name, tmp_path)
    run = [sys.executable, "-m", "kftune", "lint", f"my_{name}_study.yaml"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", RUNNING)
def test_every_proposed_domain_is_tuned_without_a_change_of_the_script(name, tmp_path):
    written(name, tmp_path)
    study = tmp_path / f"my_{name}_study.yaml"
    study.write_text(study.read_text().replace("\n  # ", "\n  "))
    source = (tmp_path / "train.py").read_bytes()
    run = [sys.executable, "-m", "kftune", "run", study.name, "budget.max_trials=3", *COMPLETED.get(name, [])]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "trials: 3 Succeeded" in done.stdout
    assert (tmp_path / "train.py").read_bytes() == source


@pytest.mark.parametrize(
    ("completed", "finding"),
    [
        ("  learning_rate: 0.1\n  epochs: 2\n", ""),
        ("  learning_rate: 0.1\n", "KT406 fails: train.py:22 needs one of --epochs, --steps"),
        ("  learning_rate: 0.1\n  steps: 2\n  batch_size: 8\n", "KT401 fails: trials get --batch-size=... after train"),
    ],
)
def test_lint_knows_what_a_script_with_subcommands_needs(completed, finding, tmp_path, monkeypatch):
    written("odd", tmp_path)
    monkeypatch.delitem(sys.modules, "my_odd_hparams", raising=False)
    study, module = tmp_path / "my_odd_study.yaml", tmp_path / "my_odd_hparams.py"
    study.write_text(re.sub(r"  learning_rate: .*\n", completed, study.read_text()))
    module.write_text(
        module.read_text().replace("    units: int = 32\n", "    units: int = 32\n    batch_size: int = 32\n")
    )
    shown = printed(["lint", study.name], tmp_path)
    assert finding in shown
    assert ("1 finding" in shown) == bool(finding)


def test_a_script_in_a_folder_is_run_from_the_project(tmp_path):
    (tmp_path / "src").mkdir()
    shutil.copy(SCRIPTS / "helpers.py.txt", tmp_path / "src" / "train.py")
    printed(["new", "hparams", "net", "--from", "src/train.py"], tmp_path)
    assert "command: [python, src/train.py]" in (tmp_path / "net_study.yaml").read_text()


def test_nothing_of_a_script_is_run(tmp_path):
    code = "import argparse\nopen('made', 'w')\np = argparse.ArgumentParser()\np.add_argument('--lr', default='x')\n"
    (tmp_path / "train.py").write_text(f"{code}p.parse_args()\n")
    assert printed(["new", "hparams", "net", "--from", "train.py"], tmp_path).startswith("exit 0\n")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("there", ["net_hparams.py", "net_study.yaml"])
def test_no_file_is_overwritten(there, tmp_path):
    shutil.copy(SCRIPTS / "helpers.py.txt", tmp_path / "train.py")
    (tmp_path / there).write_text("mine")
    assert f"{there} already exists; nothing was written" in printed(
        ["new", "hparams", "net", "--from", "train.py"], tmp_path
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([there, "train.py"])
    assert (tmp_path / there).read_text() == "mine"


def test_a_pipeline_and_a_project_run_and_render_without_changes(tmp_path):
    assert printed(["new", "project", "pump"], tmp_path).startswith("exit 0\n")
    run = [
        sys.executable,
        "-m",
        "kftune",
        "run",
        "pipelines/pump/pipeline.yaml",
        "steps.tune.overrides=[budget.max_trials=2]",
    ]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "evaluate Succeeded" in done.stdout
    assert printed(["render", "pipelines/pump", "--out", "manifests"], tmp_path).startswith("exit 0\n")
    assert printed(["lint", "pipelines/pump"], tmp_path).startswith("exit 0\n")
