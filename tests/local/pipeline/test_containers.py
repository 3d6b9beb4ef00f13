"""Steps and trials of a pipeline in containers, by the engine that answers here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from container_engine import IMAGE, containers_of, needed_engine
from local_pipeline import Project
from local_study import wait_until

from kftune.containers import ContainerEngine
from kftune.errors import RunError
from kftune.images import Lock, LockedImage

pytestmark = pytest.mark.container

GIVEN = "import json, os, sys; given = dict(token[2:].split('=', 1) for token in sys.argv[1:]); "
SEEN = GIVEN + (
    "tried = lambda path: os.access(path, os.W_OK); status = open('/proc/self/status').read(); "
    "told = {'uid': os.getuid(), 'root': tried('/usr'), 'tmp': tried('/tmp'), 'data': tried(given['data']), "
    "'outputs': tried(os.path.dirname(given['seen'])), 'caps': status.split('CapEff:')[1].split()[0], "
    "'links': sorted(os.listdir('/sys/class/net')), 'argv': sys.argv[1:], 'mode': os.environ['MODE']}; "
    "open(given['seen'], 'w').write(json.dumps(told))"
)


@pytest.fixture
def engine() -> ContainerEngine:
    return needed_engine()


@pytest.fixture
def project(engine: ContainerEngine, tmp_path: Path) -> Project:
    return Project(tmp_path)


def step(code: str, kind: str = "container", **fields: Any) -> dict[str, Any]:
    """A step that runs some Python in the image, or in a process."""
    return {"kind": kind, "command": ["python", "-c", code], "image": IMAGE, **fields}


def test_a_step_sees_its_inputs_and_outputs_and_may_nothing_else(project):
    outputs = {"seen": "dict"}
    steps = {
        "data": step(GIVEN + "open(given['data'], 'w').write('1 2')", "data"),
        "look": step(SEEN, inputs={"data": "${steps.data.outputs.data}"}, outputs=outputs, env={"MODE": "fast"}),
        "net": step(
            SEEN, inputs={"data": "${steps.data.outputs.data}"}, outputs=outputs, env={"MODE": "fast"}, network=True
        ),
        "take": step(GIVEN + "print(json.loads(given['seen'])['root'])", inputs={"seen": "${steps.look.outputs.seen}"}),
    }
    pipeline = project.pipeline(steps, defaults={"resources": {"cpu": 1, "memory": "128Mi"}})
    run = project.run(pipeline, runtime="container", parallel=2)
    assert run.outcome.state == "Succeeded", [end.message for end in run.ends.values()]
    seen = run.ends["look"].outputs["seen"]
    assert {name: seen[name] for name in ("root", "tmp", "data", "outputs", "mode")} == {
        "root": False,
        "tmp": True,
        "data": False,
        "outputs": True,
        "mode": "fast",
    }
    assert seen["uid"] != 0
    assert int(seen["caps"], 16) == 0
    assert seen["links"] == ["lo"]
    assert seen["argv"] == ["--data=/kftune/inputs/data", "--seen=/kftune/outputs/seen"]
    assert run.ends["net"].outputs["seen"]["links"] != ["lo"]
    assert run.log("take") == "False\n"
    assert project.run(pipeline, runtime="container").states == dict.fromkeys(steps, "Cached")


def test_a_pipeline_with_a_study_gives_the_same_in_containers_as_in_processes(project):
    hparams = (
        "from kftune import Hparam, Hparams, IntUniform, LogUniform\n\n\n"
        'class Both(Hparams):\n    """Both."""\n\n    depth: int = Hparam(1, ge=0, search=IntUniform(0, 9))\n'
        '    """Depth."""\n'
        '    lr: float = Hparam(0.1, gt=0, search=LogUniform(1e-4, 1.0))\n    """Step size."""\n'
    )
    (project.folder / "both_hparams.py").write_text(hparams)
    trial = (
        GIVEN
        + "data = float(open(given['data']).read()); print(f\"loss={int(given['depth']) * data + float(given['lr'])}\")"
    )
    study = {
        "name": "both",
        "hparams": "both_hparams:Both",
        "objective": {"metric": "loss", "direction": "minimize"},
        "algorithm": {"name": "random", "seed": 3},
        "budget": {"max_trials": 3, "parallel": 2},
        "step": {"image": IMAGE, "command": ["python", "-c", trial]},
    }
    steps = {
        "data": step(GIVEN + "open(given['data'], 'w').write('10')", "data"),
        "tune": {"kind": "tune", "study": study, "inputs": {"data": "${steps.data.outputs.data}"}},
        "train": step(
            GIVEN + "os.mkdir(given['model']); open(given['model'] + '/w', 'w').write(given['lr'])",
            "train",
            hparams="both_hparams:Both",
            values_from="${steps.tune.outputs.best}",
        ),
    }
    pipeline = project.pipeline(steps)
    runs = [project.run(pipeline, runtime=runtime) for runtime in ("process", "container")]
    assert [run.outcome.state for run in runs] == ["Succeeded"] * 2, runs[1].ends["tune"].message
    for name in steps:
        folders = [run.outcome.folder / "steps" / name for run in runs]
        made = [json.loads((folder / "done.json").read_text())["outputs"] for folder in folders]
        assert made[0] == made[1]


def test_studies_with_one_name_run_at_once(project):
    hparams = (
        "from kftune import Choice, Hparam, Hparams\n\n\n"
        'class Pair(Hparams):\n    """Pair."""\n\n    depth: int = Hparam(1, search=Choice(1, 2))\n    """Depth."""\n'
    )
    (project.folder / "pair_hparams.py").write_text(hparams)
    study = {
        "name": "pair",
        "hparams": "pair_hparams:Pair",
        "objective": {"metric": "loss", "direction": "minimize"},
        "algorithm": {"name": "grid"},
        "budget": {"max_trials": 2},
        "step": {
            "image": IMAGE,
            "command": ["python", "-c", GIVEN + "print(f\"loss={int(given['depth']) * int(given['by'])}\")"],
        },
    }
    steps = {
        "tune": {"kind": "tune", "study": study, "for_each": "signs", "inputs": {"by": "${item}"}},
        "all": step(GIVEN + "print(given['them'])", inputs={"them": "${steps.tune.outputs.best.depth}"}),
    }
    run = project.run(project.pipeline(steps, loops={"signs": {"items": [1, -1]}}), runtime="container")
    assert run.outcome.state == "Succeeded", [end.message for end in run.ends.values()]
    assert run.log("all") == "[1,2]\n"


def test_a_container_that_fails_or_takes_too_long_is_told_and_gone(project, engine):
    steps = {
        "bad": step("import sys; print('the reason'); sys.exit(3)"),
        "slow": step("import time; time.sleep(300)", timeout="2s", grace_period=1),
    }
    run = project.run(project.pipeline(steps), runtime="container")
    assert run.ends["bad"].message == "exit code 3; its last lines:\n  the reason"
    assert run.ends["slow"].message.startswith("ran longer than its timeout (2 s) and was stopped")
    assert containers_of(engine, run.outcome.folder) == []


def test_an_image_that_is_not_here_is_told_before_anything_runs(project):
    steps = {"a": step("pass", image="registry.example/nobody:1")}
    with pytest.raises(RunError, match=r"step a: the image registry.example/nobody:1 must be on this machine"):
        project.run(project.pipeline(steps), runtime="container")
    steps["b"] = {"kind": "container", "command": ["python"]}
    with pytest.raises(RunError, match="step b: a container needs an image"):
        project.run(project.pipeline({"b": steps["b"]}), runtime="container")
    with pytest.raises(RunError, match=r"images/own is an image of the project, but there is no images"):
        project.run(project.pipeline(steps), runtime="container", images={"": "images/own"})


def test_another_image_may_run_in_the_place_of_one_and_images_of_the_project_come_from_the_lock(project, engine):
    found = engine.image_id(IMAGE)
    assert found is not None
    lock = LockedImage(local=IMAGE, id=found, revision="1", base="none")
    Lock(project.folder / "images" / "images.lock.json", {"own": lock}).write()
    steps = {"a": step("print('hello')", image="registry.example/nobody:1")}
    for images in ({"": "images/own"}, {"registry.example/nobody:1": "images/own"}):
        run = project.run(project.pipeline(steps), runtime="container", images=images, fresh=True)
        assert run.log("a") == "hello\n"


def test_containers_of_a_killed_run_are_ended_by_the_next(project, engine):
    code = "import os, time; time.sleep(0 if os.path.exists('/kftune/inputs/flag/on') else 300)"
    flag = project.folder / "flag"
    flag.mkdir()
    steps = {
        "flag": step(GIVEN + "os.mkdir(given['flag'])", outputs={"flag": "artifact"}),
        "slow": step(code, inputs={"flag": "${steps.flag.outputs.flag}"}),
    }
    path = project.folder / "pipeline.yaml"
    path.write_text(json.dumps(project.pipeline(steps).to_dict()))
    command = [sys.executable, "-m", "kftune", "pipeline", "run", "pipeline.yaml", "--dir=runs", "--runtime=container"]
    process = subprocess.Popen(command, cwd=project.folder, stdout=subprocess.PIPE, text=True)
    run = lambda: next(project.runs.glob("*/steps/slow/log.txt"), None)  # noqa: E731
    wait_until(lambda: run() is not None)
    wait_until(lambda: bool(_running(engine, project)), 30)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert _running(engine, project)
    made = next(project.runs.glob("*/steps/flag/outputs/flag"))
    (made / "on").touch()
    again = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, timeout=120, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "flag Kept" in again.stdout
    assert not _running(engine, project)


def _running(engine: ContainerEngine, project: Project) -> list[str]:
    return [name for steps in project.runs.glob("*/steps") for name in containers_of(engine, steps.parent)]


def test_on_failure_holds_in_containers_too(project):
    code = GIVEN + "sys.exit(given['i'] == '1')"
    steps = {"one": step(code, for_each="items", inputs={"i": "${item}"})}
    for choice, state in (("continue", "Succeeded"), ("stop", "NotRun")):
        loops = {"items": {"items": [1, 2], "parallel": 1, "on_failure": choice}}
        run = project.run(project.pipeline(steps, loops=loops), runtime="container")
        assert run.states == {"items/0001/one": "Failed", "items/0002/one": state}
