"""Images that are really built, pushed and run."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from container_engine import IMAGE, ended, needed_engine, started, turns
from places import ROOT

from kftune import __version__
from kftune.containers import ContainerEngine, ContainerRun, Folder, open_to_containers
from kftune.errors import ContainerError
from kftune.images import lock_of
from kftune.images.build import build_images, lock_images, python_packages

pytestmark = pytest.mark.container

DOCKERFILE = """\
ARG BASE_IMAGE=THE_BASE
FROM ${BASE_IMAGE}
ARG BASE_IMAGE
ARG REVISION=unknown
ENV THE_NAME=here
LABEL org.opencontainers.image.base.name="${BASE_IMAGE}" org.opencontainers.image.revision="${REVISION}"
"""


@pytest.fixture
def engine() -> ContainerEngine:
    return needed_engine()


@pytest.fixture
def project(engine: ContainerEngine, tmp_path: Path) -> Iterator[Path]:
    """Two images, of which the one that comes first by name is built on the other."""
    root = tmp_path / "project"
    for name, base in (("kftune-test-a", "images/kftune-test-z"), ("kftune-test-z", IMAGE)):
        folder = root / "images" / name
        folder.mkdir(parents=True)
        text = DOCKERFILE.replace("THE_BASE", base).replace("THE_NAME", name[-1].upper())
        (folder / "Dockerfile").write_text(text)
    yield root
    # Nothing but what was made here: an image may have names of others too.
    listed = engine.call("images", "--format={{.Repository}}:{{.Tag}}").split()
    for name in (each for each in listed if "/kftune-test-" in each):
        engine.call("rmi", name)


def test_images_are_built_on_one_another_and_locked(engine, project, tmp_path):
    lock = build_images(engine, project, tag="t1", flags=["--label=more=1"])
    below, above = lock.image("kftune-test-z"), lock.image("kftune-test-a")
    assert (below.local, below.base, below.revision) == ("localhost/kftune-test-z:t1", IMAGE, "unknown")
    assert above.base == below.local
    assert above.id == engine.image_id("localhost/kftune-test-a:t1") != below.id
    assert engine.call("image", "inspect", "--format={{.Config.Labels.more}}", above.local).strip() == "1"
    shown = ContainerRun(image=above.local, name="kftune-test-built", command=["sh", "-c", "echo $A $Z"])
    assert ended(engine, shown, tmp_path) == (0, "here here\n")
    assert lock_of(project) == lock
    lock.path.unlink()
    assert lock_images(engine, project, tag="t1") == lock
    assert any(package.startswith("pip==") for package in python_packages(engine, above.local))
    with pytest.raises(
        ContainerError, match="localhost/kftune-test-z:t2 does not exist; build it: kftune images build"
    ):
        lock_images(engine, project, tag="t2")


def test_an_image_that_is_opt_in_is_built_only_by_name(engine, project):
    dockerfile = project / "images" / "kftune-test-a" / "Dockerfile"
    dockerfile.write_text(f"# opt-in: it is large\n{dockerfile.read_text()}")
    told: list[str] = []
    assert list(build_images(engine, project, tag="t1", tell=told.append).images) == ["kftune-test-z"]
    left_out = "left out kftune-test-a: it is large; name it to build it: kftune images build kftune-test-a"
    assert told == [left_out, "building localhost/kftune-test-z:t1"]
    assert list(lock_images(engine, project, tag="t1").images) == ["kftune-test-z"]
    lock = build_images(engine, project, ["kftune-test-a"], tag="t1")
    assert sorted(lock.images) == ["kftune-test-a", "kftune-test-z"]


def test_a_build_that_fails_leaves_the_lock_as_it_is(engine, project, capfd):
    before = build_images(engine, project, tag="t1")
    with (project / "images" / "kftune-test-a" / "Dockerfile").open("a") as file:
        file.write("RUN exit 7\n")
    with pytest.raises(ContainerError, match=r"build failed with exit code .*; the lines above say why"):
        build_images(engine, project, tag="t2")
    assert "exit 7" in capfd.readouterr().err
    assert lock_of(project) == before


def test_an_image_that_does_not_say_what_it_is_built_from_is_refused(engine, project):
    (project / "images" / "kftune-test-z" / "Dockerfile").write_text(f"ARG BASE_IMAGE={IMAGE}\nFROM ${{BASE_IMAGE}}\n")
    with pytest.raises(ContainerError, match=r"needs the label org\.opencontainers\.image\.revision"):
        build_images(engine, project, ["kftune-test-z"], tag="t1")


def test_an_image_installs_the_kftune_that_builds_it_whatever_else_the_project_ignores(engine, project, tmp_path):
    folder = project / "images" / "kftune-test-z"
    installs = "COPY images/kftune/*.whl /opt/kftune/\nRUN pip install --no-deps --no-index /opt/kftune/*.whl\n"
    with (folder / "Dockerfile").open("a") as file:
        file.write(installs)
    (folder / "Dockerfile.dockerignore").write_text("*\n!images/kftune\n")
    (project / ".dockerignore").write_text("*\n")
    lock = build_images(engine, project, ["kftune-test-z"], tag="t1")
    image = lock.image("kftune-test-z")
    shown = ContainerRun(image=image.local, name="kftune-test-own", command=["kftune", "--version"])
    assert ended(engine, shown, tmp_path) == (0, f"kftune {__version__}\n")
    # Written again, with other times: the engine still takes the layers that it has.
    shutil.rmtree(project / "images" / "kftune")
    assert build_images(engine, project, ["kftune-test-z"], tag="t1").image("kftune-test-z").id == image.id


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real registry on this machine."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("needs the program docker-registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    settings = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": address},
    }
    (tmp_path / "registry.yml").write_text(json.dumps(settings))
    trusted = tmp_path / "registries.conf"
    trusted.write_text(f'[[registry]]\nlocation = "{address}"\ninsecure = true\n')
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(trusted))
    quiet = subprocess.DEVNULL
    service = subprocess.Popen([program, "serve", tmp_path / "registry.yml"], stdout=quiet, stderr=quiet)
    host, port = address.split(":")
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with socket.socket() as tried:
            if tried.connect_ex((host, int(port))) == 0:
                break
        time.sleep(0.05)
    yield address
    service.terminate()
    service.wait()


def test_a_pushed_image_is_known_by_the_digest_that_the_registry_has(engine, project, registry):
    name = "kftune-test-z"
    lock = build_images(engine, project, [name], tag="t1", registry=f"{registry}/team")
    pushed = lock.pinned(name)
    assert pushed.startswith(f"{registry}/team/{name}@sha256:")
    engine.call("rmi", f"{registry}/team/{name}:t1", f"localhost/{name}:t1")
    engine.call("pull", "--quiet", pushed)
    assert engine.image_id(pushed) == lock.image(name).id
    engine.call("tag", pushed, f"localhost/{name}:t1")
    engine.call("rmi", pushed)
    assert lock_images(engine, project, [name], tag="t1").pinned(name) == pushed
    with (project / "images" / name / "Dockerfile").open("a") as file:
        file.write("ENV CHANGED=1\n")
    assert build_images(engine, project, [name], tag="t1").image(name).pushed is None


# -- the images of this repository, where they were built --------------------------------------------------------------


def built(engine: ContainerEngine, name: str) -> str:
    image = lock_of(ROOT).images.get(name)
    if image is None or engine.image_id(image.local) != image.id:
        pytest.skip(f"images/{name} is not built here; make build-images builds it")
    return image.local


def trained(output: Path, *arguments: str) -> list[str]:
    environment = {**os.environ, "KFTUNE_OUTPUT_DIR": str(output), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "kftune.training", "lstm", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


def without_times(lines: list[str]) -> list[str]:
    return [re.sub(r"[0-9.]+ s$", "… s", line) for line in lines]


@pytest.mark.slow
def test_training_in_a_locked_up_container_gives_what_it_gives_in_a_process(engine, tmp_path):
    arguments = ["--epochs=3", "--seed=5", "--lstm_units=16"]
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    container = ContainerRun(
        image=built(engine, "train"),
        name="kftune-test-train",
        args=["lstm", *arguments],
        env={"KFTUNE_OUTPUT_DIR": "/out", "OMP_NUM_THREADS": "1"},
        folders=[Folder(inside, "/out")],
        user=open_to_containers(inside),
        memory=2 * 2**30,
        cpus=1,
    )
    code, printed = ended(engine, container, tmp_path)
    assert code == 0, printed
    assert without_times(printed.splitlines()) == without_times(trained(outside, *arguments))
    assert printed.count("val_loss=") == 3
    mine, theirs = (json.loads((folder / "summary.json").read_text()) for folder in (inside, outside))
    assert mine["best"] == theirs["best"]
    assert (inside / "model.pt").stat().st_size > 1000


@pytest.mark.slow
def test_the_training_image_stops_at_once_when_it_is_asked_to(engine, tmp_path):
    container = ContainerRun(image=built(engine, "train"), name="kftune-test-stop", args=["lstm", "--epochs=100000"])
    process, output = started(engine, container, tmp_path)
    next(None for _ in turns(process) if any(b"val_loss=" in chunk for chunk in output))
    engine.stop(container.name, 60)
    list(turns(process))
    assert process.returncode == 143


def test_the_launcher_image_has_the_command_line_and_the_client_but_no_torch(engine, tmp_path):
    image = built(engine, "launcher")
    code, printed = ended(engine, ContainerRun(image=image, name="kftune-test-cli", args=["--version"]), tmp_path)
    assert (code, printed.split()[0]) == (0, "kftune")
    asks = "import os, kubernetes; from importlib.util import find_spec; print(find_spec('torch'), os.getuid())"
    container = ContainerRun(image=image, name="kftune-test-ask", command=["python", "-c", asks])
    assert ended(engine, container, tmp_path) == (0, "None 10001\n")


def test_the_image_of_the_early_stopping_service_answers_and_ends_when_it_is_asked_to(engine, tmp_path):
    image = built(engine, "earlystopping")
    asks = (
        "import os, grpc, google.protobuf; from importlib.util import find_spec; "
        "print(find_spec('torch'), find_spec('kubernetes'), os.getuid())"
    )
    container = ContainerRun(image=image, name="kftune-test-ask", command=["python", "-c", asks])
    assert ended(engine, container, tmp_path) == (0, "None None 10001\n")
    container = ContainerRun(image=image, name="kftune-test-serve")
    process, output = started(engine, container, tmp_path)
    next(None for _ in turns(process) if any(b"listens at port 6788" in chunk for chunk in output))
    engine.stop(container.name, 30)
    list(turns(process))
    assert process.returncode == 0
