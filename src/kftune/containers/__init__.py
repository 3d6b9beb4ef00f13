"""Containers on this machine, through docker or podman: which one answers, its command lines, and how a run ended.

    engine = find_engine()
    argv = engine.run_argv(ContainerRun(image="localhost/train:1", name="trial-1", args=["lstm", "--epochs=3"]))

A caller starts that argv as any other process. Its output is the container's, a SIGTERM reaches the container's first
process, and `how_it_ended` reads its exit code. Killing it does not end the container: `ContainerEngine.remove` does.
"""

from __future__ import annotations

from kftune.containers.container import ContainerRun, Folder, Network, Scratch, open_to_containers
from kftune.containers.ending import Ending, how_it_ended
from kftune.containers.engine import ENGINE_VARIABLE, ContainerEngine, find_engine

__all__ = [
    "ENGINE_VARIABLE",
    "ContainerEngine",
    "ContainerRun",
    "Ending",
    "Folder",
    "Network",
    "Scratch",
    "find_engine",
    "how_it_ended",
    "open_to_containers",
]
