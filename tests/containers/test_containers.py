"""The command line of a container run, which engine is taken, and what exit codes mean. No engine is needed."""

from __future__ import annotations

import csv
import stat
from pathlib import Path

import pytest

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

PODMAN = ContainerEngine("/usr/bin/podman", "podman")
DOCKER = ContainerEngine("/usr/bin/docker", "docker")
LEAST = ContainerRun(image="localhost/train:1", name="t1")

PODMAN_INFO = '{"host": {"security": {"rootless": true}}}'
DOCKER_INFO = '{"ServerVersion": "28.2.2", "SecurityOptions": ["name=seccomp,profile=builtin"]}'
# What docker 28.2.2 prints without a daemon, shortened; its exit code is 0.
DOCKER_WITHOUT_DAEMON = '{"ID":"","ServerVersion":"","SecurityOptions":null}'


def options(container: ContainerRun, engine: ContainerEngine = PODMAN) -> list[str]:
    argv = engine.run_argv(container)
    return argv[: argv.index(container.image)]


def program(folder: Path, name: str, body: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize("engine", [PODMAN, DOCKER])
def test_what_is_not_asked_for_is_not_allowed(engine):
    proxies = ["--http-proxy=false"] if engine is PODMAN else []
    assert engine.run_argv(LEAST) == [
        engine.program,
        "run",
        "--rm",
        "--name=t1",
        "--pull=never",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--network=none",
        *proxies,
        "--pids-limit=4096",
        "--read-only",
        "--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777",
        "localhost/train:1",
    ]


def test_command_and_args_replace_entrypoint_and_cmd_as_in_a_pod():
    def after_image(**given):
        container = ContainerRun(image="i", name="n", **given)
        argv = PODMAN.run_argv(container)
        return [word for word in argv if word.startswith("--entrypoint")], argv[argv.index("i") + 1 :]

    assert after_image() == ([], [])
    assert after_image(args=["lstm", "--lr=1"]) == ([], ["lstm", "--lr=1"])
    assert after_image(command=["python"]) == (["--entrypoint=python"], [])
    assert after_image(command=["sh", "-c", "a; b"], args=["$x y"]) == (["--entrypoint=sh"], ["-c", "a; b", "$x y"])


def test_limits_are_given_in_bytes_and_without_swap():
    limited = ContainerRun(image="i", name="n", cpus=0.5, memory=2 * 2**30, pids=64)
    assert {"--cpus=0.5", "--memory=2147483648b", "--memory-swap=2147483648b", "--pids-limit=64"} <= {*options(limited)}


def test_shared_memory_and_capabilities_are_given_when_asked_for():
    argv = PODMAN.run_argv(ContainerRun(image="localhost/a", name="a", shared_memory=2**20, capabilities=["IPC_LOCK"]))
    assert {"--shm-size=1048576b", "--cap-drop=ALL", "--cap-add=IPC_LOCK"} <= {*argv}


def test_no_value_of_a_variable_is_in_a_command_line():
    container = ContainerRun(image="i", name="n", env={"MODE": "a=b c"}, inherited=["TOKEN"])
    argv = PODMAN.run_argv(container, "/dev/fd/7")
    assert [word for word in argv if word.startswith("--env")] == ["--env-file=/dev/fd/7", "--env=TOKEN"]
    with pytest.raises(ContainerError, match="given in a file, never on the command line"):
        PODMAN.run_argv(container)


def test_a_mount_is_one_line_of_csv_whatever_its_path(tmp_path):
    odd = tmp_path / 'a, "b": c'
    odd.mkdir()
    container = ContainerRun(
        image="i", name="n", folders=[Folder(odd, "/in", read_only=True), Folder(tmp_path, "/out")]
    )
    mounts = [word.removeprefix("--mount=") for word in options(container) if word.startswith("--mount=")]
    assert list(csv.reader(mounts)) == [
        ["type=bind", f"source={odd}", "target=/in", "readonly"],
        ["type=bind", f"source={tmp_path}", "target=/out"],
    ]


def test_tmp_is_scratch_unless_something_else_is_mounted_there(tmp_path):
    def scratch(**given):
        return [word for word in options(ContainerRun(image="i", name="n", **given)) if word.startswith("--tmpfs")]

    assert scratch(scratch=[Scratch("/cache", size=1000)]) == [
        "--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777",
        "--tmpfs=/cache:rw,exec,nosuid,nodev,mode=1777,size=1000",
    ]
    assert scratch(scratch=[Scratch("/tmp/", size=5)]) == ["--tmpfs=/tmp/:rw,exec,nosuid,nodev,mode=1777,size=5"]
    assert scratch(folders=[Folder(tmp_path, "/tmp")]) == []


def test_network_pull_and_a_writable_root_are_there_when_asked_for():
    asked = options(ContainerRun(image="i", name="n", network="default", pull=True, read_only=False))
    assert "--pull=missing" in asked
    assert "--read-only" not in asked
    assert not any(word.startswith("--network") for word in asked)
    assert "--network=host" in options(ContainerRun(image="i", name="n", network="host"))


def test_each_engine_has_its_own_words_for_gpus():
    two, every = ContainerRun(image="i", name="n", gpus=["0", "1"]), ContainerRun(image="i", name="n", gpus=["all"])
    assert '--gpus="device=0,1"' in options(two, DOCKER)
    assert "--gpus=all" in options(every, DOCKER)
    assert {"--device=nvidia.com/gpu=0", "--device=nvidia.com/gpu=1"} <= {*options(two)}
    assert "--device=nvidia.com/gpu=all" in options(every)


def test_a_rootless_podman_keeps_our_own_number(monkeypatch):
    rootless = ContainerEngine("/usr/bin/podman", "podman", rootless=True)
    monkeypatch.setattr("os.getuid", lambda: 1000)
    ours, other = (ContainerRun(image="i", name="n", user=(user, 1000)) for user in (1000, 10001))
    assert {"--user=1000:1000", "--userns=keep-id"} <= {*options(ours, rootless)}
    assert "--userns=keep-id" not in options(other, rootless)
    assert "--userns=keep-id" not in options(ours, DOCKER)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"image": "-v=/:/x"}, "a container needs an image such as localhost/train:1, but got '-v=/:/x'"),
        ({"name": "a b"}, "a container's name is letters, digits, '_', '.' and '-', but got 'a b'"),
        ({"env": {"A=B": "c"}}, "a variable's name is .*, but got 'A=B'"),
        ({"inherited": ["A*"]}, r"a variable's name is .*, but got 'A\*'"),
        ({"folders": [Folder(Path("/no/such"), "/in")]}, "what is mounted at /in must be there, but /no/such is not"),
        ({"scratch": [Scratch("cache")]}, "must be an absolute path below / .* but got 'cache'"),
        ({"scratch": [Scratch("/a:exec")]}, "without ':', ',' or line breaks, and without '..', but got '/a:exec'"),
        ({"scratch": [Scratch("/a"), Scratch("/a/")]}, "one thing can be mounted at a path, but /a is given twice"),
    ],
)
def test_what_an_engine_would_misread_is_refused(given, words):
    with pytest.raises(ContainerError, match=words):
        PODMAN.run_argv(ContainerRun(**{"image": "i", "name": "n", **given}))


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (0, "done", "done"),
        (125, "engine", "could not run it"),
        (126, "not executable", "lstm cannot be executed"),
        (127, "not found", "lstm is not in i"),
        (137, "killed", "more than its 2 GiB"),
        (-9, "killed", "more than its 2 GiB"),
        (143, "stopped", "signal 15"),
        (-15, "stopped", "signal 15"),
        (139, "failed", r"exit code 139 \(SIGSEGV\)"),
        (3, "failed", "exit code 3$"),
    ],
)
def test_exit_codes_are_told_apart(code, kind, words):
    ending = how_it_ended(code, ContainerRun(image="i", name="n", command=["lstm"], memory=2 * 2**30))
    assert ending.kind == kind
    with pytest.raises(ValueError, match=words):
        raise ValueError(ending.text)


