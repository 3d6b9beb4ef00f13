"""The start record: everything that starting one trial or step needs, whether as a process or in a container."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kftune.containers import ContainerRun, Scratch
from kftune.errors import RunError
from kftune.spec.container import ContainerSettings
from kftune.spec.quantities import UNLIMITED, parse_quantity

Runtime = Literal["process", "container"]
"""What trials and steps are: processes of this machine, or containers of their image."""

LABEL_OF_RUN = "io.kftune.run"
"""The label of all containers of one run; with it, the next run finds what a killed run left behind."""


@dataclass(frozen=True, kw_only=True)
class Start(ContainerRun):
    """How one trial or step starts: the container that it is, and what it takes to run the same as a process.

    Paths in `command`, `args` and `env` are as the program sees them; see `ProcessRunner.path`. A record without a
    name and an image is complete enough for a process.

    Attributes:
        secrets: Variables with a secret value.
        mark: A variable, and its value, by which its processes on this machine are found again.
        cwd: Working folder on this machine.
        search: In a process: folders in which Python looks for modules first.
        shared_by: In a process: how many share the cores; None leaves OMP_NUM_THREADS as it is.
        log: File that gets everything it prints.
        timeout: The longest that it may run, in seconds; None for any time.
        grace: Seconds between the request to stop and the kill.
        gpus: As in a container; in a process, None leaves CUDA_VISIBLE_DEVICES as it is.
        sweep: Whether a stop also kills what carries its mark, and removes the containers with its labels.
        own: Whether it is a process of kftune, which never runs in a container.
        written: Folders of this machine, made for it, that a container writes to.
        as_owner: Whether a container runs as the user that owns `written`; if not, every user may write there.
    """

    image: str = ""
    name: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict)
    mark: tuple[str, str] = ("", "")
    cwd: Path
    search: Sequence[Path] = ()
    shared_by: int | None = None
    log: Path = Path(os.devnull)
    timeout: float | None = None
    grace: float
    sweep: bool = False
    own: bool = False
    written: Sequence[Path] = ()
    as_owner: bool = True

    def with_changes(self, **changes: Any) -> Start:
        """Returns a copy with other fields, ten times as fast as `dataclasses.replace`: every trial needs one."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__, **changes)
        return made


def step_start(step: ContainerSettings, command: Sequence[str], cwd: Path, parallel: int, **further: Any) -> Start:
    """Returns the start record of a step, with what its file says.

    Args:
        step: How its container is set up.
        command: Its command line.
        cwd: Its working folder on this machine; Python finds modules there.
        parallel: How many share the cores.
        **further: Further fields of the record.

    Raises:
        RunError: A secret or config map is not in the environment.
    """
    resources = step.resources
    cpu, memory = (
        None if limit == UNLIMITED else limit
        for limit in (resources.cpu_limit or resources.cpu, resources.memory_limit or resources.memory)
    )
    return Start(
        command=command,
        env=step.env,
        secrets=_secrets(step),
        cwd=cwd,
        search=(cwd, Path.cwd()),
        shared_by=parallel,
        grace=step.grace_period,
        image=step.image or "",
        working_dir=step.working_dir,
        scratch=[*_scratch(step)],
        shared_memory=None if step.shared_memory is None else int(parse_quantity(step.shared_memory)),
        capabilities=step.security.capabilities.add,
        # An engine refuses more cores than there are.
        cpus=None if cpu is None else min(float(parse_quantity(cpu)), float(os.cpu_count() or 1)),
        memory=None if memory is None else int(parse_quantity(memory)),
        **further,
    )


def _scratch(step: ContainerSettings) -> Iterator[Scratch]:
    """Yields the volumes that are empty when the container starts, and end with it."""
    for volume in step.volumes:
        size = volume.ephemeral.size if volume.ephemeral is not None else volume.size_limit
        if volume.empty_dir or volume.ephemeral is not None:
            yield Scratch(volume.mount, None if size is None else int(parse_quantity(size)))


def _secrets(step: ContainerSettings) -> dict[str, str]:
    names = (*step.secrets, *step.config_maps)
    missing = sorted(name for name in names if name not in os.environ)
    if missing:
        raise RunError(
            f"secrets and config maps come from the environment here, but it has no {', '.join(missing)}; "
            f"for example: export {missing[0]}=..."
        )
    return {name: os.environ[name] for name in names}
