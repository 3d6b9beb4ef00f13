"""Containers that really run: what they may do, how they stop, and that none stays behind."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from container_engine import IMAGE, api_socket, ended, needed_engine, python, run_to_end, run_to_output, started, turns

from kftune.containers import (
    ContainerEngine,
    ContainerRun,
    Folder,
    Scratch,
    find_engine,
    how_it_ended,
    open_to_containers,
)
from kftune.errors import ContainerError

pytestmark = pytest.mark.container

HANDLES_TERM = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(143)); print('up'); time.sleep(60)"
IGNORES_TERM = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(60)"


@pytest.fixture
def engine() -> ContainerEngine:
    return needed_engine()


def names(engine: ContainerEngine) -> list[str]:
    return engine.call("ps", "--all", "--format={{.Names}}").split()


def test_output_streams_and_the_exit_code_is_the_program_s(engine, tmp_path):
    container = python("import time; print('loss=1'); time.sleep(1); print('loss=2'); raise SystemExit(3)")
    process, output = started(engine, container, tmp_path)
    # docker may hand on a line and its end one after the other.
    first = next(time.monotonic() for _ in turns(process) if b"\n" in b"".join(output))
    assert b"".join(output) == b"loss=1\n"
    run_to_end(process)
    assert time.monotonic() - first > 0.5
    assert process.returncode == 3
    assert (tmp_path / f"{container.name}.log").read_text() == "loss=1\nloss=2\n"
    assert container.name not in names(engine)


def test_by_default_nothing_is_allowed(engine, tmp_path):
    code = """if True:
        import pathlib, socket
        status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
        print({status[key] for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}, status["NoNewPrivs"])
        print(sorted(path.name for path in pathlib.Path("/sys/class/net").iterdir()))
        pathlib.Path("/tmp/mine").write_text("x")
        try:
            pathlib.Path("/mine").write_text("x")
        except OSError as error:
            print(error.strerror)
    """
    assert ended(engine, python(code), tmp_path) == (
        0,
        "{'0000000000000000'} 1\n['lo']\nRead-only file system\n",
    )


def test_env_secrets_folders_scratch_and_working_dir_arrive(engine, tmp_path):
    readable, written = tmp_path / "a, b", tmp_path / "out"
    readable.mkdir()
    written.mkdir()
    (readable / "given").write_text("given")
    code = """if True:
        import os, pathlib
        print(os.environ["MODE"], os.environ["SECRET"], os.getcwd(), os.getuid())
        pathlib.Path("/out/made").write_text(pathlib.Path("/in/given").read_text())
        pathlib.Path("/scratch/made").write_text("x")
        try:
            pathlib.Path("/in/made").write_text("x")
        except OSError as error:
            print(error.strerror)
    """
    user = open_to_containers(written)
    container = python(
        code,
        env={"MODE": "a=b 'c'\n$d"},
        inherited=["SECRET"],
        working_dir="/usr/local",
        folders=[Folder(readable, "/in", read_only=True), Folder(written, "/out")],
        scratch=[Scratch("/scratch", size=2**20)],
        user=user,
    )
    assert ended(engine, container, tmp_path) == (
        0,
        f"a=b 'c'\n$d hush /usr/local {user[0]}\nRead-only file system\n",
    )
    assert (written / "made").read_text() == "given"


def test_shared_memory_has_its_size_and_a_capability_is_kept(engine, tmp_path):
    code = (
        "import os; s = os.statvfs('/dev/shm'); print(s.f_bsize * s.f_blocks); print(open('/proc/self/status').read())"
    )
    container = python(code, shared_memory=3 * 2**20, capabilities=["IPC_LOCK"])
    exit_code, printed = ended(engine, container, tmp_path)
    assert (exit_code, printed.splitlines()[0]) == (0, str(3 * 2**20))
    assert "CapBnd:\t0000000000004000" in printed


def test_limits_hold_and_too_much_memory_is_told(engine, tmp_path):
    container = python("print('up'); x = bytearray(200_000_000); print('never')", memory=50_000_000, cpus=0.5, pids=32)
    code, output = ended(engine, container, tmp_path)
    assert (code, output) == (137, "up\n")
    assert how_it_ended(code, container).kind == "killed"


@pytest.mark.parametrize(
    ("command", "code", "kind"),
    [(["no-such-program"], 127, "not found"), (["/etc"], 126, "not executable")],
)
def test_a_command_that_cannot_run_is_told_apart(engine, tmp_path, command, code, kind):
    container = python("", command=command)
    found, _ = ended(engine, container, tmp_path)
    assert (found, how_it_ended(found, container).kind) == (code, kind)


def test_an_image_that_is_not_here_is_the_engine_s_error_at_once(engine, tmp_path):
    container = ContainerRun(image="localhost/no-such-image:1", name="kftune-test-none")
    code, output = ended(engine, container, tmp_path)
    assert how_it_ended(code, container).kind == "engine"
    assert "no-such-image" in output
    assert engine.image_id(container.image) is None
    assert (engine.image_id(IMAGE) or "").startswith("sha256:")


def test_sigterm_reaches_the_program(engine, tmp_path):
    process, output = started(engine, python(HANDLES_TERM), tmp_path, timeout=None, grace=30)
    run_to_output(process, output)
    process.stop()
    run_to_end(process)
    assert process.returncode == 143


def test_after_its_grace_a_container_is_killed_and_gone(engine, tmp_path):
    container = python(IGNORES_TERM)
    code, _ = ended(engine, container, tmp_path, timeout=1.5, grace=0.3)
    assert code == -signal.SIGKILL
    assert container.name not in names(engine)


@pytest.mark.parametrize("after", [0.0, 0.02, 0.05, 0.1, 0.2])
def test_a_stop_while_the_engine_still_starts_leaves_nothing(engine, tmp_path, after):
    container = python(HANDLES_TERM)
    process, _ = started(engine, container, tmp_path, grace=1)
    time.sleep(after)
    process.stop()
    run_to_end(process)
    assert container.name not in names(engine)


@pytest.mark.parametrize(
    ("code", "end", "returncode"),
    [
        (HANDLES_TERM, lambda engine, name: engine.stop(name, 10), 143),
        (IGNORES_TERM, lambda engine, name: engine.kill(name), 137),
    ],
)
def test_stop_kill_and_remove_work_by_name(engine, tmp_path, code, end, returncode):
    container = python(code)
    process, output = started(engine, container, tmp_path)
    run_to_output(process, output)
    end(engine, container.name)
    run_to_end(process)
    assert process.returncode == returncode
    engine.remove(container.name)
    with pytest.raises(ContainerError, match=f"failed: .*{container.name}"):
        engine.kill(container.name)


def test_what_a_killed_kftune_left_is_found_by_its_labels(engine, tmp_path):
    container = python(IGNORES_TERM, labels={"kftune.test": str(tmp_path), "kftune.trial": "t1"})
    starts = f"""if True:
        import subprocess
        process = subprocess.Popen({engine.run_argv(container)!r}, stdout=subprocess.PIPE, start_new_session=True)
        print(process.stdout.readline().decode(), end="", flush=True)
        process.wait()
    """
    parent = subprocess.Popen([sys.executable, "-c", starts], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "up\n"
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert engine.leftovers({"kftune.test": str(tmp_path), "kftune.trial": "t2"}) == []
    left = engine.leftovers({"kftune.test": str(tmp_path)})
    assert left == [container.name]
    engine.remove(*left)
    assert engine.leftovers({"kftune.test": str(tmp_path)}) == []


@pytest.fixture
def docker_client(
    tmp_path: Path, engine: ContainerEngine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ContainerEngine]:
    """The real docker client, talking to podman's imitation of its daemon, which takes the same requests."""
    client = shutil.which("docker")
    if engine.kind != "podman" or client is None:
        pytest.skip("needs podman, and docker's client beside it")
    with api_socket(engine, tmp_path) as socket:
        monkeypatch.setenv("DOCKER_HOST", socket)
        yield ContainerEngine(client, "docker")


