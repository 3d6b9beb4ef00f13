"""Small pipelines for the tests of local runs. Their steps are real processes that end immediately."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from kftune.local import Event
from kftune.local.pipeline import PipelineOutcome, StepFinished, StepStarted, run_pipeline
from kftune.pipeline import Pipeline, pipeline_from_dict

PRELUDE = """\
import json, os, sys, time
from pathlib import Path

given = dict(token[2:].split("=", 1) for token in sys.argv[1:] if token.startswith("--"))
here = Path(__file__).parent


def write(name, text):
    Path(given[name]).write_text(text)


def times(name):
    with (here / f"{name}.count").open("a") as file:
        file.write("x")
    return len((here / f"{name}.count").read_text())


def wait_for(name):
    until = time.monotonic() + 20
    while not (here / name).exists():
        assert time.monotonic() < until
        time.sleep(0.01)


"""


class Project:
    """A folder with a pipeline and the scripts of its steps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = folder / "runs"

    def step(self, name: str, body: str = "", kind: str = "container", **fields: Any) -> dict[str, Any]:
        """Returns a step that runs Python code, which can call `given`, `write`, `times` and `wait_for`."""
        (self.folder / f"{name}.py").write_text(PRELUDE + textwrap.dedent(body))
        return {"kind": kind, "command": ["python", f"{name}.py"], **fields}

    def pipeline(self, steps: dict[str, Any], **sections: Any) -> Pipeline:
        return pipeline_from_dict({"name": "toy", "steps": steps, **sections}, [self.folder])

    def run(self, pipeline: Pipeline, given: dict[str, Any] | None = None, **options: Any) -> Run:
        events: list[Event] = []
        outcome = run_pipeline(
            pipeline,
            self.runs,
            given,
            pipeline_path=self.folder / "pipeline.yaml",
            on_event=events.append,
            **{"parallel": 4, **options},
        )
        return Run(outcome, events)

    def count(self, name: str) -> int:
        """Returns how many times a script called `times` with that name."""
        path = self.folder / f"{name}.count"
        return len(path.read_text()) if path.exists() else 0


class Run:
    """The result of a run."""

    def __init__(self, outcome: PipelineOutcome, events: list[Event]) -> None:
        self.outcome = outcome
        self.events = events
        self.ends = {event.task: event for event in events if isinstance(event, StepFinished)}

    @property
    def states(self) -> dict[str, str]:
        return {task: event.state for task, event in self.ends.items()}

    @property
    def started(self) -> list[str]:
        return [event.task for event in self.events if isinstance(event, StepStarted)]

    def text(self, task: str, output: str) -> str:
        return (self.outcome.folder / "steps" / task / "outputs" / output).read_text()

    def log(self, task: str) -> str:
        return (self.outcome.folder / "steps" / task / "log.txt").read_text()
