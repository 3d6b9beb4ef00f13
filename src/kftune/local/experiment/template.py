"""What an Experiment's trials are made from, and how they run here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from kftune.containers import Network
from kftune.local.processes.start import Runtime


class Options(NamedTuple):
    """How the trials of an Experiment run on this machine."""

    runtime: Runtime = "process"
    """Whether trials are processes, or containers of their image."""
    env: Mapping[str, str] = {}
    """Variables for every trial; they replace those of the template."""
    secrets: Mapping[str, str] = {}
    """Variables of this process for every trial, as `env`; no others are read for the template."""
    network: Network = "none"
    """What trials in containers see of the network."""
    mounts: Mapping[str, Path] = {}
    """Volume, or absolute path in the container -> the file or folder to use here."""
    working_dir: Path | None = None
    """Working folder; None takes the container's if it exists here, or the folder of the Experiment's file."""
    strict_wrapper: bool = False
    """Whether the command goes through the same shell line as on a cluster."""
    gpus: Sequence[str] | None = None
    """The devices to share; None finds them, and an empty sequence runs trials that ask for some without."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """What an Experiment says about its trials.

    Attributes:
        run_object: Makes a trial's object from its name and assignment; raises ValueError where Katib cannot.
        primary: The template's primaryContainerName.
        labels: The template's primaryPodLabels.
        started: Gives the command and args to start for those of the object: as they were written for Katib's shell
            line, or exactly as its webhook changes them.
        metrics_folder: The folder in the container that the collector shares with the trial; empty for none.
        namespace: The Experiment's namespace.
        config_maps: The known ConfigMaps of the namespace: name -> data.
        folder: The folder of the Experiment's file.
        push_address: Where metrics are pushed to; empty if they are not pushed.
        checkpoints: The folder in the container that a trial passes on to others; empty for none.
    """

    run_object: Callable[[str, Mapping[str, str]], Mapping[str, Any]]
    primary: str
    labels: Mapping[str, str]
    started: Callable[[Sequence[str], Sequence[str]], tuple[Sequence[str], Sequence[str]]]
    metrics_folder: str
    namespace: str
    config_maps: Mapping[str, Mapping[str, str]]
    folder: Path
    push_address: str
    checkpoints: str