def test_without_a_limit_a_kill_is_not_blamed_on_it():
    assert "its" not in how_it_ended(137, LEAST).text.split()


def test_docker_is_taken_before_podman(tmp_path, monkeypatch):
    program(tmp_path, "docker", f"echo '{DOCKER_INFO}'")
    program(tmp_path, "podman", f"echo '{PODMAN_INFO}'")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_engine({}) == ContainerEngine(str(tmp_path / "docker"), "docker", rootless=False)


def test_a_docker_client_without_a_daemon_is_passed_over(tmp_path, monkeypatch):
    program(tmp_path, "docker", f"echo '{DOCKER_WITHOUT_DAEMON}'; echo 'Cannot connect' >&2")
    program(tmp_path, "podman", f"echo '{PODMAN_INFO}'")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_engine({}) == ContainerEngine(str(tmp_path / "podman"), "podman", rootless=True)


def test_podman_under_docker_s_name_is_podman(tmp_path, monkeypatch):
    program(tmp_path, "docker", f"echo '{PODMAN_INFO}'")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_engine({}).kind == "podman"


def test_the_environment_names_the_engine(tmp_path, monkeypatch):
    program(tmp_path / "bin", "docker", f"echo '{DOCKER_INFO}'")
    program(tmp_path, "mine", f"echo '{PODMAN_INFO}'")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find_engine({"KFTUNE_CONTAINER_ENGINE": str(tmp_path / "mine")}).program == str(tmp_path / "mine")
    with pytest.raises(ContainerError, match="KFTUNE_CONTAINER_ENGINE names it\n  podmn: it is not installed"):
        find_engine({"KFTUNE_CONTAINER_ENGINE": "podmn"})


def test_when_none_answers_each_reason_is_told(tmp_path, monkeypatch):
    program(tmp_path, "docker", f"echo '{DOCKER_WITHOUT_DAEMON}'; echo 'ERROR: Cannot connect to the daemon' >&2")
    program(tmp_path, "podman", "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ContainerError) as caught:
        find_engine({})
    assert str(caught.value).splitlines() == [
        "a container runs through docker or podman, but none answers; install or start one, or name one in "
        "KFTUNE_CONTAINER_ENGINE",
        "  docker: Cannot connect to the daemon",
        "  podman: `podman info` does not say what it is",
    ]


def test_a_folder_that_a_container_writes_to_is_its_user_s(tmp_path, monkeypatch):
    user, group = open_to_containers(tmp_path)
    assert user != 0
    assert (tmp_path.stat().st_uid, tmp_path.stat().st_gid) == (user, group)
    monkeypatch.setattr("os.getuid", lambda: 1234)
    monkeypatch.setattr("os.getgid", lambda: 100)
    assert open_to_containers(tmp_path) == (1234, 100)


def test_docker_is_asked_again_for_a_container_that_is_still_being_made(tmp_path):
    told = tmp_path / "calls"
    program(tmp_path, "docker", f'echo "$*" >> {told}; echo "Error: No such container: trial-1" >&2')
    ContainerEngine(str(tmp_path / "docker"), "docker").remove("trial-1")
    assert told.read_text().splitlines() == ["rm --force --volumes trial-1"] * 2
