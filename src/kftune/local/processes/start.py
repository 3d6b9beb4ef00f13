"""The start record: everything that starting one trial or step needs, whether as a process or in a container."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kftune.containers import Folder, Network, Scratch
from kftune.errors import RunError
from kftune.spec.quantities import parse_quantity
from kftune.study.step import Container

Runtime = Literal["process", "container"]
"""What trials and steps run in: processes of this machine, or each in its image."""

LABEL_OF_RUN = "io.kftune.run"
"""The label of all containers of one run; by it the next run finds those that a killed run left behind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """How one trial or step starts. Paths in `command` and `env` are those that it sees; see `ProcessRunner.path`.

    Attributes:
        name: Name of its container, which no other container here may have.
        command: Program and first arguments; in a container, empty leaves the image's own.
        args: Further arguments; in a container without `command`, those of the image's entrypoint.
        env: Its own variables. Nothing secret: a container's are in a command line that everyone here can read.
        secrets: Variables with a secret value.
        mark: A variable, and its value, by which its processes on this machine are found again.
        folder: Working folder on this machine.
        search: In a process: folders in which Python looks for modules first.
        shared_by: In a process: how many share the cores; None leaves OMP_NUM_THREADS as it is.
        log: File that gets everything it prints.
        timeout: The longest that it may run, in seconds; None for any time.
        grace: Seconds between the request to stop and the kill.
        gpus: Devices as CUDA_VISIBLE_DEVICES names them; None leaves that variable as it is.
        sweep: Whether a stop also kills what carries its mark, and removes the containers with its labels.
        own: Whether it is a process of kftune, which never runs in a container.
        image: In a container: its image; empty where none is given.
        pull: Whether a missing image is fetched; `image` is then a reference in a registry.
        working_dir: In a container: working folder; None leaves the image's.
        mounts: Files and folders of this machine that a container sees.
        scratch: Empty folders in memory that a container has.
        written: Folders of this machine, made for it, that a container writes to.
        as_owner: Whether a container runs as the user of `written`; otherwise all users may write there.
        user: User and group by number; None takes the image's.
        read_only: Whether a container's own file system is read-only.
        cpus: Cores of a container; None for all.
        memory: Bytes of a container; None for all.
        network: Network of a container.
        labels: Labels of its containers.
    """

    name: str = ""
    command: Sequence[str]
    args: Sequence[str] = ()
    env: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict)
    mark: tuple[str, str] = ("", "")
    folder: Path
    search: Sequence[Path] = ()
    shared_by: int | None = None
    log: Path = Path(os.devnull)
    timeout: float | None = None
    grace: float
    gpus: Sequence[str] | None = None
    sweep: bool = False
    own: bool = False
    image: str = ""
    pull: bool = False
    working_dir: str | None = None
    mounts: Sequence[Folder] = ()
    scratch: Sequence[Scratch] = ()
    written: Sequence[Path] = ()
    as_owner: bool = True
    user: tuple[int, int] | None = None
    read_only: bool = True
    cpus: float | None = None
    memory: int | None = None
    network: Network = "none"
    labels: Mapping[str, str] = field(default_factory=dict)


def step_start(step: Container, command: Sequence[str], folder: Path, parallel: int, **further: Any) -> Start:
    """The start record of a step, as far as its file gives it.

    Args:
        step: How its container is set up.
        command: Its command line.
        folder: Its working folder on this machine; Python finds modules there.
        parallel: How many share the cores.
        **further: Further fields of the record.

    Raises:
        RunError: A secret or config map is not in the environment.
    """
    resources = step.resources
    cpu, memory = resources.cpu_limit or resources.cpu, resources.memory_limit or resources.memory
    return Start(
        command=command,
        env=step.env,
        secrets=_secrets(step),
        folder=folder,
        search=(folder, Path.cwd()),
        shared_by=parallel,
        grace=step.grace_period,
        image=step.image or "",
        working_dir=step.working_dir,
        scratch=[
            Scratch(volume.mount, None if volume.size_limit is None else int(parse_quantity(volume.size_limit)))
            for volume in step.volumes
            if volume.empty_dir
        ],
        # An engine refuses more cores than there are.
        cpus=None if cpu is None else min(float(parse_quantity(cpu)), float(os.cpu_count() or 1)),
        memory=None if memory is None else int(parse_quantity(memory)),
        **further,
    )


def _secrets(step: Container) -> dict[str, str]:
    names = (*step.secrets, *step.config_maps)
    missing = sorted(name for name in names if name not in os.environ)
    if missing:
        raise RunError(
            f"secrets and config maps come from the environment here, but it has no {', '.join(missing)}; "
            f"for example: export {missing[0]}=..."
        )
    return {name: os.environ[name] for name in names}
