"""Runs containers on this machine through docker or podman.

    engine = find_engine()
    argv = engine.run_argv(ContainerRun(image="localhost/train:1", name="trial-1", args=["lstm", "--epochs=3"]))

A caller starts that argv like any other process. Its output is the container's, SIGTERM reaches the container's first
process, and `how_it_ended` explains its exit code. To end a container, killing that process is not enough: call
`ContainerEngine.remove`.
"""

from __future__ import annotations

from kftune.containers.container import ContainerRun, Folder, Network, Scratch, open_to_containers
from kftune.containers.ending import ContainerEnding, how_it_ended
from kftune.containers.engine import ENGINE_VARIABLE, ContainerEngine, find_engine

__all__ = [
    "ENGINE_VARIABLE",
    "ContainerEnding",
    "ContainerEngine",
    "ContainerRun",
    "Folder",
    "Network",
    "Scratch",
    "find_engine",
    "how_it_ended",
    "open_to_containers",
]
