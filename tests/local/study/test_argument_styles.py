"""Scripts with parsers of their own are tuned on this machine as they are: here, with shared imports, and in steps."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from foreign_scripts import ARGUMENTS, SCRIPTS, Net, foreign_study, script_in
from local_study import log_of, trials_in
from mistake_texts import printed

from kftune.errors import PipelineError, StudyError
from kftune.local import run_study
from kftune.pipeline import pipeline_from_dict

EVERY = sorted(ARGUMENTS)


def given_to(folder, trial):
    line = next(line for line in log_of(folder, trial).splitlines() if line.startswith("given "))
    return json.loads(line[len("given ") :])


@pytest.mark.parametrize("name", EVERY)
def test_every_trial_of_a_script_reads_its_values(name, tmp_path):
    script, arguments = ARGUMENTS[name]
    study = foreign_study(script_in(tmp_path, SCRIPTS[script]), arguments, budget={"max_trials": 8, "parallel": 4})
    outcome = run_study(study, tmp_path / "runs", study_path=tmp_path / "study.yaml")
    assert (outcome.state, outcome.counts) == ("Succeeded", {"Succeeded": 8})
    for trial in trials_in(tmp_path / "runs"):
        assert given_to(tmp_path / "runs", trial) == Net.from_assignments(trial.assignment).to_dict()
        assert trial.assignment["amp"] in ("true", "false")


def as_started(lines, way, folder):
    """Returns the arguments and variables with which a person starts a script with what `kftune best` prints."""
    if way == "environment":
        return [], dict(line.split("=", 1) for line in lines)
    if way == "json-file":
        (folder / "best.json").write_text("".join(lines))
        return ["--config=best.json"], {"KFTUNE_HPARAMS_FILE": "best.json"}
    return lines, {}


@pytest.mark.parametrize("name", EVERY)
def test_the_arguments_of_the_best_trial_are_what_its_script_takes(name, tmp_path):
    script, arguments = ARGUMENTS[name]
    command = script_in(tmp_path, SCRIPTS[script])
    study = foreign_study(command, arguments, values={"optimizer": "adam"}, budget={"max_trials": 3, "parallel": 3})
    run_study(study, tmp_path / "runs", study_path=tmp_path / "study.yaml")
    best = trials_in(tmp_path / "runs")[0]
    head, *lines = printed(["best", "runs", "--format", "args"], tmp_path).splitlines()
    assert head == "exit 0", lines
    tokens, variables = as_started(lines, arguments.get("as"), tmp_path)
    done = subprocess.run(
        [*command, *tokens],
        cwd=tmp_path,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("given "))
    assert json.loads(line.removeprefix("given ")) == Net.from_assignments(best.assignment).to_dict()


@pytest.mark.parametrize("name", ["store_true", "environment", "json-file"])
def test_trials_that_share_their_imports_get_the_same(name, tmp_path):
    script, arguments = ARGUMENTS[name]
    script_in(tmp_path, SCRIPTS[script])
    step = {"module": "train_it", "warm": True, "arguments": arguments}
    study = foreign_study((), {}, step=step, budget={"max_trials": 6, "parallel": 2})
    outcome = run_study(study, tmp_path / "runs", study_path=tmp_path / "study.yaml")
    assert outcome.counts == {"Succeeded": 6}
    for trial in trials_in(tmp_path / "runs"):
        assert given_to(tmp_path / "runs", trial) == Net.from_assignments(trial.assignment).to_dict()


def test_results_of_another_form_of_arguments_are_not_continued(tmp_path):
    command = script_in(tmp_path, SCRIPTS["store_true"])
    first = foreign_study(command, ARGUMENTS["store_true"][1])
    other = foreign_study(command, ARGUMENTS["two tokens"][1])
    assert first.identity() != other.identity()
    assert first.compared() != other.compared()


@pytest.mark.parametrize("arguments", [{"as": "environment"}, {"as": "json-file"}, {"style": "name=value"}])
def test_kftune_s_own_training_reads_its_command_line_only(arguments):
    step = {"module": "kftune.training", "args": ["lstm"], "arguments": arguments}
    with pytest.raises(StudyError, match=r"kftune\.training reads its command line"):
        foreign_study((), {}, step=step)


@pytest.mark.parametrize("command", [("kftune", "train", "lstm"), ("python", "-m", "kftune.training", "lstm")])
def test_kftune_s_own_training_reads_no_variables_as_a_command_either(command):
    assert foreign_study(command, {"style": "name=value"}).step.command == command
    with pytest.raises(StudyError, match=r"reads its command line, --name=value .* but as is environment"):
        foreign_study(command, {"as": "environment"})


def test_a_step_of_a_pipeline_is_checked_in_the_same_way():
    step = {"kind": "train", "module": "kftune.training", "args": ["lstm"], "arguments": {"as": "environment"}}
    with pytest.raises(PipelineError, match=r"kftune\.training reads its command line"):
        pipeline_from_dict({"name": "own", "steps": {"train": {**step, "hparams": "LstmHparams"}}})


def test_a_pipeline_passes_inputs_and_hyperparameters_in_the_form_of_the_script(tmp_path):
    (tmp_path / "net_class.py").write_text(
        "from kftune import Hparam, Hparams\n\n\nclass Net(Hparams):\n    batch_size: int = 32\n    amp: bool = True\n"
    )
    (tmp_path / "train.py").write_text(
        "import argparse\n"
        "parser = argparse.ArgumentParser(allow_abbrev=False)\n"
        "parser.add_argument('--train-rows', type=int, required=True)\n"
        "parser.add_argument('--shuffle', action='store_true')\n"
        "parser.add_argument('--batch-size', type=int)\n"
        "parser.add_argument('--amp', action='store_true')\n"
        "parser.add_argument('--best-model', required=True)\n"
        "given = vars(parser.parse_args())\n"
        "open(given.pop('best_model'), 'w').write(str(given))\n"
    )
    (tmp_path / "pipeline.yaml").write_text(
        "name: styles\n"
        "steps:\n"
        "  train:\n"
        "    kind: train\n"
        f"    command: [{sys.executable}, train.py]\n"
        "    arguments: {names: dashes, booleans: flag, style: --name value}\n"
        "    hparams: net_class:Net\n"
        "    values: {amp: false}\n"
        "    inputs: {train_rows: 5, shuffle: true}\n"
        "    outputs: {best_model: model}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "kftune", "run", "pipeline.yaml", "--dir", "runs/here"],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (model,) = (path for path in (tmp_path / "runs").rglob("best_model") if path.is_file())
    expected = {"train_rows": 5, "shuffle": True, "batch_size": 32, "amp": False}
    assert model.read_text() == str(expected)
