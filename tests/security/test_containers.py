"""What a hostile image or Experiment tries in a real container."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import ParameterSet
from container_engine import IMAGE, ended, needed_engine, python
from local_experiment import collected, experiment, run, sh
from local_pipeline import Project
from local_study import log_of, trials_in, wait_until

from kftune.containers import ContainerEngine, ContainerRun
from kftune.containers.variables import split
from kftune.errors import ContainerError
from kftune.local.experiment import Options
from kftune.results import Trial

pytestmark = [pytest.mark.container, pytest.mark.timeout(120)]

HIDDEN = "of root only"
FILE = collected("File", fileSystemPath={"path": "/logs/m.log", "kind": "File"})


@pytest.fixture
def engine() -> ContainerEngine:
    return needed_engine()


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    folder = tmp_path / "victim"
    folder.mkdir(mode=0o700)
    (folder / "secret.txt").write_text(HIDDEN)
    return folder


def one_trial(script: str, folder: Path, options: Options = Options(), **parts: Any) -> Trial:  # noqa: B008
    container = {**sh(script), "image": IMAGE, **parts.pop("container", {})}
    run(experiment(container, trials=1, **parts), folder, options=options._replace(runtime="container"))
    (trial,) = trials_in(folder)
    return trial


PLANTS = {
    "text link": ("ln -s $VICTIM/secret.txt /kftune/outputs/out", "str"),
    "folder link": ("ln -s $VICTIM /kftune/outputs/out", "artifact"),
    "link inside": ("mkdir /kftune/outputs/out; ln -s $VICTIM /kftune/outputs/out/x", "artifact"),
    "FIFO": ("mkfifo /kftune/outputs/out", "str"),
    "device": ("ln -s /dev/zero /kftune/outputs/out", "artifact"),
}


def _plant(name: str) -> ParameterSet:
    """One of each kind is in the default run."""
    return pytest.param(
        *PLANTS[name], id=name, marks=() if name in ("text link", "link inside") else pytest.mark.nightly
    )


@pytest.mark.parametrize(("plant", "kind"), [_plant(name) for name in PLANTS])
def test_a_container_hands_on_no_file_of_this_machine(engine, tmp_path, victim, plant, kind):
    project = Project(tmp_path)
    script = plant.replace("$VICTIM", str(victim))
    steps = {
        "a": {
            "kind": "container",
            "image": IMAGE,
            "command": ["sh", "-c", script, "sh"],
            "outputs": {"out": kind},
        },
        "b": {
            "kind": "container",
            "image": IMAGE,
            "command": ["sh", "-c", 'echo "$@"; cat /kftune/inputs/*/*', "sh"],
            "inputs": {"got": "${steps.a.outputs.out}"},
        },
    }
    run = project.run(project.pipeline(steps), runtime="container")
    assert run.states["a"] == "Failed", run.ends["a"].message
    assert "b" not in run.started
    assert HIDDEN not in run.ends["a"].message


_FIFO = pytest.param("mkfifo /logs/m.log", marks=pytest.mark.nightly)


@pytest.mark.parametrize("plant", ["ln -s $VICTIM/secret.txt /logs/m.log", _FIFO])
def test_a_container_s_metrics_are_no_file_of_this_machine(engine, tmp_path, victim, plant):
    (victim / "secret.txt").write_text("loss=0.125\n")
    trial = one_trial(plant.replace("$VICTIM", str(victim)), tmp_path / "runs", metricsCollectorSpec=FILE)
    assert (trial.state, trial.metrics) == ("Failed", {})


def test_a_link_over_the_folder_of_the_metrics_is_not_followed(engine, tmp_path, victim):
    (victim / "m.log").write_text("loss=0.125\n")
    script = f"cd $KFTUNE_OUTPUT_DIR; mv files gone; mkdir files; ln -s {victim} files/logs"
    trial = one_trial(script, tmp_path / "runs", metricsCollectorSpec=FILE)
    assert (trial.state, trial.metrics) == ("Failed", {})
    assert "links are not followed" in trial.message
    assert stat.S_IMODE(victim.stat().st_mode) == 0o700


ODD = {
    "SSH_PRIVATE_KEY": "-----BEGIN-----\nx\n",
    "GOOGLE_CREDENTIALS": '{"type": "service_account"}',
    "TOKEN": "https://user:s3cr3t@host/x?a=b&c=d",
    "QUOTED": "\"a\" 'b' `c`",
    "JSON": '{"a": ["b # c", "$HOME \\\\ d"]}',
    "LINES": "-----BEGIN KEY-----\nabc\n\n# def\n-----END KEY-----\n",
    "EMPTY": "",
    "BLANKS": "  a\tb  ",
    "COMMENT": "# no comment",
    "ACCENTS": "Grüße, 世界",
    "LONG": "x" * 70_000,
    "LD_LIBRARY_PATH": "/usr/local/lib:/opt/x/lib",
    "HTTP_PROXY": "http://user:s3cr3t@proxy.example:3128",
    "a.b-c": "dots and dashes",
}
TELL = "import json, os; print(json.dumps(dict(os.environ)))"


def test_a_container_gets_its_variables_to_the_character(engine, tmp_path):
    code, printed = ended(engine, python(TELL, env=ODD), tmp_path)
    assert code == 0, printed
    told = json.loads(printed)
    assert {name: told.get(name) for name in ODD} == ODD


def command_lines() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_variable_is_in_the_list_of_processes(engine, tmp_path):
    secrets = [f"s3cr3t-{os.getpid()}-{number}" for number in range(4)]
    plain = [
        {"name": "URL", "value": f"https://u:{secrets[0]}@h"},
        {"name": "KEY", "value": f'"{secrets[1]}"\n'},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]
    container = {**sh("trap exit TERM; echo started; sleep 60 & wait"), "image": IMAGE, "env": plain}
    given = experiment(container, trials=1)
    place, folder = tmp_path / "experiment.json", tmp_path / "runs"
    place.write_text(json.dumps(given))
    command = [sys.executable, "-m", "kftune", "run", str(place), f"--dir={folder}", "--runtime=container"]
    environment = {**os.environ, "TOKEN": secrets[2]}
    with subprocess.Popen([*command, "--secret=TOKEN"], env=environment, stdout=subprocess.DEVNULL) as runner:
        wait_until(lambda: any(path.stat().st_size for path in folder.glob("logs/*.log")))
        seen = list(command_lines())
        runner.terminate()
    assert any("--env-file=/dev/fd/" in line for line in seen)
    assert [line for line in seen if any(secret in line for secret in secrets)] == []


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "CONTAINERS_CONF", "DOCKER_HOST", "BASH_ENV", "PATH", "GODEBUG", "tmpdir"]
)
def test_a_variable_of_a_container_does_not_reach_the_engine(name):
    assert split({name: "/tmp/evil.so"}).environment == {}
    with pytest.raises(ContainerError, match=f"itself reads a variable {name}"):
        split({name: "/tmp/'evil'.so"})


def test_a_preloaded_library_is_loaded_in_no_process_of_this_machine(engine, tmp_path):
    env = [{"name": "LD_PRELOAD", "value": str(tmp_path / "evil.so")}]
    trial = one_trial("echo loss=1", tmp_path / "runs", container={"env": env})
    (tmp_path / "evil.so").write_text("no library")
    assert log_of(tmp_path / "runs", trial).count("evil.so") >= 1, "the container's own loader names it"
    assert trial.state == "Succeeded"


def test_no_other_user_reaches_what_a_trial_of_root_leaves(engine, tmp_path):
    script = "cp /bin/sh $KFTUNE_OUTPUT_DIR/sh; chmod 4777 $KFTUNE_OUTPUT_DIR/sh; echo loss=1"
    trial = one_trial(script, tmp_path, container={"securityContext": {"runAsUser": 0}})
    assert trial.state == "Succeeded"
    assert (tmp_path / "trials" / trial.name / "sh").stat().st_mode & stat.S_ISUID
    assert stat.S_IMODE((tmp_path / "trials").stat().st_mode) == 0o700


@pytest.mark.parametrize("network", ["none", "default"])
def test_a_trial_has_a_network_only_if_the_user_asks(engine, tmp_path, network):
    script = "ls /sys/class/net | tr '\\n' ' '; echo loss=1"
    trial = one_trial(script, tmp_path, Options(network=network))
    seen = log_of(tmp_path, trial).split("loss")[0].split()
    assert (seen == ["lo"]) == (network == "none"), trial.message


def test_this_machine_s_proxies_stay_here(engine, tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://user:s3cr3t@proxy.example")
    trial = one_trial("env; echo loss=1", tmp_path)
    assert "s3cr3t" not in log_of(tmp_path, trial)


IMAGES = [
    "-v/:/host",
    "dir:/etc",
    "docker-archive:/x.tar",
    "oci:x",
    "oci-archive:/x",
    "containers-storage:x",
    "/x",
    "./x",
]


@pytest.mark.parametrize("image", [*IMAGES, "docker://registry.example/x", "docker-daemon:x:1"])
def test_an_image_is_no_option_and_no_file_of_this_machine(image):
    with pytest.raises(ContainerError, match="a container needs an image such as"):
        ContainerRun(image=image, name="n").check()


@pytest.mark.parametrize(
    "image", ["docker:24-dind", "localhost:5000/x", "registry.example/dir:1", "sha256:abc", "x/oci:1"]
)
def test_other_images_are_taken(image):
    ContainerRun(image=image, name="n").check()


def test_a_command_is_no_option_of_the_engine(engine, tmp_path):
    given = {"command": ["echo", "-v/:/host", "--privileged"], "args": ["--network=host", "loss=1"]}
    trial = one_trial("", tmp_path, container=given)
    assert log_of(tmp_path, trial) == "-v/:/host --privileged --network=host loss=1\n"