def test_docker_s_client_takes_the_same_options(docker_client, tmp_path):
    written = tmp_path / "out 1"  # podman's imitation, not docker, refuses a comma here
    written.mkdir()
    user = open_to_containers(written)
    container = python(
        "import os, pathlib; pathlib.Path('/out/made').write_text(os.environ['SECRET']); print(os.getuid())",
        folders=[Folder(written, "/out")],
        scratch=[Scratch("/scratch", size=2**20)],
        inherited=["SECRET"],
        user=user,
        memory=2**28,
        cpus=1,
    )
    _, output = ended(docker_client, container, tmp_path)
    assert output == f"{user[0]}\n"
    assert (written / "made").read_text() == "hush"
    assert docker_client.image_id("localhost/no-such-image:1") is None
    assert docker_client.image_id(IMAGE) == needed_engine().image_id(IMAGE)


def test_docker_s_client_stops_and_finds_containers_in_the_same_words(docker_client, tmp_path):
    process, output = started(docker_client, python(HANDLES_TERM, labels={"kftune.test": str(tmp_path)}), tmp_path)
    run_to_output(process, output)
    left = docker_client.leftovers({"kftune.test": str(tmp_path)})
    assert len(left) == 1
    docker_client.stop(left[0], 30)
    run_to_end(process)
    docker_client.remove(*left)
    assert docker_client.leftovers({"kftune.test": str(tmp_path)}) == []


def test_podman_s_imitation_of_docker_is_not_taken_since_it_loses_exit_codes(docker_client, tmp_path):
    code, _ = ended(docker_client, python("raise SystemExit(3)"), tmp_path)
    assert code == 0  # once this is 3, `_is_podman_s` has had its day
    assert find_engine({}).kind == "podman"
    with pytest.raises(ContainerError, match="podman's imitation of docker, which loses exit codes"):
        find_engine({"KFTUNE_CONTAINER_ENGINE": "docker"})
