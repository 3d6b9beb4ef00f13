"""What a trial's process gets: program, environment, folders, devices; and what is refused before any starts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local_study import finished, log_of, one_trial, python, run, sh, study, trials_in

from kftune.errors import RunError
from kftune.local import Event, TrialFinished, TrialStarted
from kftune.local.processes.devices import find_gpus

PRINT_ENV = python(
    "import os, json, sys\nprint(json.dumps({**os.environ, 'exe': sys.executable, 'cwd': os.getcwd()}))\n"
    "print('loss=1')"
)


def environment_of(tmp_path: Path, *, options: dict[str, Any] | None = None, **parts: Any) -> dict[str, str]:
    trial = one_trial(study(PRINT_ENV, trials=1, **parts), tmp_path / "runs", **(options or {}))
    found: dict[str, str] = json.loads(log_of(tmp_path / "runs", trial).splitlines()[0])
    return found


def test_a_trial_knows_its_name_its_folder_and_this_python(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("FROM_OUTSIDE", "1")
    found = environment_of(tmp_path, step={"env": {"MINE": "x y"}})
    assert found["KFTUNE_TRIAL_NAME"] == found["KATIB_TRIAL_NAME"] == "small-study-0001"
    assert found["KFTUNE_OUTPUT_DIR"] == str(tmp_path / "runs" / "trials" / "small-study-0001")
    assert found["exe"] == sys.executable
    assert found["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert (found["MINE"], found["FROM_OUTSIDE"], found["PYTHONUNBUFFERED"]) == ("x y", "1", "1")
    assert found["OMP_NUM_THREADS"] == str(len(os.sched_getaffinity(0)))
    assert found["cwd"] == str(Path.cwd())


def test_trials_share_the_cores_unless_the_user_says_otherwise(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    found = environment_of(tmp_path / "a", budget={"parallel": 1, "max_trials": 1})
    assert found["OMP_NUM_THREADS"] == str(len(os.sched_getaffinity(0)))
    assert environment_of(tmp_path / "b", step={"env": {"OMP_NUM_THREADS": "3"}})["OMP_NUM_THREADS"] == "3"
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert environment_of(tmp_path / "c")["OMP_NUM_THREADS"] == "5"


def test_a_trial_runs_in_the_study_s_folder_and_finds_its_modules(tmp_path):
    project = tmp_path / "it's a project"
    project.mkdir()
    (project / "helper_of_trial.py").write_text("LOSS = 0.125\n")
    (project / "train.py").write_text("import helper_of_trial; print(f'loss={helper_of_trial.LOSS}')\n")
    a_study = study(("python", "train.py"), trials=1)
    assert one_trial(a_study, tmp_path / "a", study_path=project / "study.yaml").objective == 0.125
    as_module = study((), trials=1, step={"command": (), "module": "train"})
    assert one_trial(as_module, tmp_path / "b", study_path=project / "study.yaml").objective == 0.125


def test_the_data_s_path_is_taken_from_the_study_s_folder(tmp_path):
    (tmp_path / "project" / "data").mkdir(parents=True)
    options = {"study_path": tmp_path / "project" / "study.yaml"}
    found = environment_of(tmp_path, options=options, step={"data": {"path": "data"}})
    assert found["KFTUNE_DATA"] == str(tmp_path / "project" / "data")


def test_secrets_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("API_TOKEN", "s3cret")
    step = {"secrets": {"API_TOKEN": {"name": "tokens", "key": "api"}}}
    assert environment_of(tmp_path, step=step)["API_TOKEN"] == "s3cret"  # noqa: S105  # none


# -- refused before any trial starts ----------------------------------------------------------------------------


def refusal(tmp_path: Path, command: tuple[str, ...], **parts: Any) -> str:
    with pytest.raises(RunError) as caught:
        run(study(command, **parts), tmp_path / "runs", study_path=tmp_path / "study.yaml")
    assert not (tmp_path / "runs").exists()
    return str(caught.value)


def test_a_missing_secret_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("API_TOKEN", raising=False)
    step = {"secrets": {"API_TOKEN": {"name": "tokens", "key": "api"}}}
    assert refusal(tmp_path, sh("true"), step=step) == (
        "secrets and config maps come from the environment here, but it has no API_TOKEN; "
        "for example: export API_TOKEN=..."
    )


def test_missing_data_is_named(tmp_path):
    message = refusal(tmp_path, sh("true"), step={"data": {"path": "data.csv"}})
    assert message == f"the step's data must be there, but {tmp_path}/data.csv is not; see step.data.path in the study"


def test_a_missing_program_is_named(tmp_path):
    assert refusal(tmp_path, ("no-such-program",)) == (
        "the program must be one that runs here, but no folder on PATH has 'no-such-program'; install it, change "
        "step.command, or run the step in its image (--runtime container)"
    )
    assert f"but {tmp_path}/train.sh is not there" in refusal(tmp_path, ("./train.sh",))
    (tmp_path / "train.sh").touch()
    assert f"but {tmp_path}/train.sh is not a program" in refusal(tmp_path, ("./train.sh",))


def test_a_missing_script_is_named(tmp_path):
    assert refusal(tmp_path, ("python", "train.py")) == (
        f"the script must be there, but {tmp_path}/train.py is not; it is looked for from the study file's folder"
    )


@pytest.mark.parametrize("options", [(), ("-u",), ("-W", "ignore")])
def test_a_missing_script_is_found_behind_the_options_of_python(tmp_path, options):
    assert f"but {tmp_path}/train.py is not" in refusal(tmp_path, ("python", *options, "train.py"))


def test_modules_of_python_itself_are_found(tmp_path):
    assert one_trial(study((), trials=1, step={"command": (), "module": "this"}), tmp_path).exit_code == 0


def test_a_missing_module_is_named_without_running_anything(tmp_path):
    message = refusal(tmp_path, ("python", "-m", "no_such_package.train"))
    assert message == (
        f"the module must be one that this Python finds, but 'no_such_package' is not installed and not in "
        f"{tmp_path}; install it, or change step.module"
    )


# -- GPUs -------------------------------------------------------------------------------------------------------

SHOW_GPUS = sh('echo "gpus=$CUDA_VISIBLE_DEVICES"; sleep 0.1; echo loss=1')


def gpus_of(folder: Path) -> list[str]:
    return [log_of(folder, trial).splitlines()[0].removeprefix("gpus=") for trial in trials_in(folder)]


def busy_gpus(events: list[Event]) -> Iterator[list[str]]:
    """The GPUs of all running trials, at each start."""
    busy: dict[int, tuple[str, ...]] = {}
    for event in events:
        if isinstance(event, TrialStarted):
            busy[event.number] = event.gpus
            yield [gpu for gpus in busy.values() for gpu in gpus]
        elif isinstance(event, TrialFinished):
            del busy[event.number]


def test_trials_that_run_at_once_never_share_a_gpu(tmp_path):
    a_study = study(SHOW_GPUS, trials=6, budget={"parallel": 3}, step={"resources": {"gpu": 2}})
    _, events = run(a_study, tmp_path, gpus=("0", "1", "2", "3", "4"))
    at_once = list(busy_gpus(events))
    assert {len(gpus) for gpus in at_once} == {2, 4}
    assert all(len(set(gpus)) == len(gpus) for gpus in at_once)
    assert set(gpus_of(tmp_path)) == {"0,1", "2,3"}
    (note,) = [event.message for event in events if event.kind == "note"]  # type: ignore[attr-defined]
    assert note == "2 of 3 trials at once: each has 2 of the 5 GPUs here"


def test_the_parent_s_own_choice_of_gpus_is_shared_out(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-abc, 3")
    a_study = study(SHOW_GPUS, trials=4, budget={"parallel": 2}, step={"resources": {"gpu": 1}})
    run(a_study, tmp_path)
    assert set(gpus_of(tmp_path)) == {"GPU-abc", "3"}


@pytest.mark.parametrize(("text", "found"), [("", ()), ("-1", ()), ("0,-1,2", ("0",)), ("0, 1", ("0", "1"))])
def test_cuda_s_own_rules_for_the_list_of_devices_hold(monkeypatch, text, found):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", text)
    assert find_gpus() == found


def test_a_study_that_asks_for_a_gpu_is_refused_where_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert refusal(tmp_path, sh("true"), step={"resources": {"gpu": 1}}) == (
        "each trial needs 1 GPU(s) (step.resources.gpu), but here are none; run it elsewhere, or without GPUs "
        "(--gpus none)"
    )


def test_without_gpus_on_request_trials_see_none(tmp_path):
    a_study = study(SHOW_GPUS, trials=2, budget={"parallel": 2}, step={"resources": {"gpu": 1}})
    _, events = run(a_study, tmp_path, gpus=())
    assert gpus_of(tmp_path) == ["", ""]
    assert [event.message for event in events if event.kind == "note"] == [  # type: ignore[attr-defined]
        "trials run without a GPU, though the study asks for one"
    ]


def test_a_study_that_asks_for_no_gpu_leaves_the_variable_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    run(study(SHOW_GPUS, trials=1), tmp_path)
    assert gpus_of(tmp_path) == ["7"]


def test_several_processes_or_nodes_are_one_process_here_and_noted(tmp_path):
    resources = {"gpu": 2, "procs_per_node": 2, "nodes": 3}
    _, events = run(study(trials=1, step={"resources": resources}), tmp_path, gpus=("0", "1"))
    notes = [event.message for event in events if event.kind == "note"]  # type: ignore[attr-defined]
    assert notes == ["each trial is one process here; on a cluster it is 3 node(s) with 2 process(es) each"]
    assert len(finished(events)) == 1
