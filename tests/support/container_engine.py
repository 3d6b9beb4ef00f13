"""The container engine and the image for tests; tests that need them are skipped if they are missing."""

from __future__ import annotations

import functools
import hashlib
import os
import select
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from local_study import wait_until

from kftune.containers import ContainerEngine, ContainerRun, find_engine
from kftune.containers.variables import split, unnamed_file
from kftune.errors import ContainerError
from kftune.local.processes.process import TrialProcess
from kftune.local.processes.spawning import spawn
from kftune.local.processes.start import LABEL_OF_RUN

# Any image with Python; tests never pull it.
IMAGE = os.environ.get("KFTUNE_TEST_IMAGE", "docker.io/library/python:3.11-slim-bookworm")


@functools.cache
def _found() -> ContainerEngine | str:
    try:
        engine = find_engine()
        if engine.image_id(IMAGE) is None:
            return f"{engine.kind} has no image {IMAGE} here"
        # An engine that cannot run a container counts as missing.
        engine.call("run", "--rm", "--pull=never", "--network=none", "--entrypoint=true", IMAGE)
        return engine
    except ContainerError as error:
        return str(error)


def needed_engine() -> ContainerEngine:
    """The engine of this machine, or a skipped test."""
    found = _found()
    if isinstance(found, str):
        pytest.skip(f"needs a container engine and an image: {found}")
    return found


@contextmanager
def api_socket(engine: ContainerEngine, folder: Path) -> Iterator[str]:
    """The address of an API of docker's: the daemon's, or podman's imitation, started for it in `folder`."""
    if engine.kind == "docker":
        yield os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        return
    socket = folder / "podman.sock"
    service = subprocess.Popen(
        [engine.program, "system", "service", "--time=0", f"unix://{socket}"], stderr=subprocess.DEVNULL
    )
    try:
        wait_until(socket.exists)
        yield f"unix://{socket}"
    finally:
        service.terminate()
        service.wait()


def containers_of(engine: ContainerEngine, folder: Path) -> list[str]:
    """Names of the containers of the run with its results in `folder`; other tests may run at the same time."""
    return engine.leftovers({LABEL_OF_RUN: hashlib.sha256(str(folder).encode()).hexdigest()[:32]})


def python(code: str, **rest: object) -> ContainerRun:
    """A container that runs some Python."""
    given = {"name": f"kftune-test-{uuid.uuid4().hex[:12]}", "command": ["python", "-uc", code], **rest}
    return ContainerRun(image=IMAGE, **given)  # type: ignore[arg-type]


def started(
    engine: ContainerEngine, container: ContainerRun, folder: Path, **rest: object
) -> tuple[TrialProcess, list[bytes]]:
    """A container started as kftune.local starts any command, and its output as it comes."""
    output: list[bytes] = []
    variables = split(container.env)
    container = replace(container, inherited=[*container.inherited, *variables.environment])
    with unnamed_file(variables.file) as (descriptor, path):
        argv = engine.run_argv(container, path)
        process = TrialProcess(
            argv,
            executable=argv[0],
            env={**os.environ, **variables.environment, "SECRET": "hush"},
            cwd=folder,
            log=folder / f"{container.name}.log",
            feed=output.append,
            clean_up=lambda: engine.remove(container.name),
            start=partial(spawn, keeps=(descriptor,)),
            **rest,  # type: ignore[arg-type]
        )
    return process, output


def ended(engine: ContainerEngine, container: ContainerRun, folder: Path, **rest: object) -> tuple[int, str]:
    """Exit code and output of a container."""
    process, output = started(engine, container, folder, **rest)
    run_to_end(process)
    assert process.returncode is not None
    return process.returncode, b"".join(output).decode()


def run_to_output(process: TrialProcess, output: list[bytes]) -> None:
    """Lets a process run until it prints something, or ends."""
    for _ in turns(process):
        if output:
            return


def run_to_end(process: TrialProcess) -> None:
    """Lets a process run to its end."""
    for _ in turns(process):
        pass


def turns(process: TrialProcess) -> Iterator[None]:
    """Runs a process to its end, one event at a time."""
    while process.returncode is None:
        due = process.next_time
        wanted = dict(process.waits_for)
        ready, _, _ = select.select(list(wanted), [], [], None if due is None else max(0.0, due - time.monotonic()))
        for descriptor in ready:
            if descriptor in dict(process.waits_for):
                wanted[descriptor]()
        if due is not None and time.monotonic() >= due:
            process.on_time(time.monotonic())
        yield
