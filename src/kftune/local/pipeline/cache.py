"""The cache of tasks: a key for everything that a task's result depends on, and the result stored under it.

A key covers the command line, the study of a tune step, the variables, the network, the texts of its inputs, the
contents of its input artifacts, the outputs, and the code: in a container the image's id; in a process the program, the
Python package of its module, and the Python files beside its script and in the folder of the pipeline's file (for
trials, the study's). Only the names of secrets count.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import replace

from kftune.files import digest_of
from kftune.local.pipeline.artifacts import copy, empty
from kftune.local.pipeline.folder import PipelineFolder, PipelineRunFolder
from kftune.local.pipeline.graph import Given, Task
from kftune.local.study.events import Note, OnEvent
from kftune.pipeline import Node
from kftune.pipeline.steps import TuneStep


class Cache:
    """The results of earlier runs.

    Args:
        folder: The files of all runs.
        run: The files of this run.
        emit: Called with a note on each result that was changed and cannot be used.
        use: Whether results are taken; if not, they are only stored.
    """

    def __init__(self, folder: PipelineFolder, run: PipelineRunFolder, emit: OnEvent, *, use: bool = True) -> None:
        self._folder = folder
        self._run = run
        self._emit = emit
        self._use = use

    def remember(self, key: str, task: Task) -> None:
        """Stores that a task of this run has the result of a key.

        Args:
            key: The key; empty stores nothing.
            task: The task, which has succeeded.

        Raises:
            OSError: It cannot be written.
        """
        if key and task.node.step.cache:
            self._folder.remember(key, self._run, task.name)

    def recall(self, key: str, task: Task) -> str | None:
        """Copies the result of an earlier run, if it is unchanged.

        Args:
            key: The key; empty has no result.
            task: The task that gets it.

        Returns:
            The run's name; None where there is no result.
        """
        found = self._folder.recall(key) if key and self._use else None
        done = None if found is None else found[1].read_done()
        if found is None or done is None:
            return None
        made, facts = done
        if any(each.digest and digest_of(each.path) != each.digest for each in made.values()):
            self._emit(Note(f"{task.name}: what run {found[0]} wrote has been changed since, so it runs again"))
            return None
        folder = self._run.task(task.name)
        empty(folder.outputs)
        for name, each in made.items():
            copy(each.path, folder.outputs / name)
        task.made = {name: replace(each, path=folder.outputs / name) for name, each in made.items()}
        folder.write_done(task.made, {**facts, "cached_from": found[0]})
        return found[0]


def key_of(node: Node, values: Mapping[str, Given], code: str, environ: Mapping[str, str] = os.environ) -> str:
    """Returns the key of a task.

    Args:
        node: The step.
        values: What it gets.
        code: A digest of the code that it runs.
        environ: Where the values of config maps come from.
    """
    texts = {
        name: f"sha256:{given.artifact.digest}" if given.artifact else given.text for name, given in values.items()
    }
    places = {name: f"<{name}>" for name in node.argument_names if name not in node.arguments or name in values}
    step = node.step
    study = step.study.to_dict() if isinstance(step, TuneStep) else None
    content = {
        "argv": None if study else node.command_line(places),
        **({} if step.arguments is None else {"arguments": step.arguments.model_dump()}),
        "study": study,
        "values": texts,
        "outputs": {name: output.type for name, output in node.outputs.items()},
        "env": step.env,
        "secrets": sorted(step.secrets),
        "config_maps": {name: environ.get(name) for name in sorted(step.config_maps)},
        "working_dir": step.working_dir,
        "network": step.network,
        "code": code,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
