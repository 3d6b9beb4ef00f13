"""Results of earlier runs: what a task's result depends on, as one key, and the result that was kept under it.

A key stands for the command line, the study of a tune step, the variables, the network, the texts of its inputs, the
contents of its input artifacts, the outputs, and the code: in a container the image by its id; in a process the
program, the Python package of its module, and the Python files beside the pipeline's file (of trials: the study's).
Of secrets only the names count.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kftune.local.pipeline.artifacts import Made, copy, digest_of, empty
from kftune.local.pipeline.folder import PipelineFolder, RunFolder
from kftune.local.pipeline.graph import Given, Task
from kftune.local.study.events import Note, OnEvent
from kftune.pipeline import Node
from kftune.pipeline.steps import TuneStep


class Cache:
    """What tasks of earlier runs wrote.

    Args:
        folder: The files of all runs.
        run: The files of this one.
        emit: Called with a note on what can no longer be taken.
    """

    def __init__(self, folder: PipelineFolder, run: RunFolder, emit: OnEvent) -> None:
        self._folder = folder
        self._run = run
        self._emit = emit

    def remember(self, key: str, task: Task) -> None:
        """Keeps that a task of this run has done what a key stands for.

        Raises:
            OSError: It cannot be written.
        """
        if key and task.node.step.cache:
            self._folder.remember(key, self._run, task.name)

    def recall(self, key: str, task: Task) -> str | None:
        """Takes what an earlier run did, if it is still as it was; gives the run's name."""
        found = self._folder.recall(key)
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
        task.made = {
            name: Made(each.type, folder.outputs / name, each.value, each.digest) for name, each in made.items()
        }
        folder.write_done(task.made, {**facts, "cached_from": found[0]})
        return found[0]


def key_of(node: Node, values: Mapping[str, Given], code: str, environ: Mapping[str, str] = os.environ) -> str:
    """The key of a task.

    Args:
        node: The step.
        values: What it gets.
        code: What stands for the code that it runs.
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


def code_of(argv: Sequence[str], folder: Path, search: Sequence[str] = ()) -> str:
    """What stands for the code that a process runs, as far as a command line tells.

    Args:
        argv: The command line, with the program's path as its first word.
        folder: Where it runs; Python files there count.
        search: Where Python looks for modules, before its own folders.
    """
    files = {*folder.glob("*.py"), *_files(argv, folder, search)}
    hashed = hashlib.sha256()
    for path in sorted(files):
        hashed.update(f"{path}\0".encode())
        hashed.update(hashlib.sha256(path.read_bytes()).digest())
    return hashed.hexdigest()


def _files(argv: Sequence[str], folder: Path, search: Sequence[str]) -> Iterator[Path]:
    yield from (path for token in argv[1:2] if (path := folder / token).is_file())
    if Path(argv[0]).resolve() != Path(sys.executable).resolve() and Path(argv[0]).is_file():
        yield Path(argv[0])
    if len(argv) > 2 and argv[1] == "-m":
        found = importlib.machinery.PathFinder.find_spec(argv[2].partition(".")[0], [*search, *sys.path])
        for place in (found.submodule_search_locations or ()) if found else ():
            yield from Path(place).rglob("*.py")
        if found and not found.submodule_search_locations and found.origin and Path(found.origin).is_file():
            yield Path(found.origin)
