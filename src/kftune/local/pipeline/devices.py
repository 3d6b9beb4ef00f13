"""Shares the GPUs of this machine among the steps of a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kftune.errors import RunError
from kftune.local.pipeline.graph import Task
from kftune.local.processes.devices import DevicePool, find_gpus
from kftune.pipeline import Node
from kftune.pipeline.steps import TuneStep


class StepDevices(DevicePool):
    """The GPUs of this machine, shared among steps; a tune step shares its own among its trials.

    On a machine without GPUs, steps run without.

    Args:
        nodes: All steps.

    Attributes:
        notes: What the user should know about them.

    Raises:
        RunError: A step asks for more than there are.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        asking = {node.name: _gpus(node.step) for node in nodes if _gpus(node.step)}
        super().__init__(find_gpus() if asking else ())
        self.notes = []
        if asking and not self.all:
            self.notes.append(f"these steps run without the GPU that they ask for: {', '.join(asking)}")
        for node in nodes:
            least = node.step.study.step.resources.gpu if isinstance(node.step, TuneStep) else _gpus(node.step)
            if self.all and least > len(self.all):
                raise RunError(f"step {node.name} needs {least} GPUs (resources.gpu), but here are {len(self.all)}")

    def wanted(self, task: Task) -> int:
        """Returns how many devices a task waits for."""
        return min(_gpus(task.node.step), len(self.all))

    def take(self, task: Task) -> tuple[str, ...] | None:
        """Takes the devices of a task that starts; None if it asks for none."""
        return self.pop(self.wanted(task)) if _gpus(task.node.step) else None


def _gpus(step: Any) -> int:
    if isinstance(step, TuneStep):
        return step.study.step.resources.gpu * step.study.budget.at_once
    return int(step.resources.gpu)
