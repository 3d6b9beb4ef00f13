"""Small Experiments for the tests of local runs. Their trials are real processes that end immediately."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kftune.local import Event, Outcome
from kftune.local.experiment import Options, run_experiment
from kftune.local.processes.process import INTERRUPTED

LR = {"name": "lr", "parameterType": "double", "feasibleSpace": {"min": "0.01", "max": "0.1"}}
UNITS = {"name": "units", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "64"}}
OPT = {"name": "opt", "parameterType": "categorical", "feasibleSpace": {"list": ["sgd", "adam"]}}


def sh(script: str) -> dict[str, Any]:
    """Returns a container that runs a shell script in the form that Katib needs: ``sh -c`` and one text."""
    return {"command": ["sh", "-c"], "args": [script]}


def python(script: str, *arguments: str) -> dict[str, Any]:
    """Returns a container that runs a Python script."""
    return {"command": ["python", "-c", script], **({"args": list(arguments)} if arguments else {})}


def experiment(container: dict[str, Any] | None = None, trials: int = 3, **parts: Any) -> dict[str, Any]:
    """Returns an Experiment with `trials` trials, one at a time, each with ``$LR``, ``$UNITS`` and ``$OPT``.

    `parts` are merged into its spec, `objective`, `algorithm` and `template` into these parts of it, `job` into the
    trial's spec, `pod` into that of its pod; `trial` replaces the trial.
    """
    container = sh("echo loss=0.5") if container is None else container
    given = {"name": "main", "image": "registry.example/x:1", **container}
    variables = [{"name": name, "value": f"${{trialParameters.{name.lower()}}}"} for name in ("LR", "UNITS", "OPT")]
    given["env"] = [*variables, *given.get("env", [])]
    pod = {"restartPolicy": "Never", "containers": [given], **parts.pop("pod", {})}
    job = {"backoffLimit": 0, "template": {"spec": pod}, **parts.pop("job", {})}
    trial = parts.pop("trial", {"apiVersion": "batch/v1", "kind": "Job", "spec": job})
    names = ("lr", "units", "opt")
    template = {
        "primaryContainerName": "main",
        "trialParameters": [{"name": name, "reference": name} for name in names],
        "trialSpec": trial,
        **parts.pop("template", {}),
    }
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": "small", "namespace": "team-a", "labels": {"team": "a"}},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss", **parts.pop("objective", {})},
            "algorithm": {
                "algorithmName": "random",
                "algorithmSettings": [{"name": "random_state", "value": "7"}],
                **parts.pop("algorithm", {}),
            },
            "parallelTrialCount": 1,
            "maxTrialCount": trials,
            "parameters": [LR, UNITS, OPT],
            "trialTemplate": template,
            **parts,
        },
    }


def run(an_experiment: dict[str, Any], folder: Path, **options: Any) -> tuple[Outcome, list[Event]]:
    """Runs an Experiment. Returns its outcome and its events."""
    events: list[Event] = []
    return run_experiment(an_experiment, folder, on_event=events.append, **options), events


def collected(kind: str, **source: Any) -> dict[str, Any]:
    """Returns a metricsCollectorSpec."""
    return {"collector": {"kind": kind}, **({"source": source} if source else {})}


def serve(arguments: Sequence[str]) -> None:
    """Runs the Experiment in a file, and exits as kftune does.

    Arguments: the file, the results folder, `container` to run in images.
    """
    from kftune.katib.go.reading import read

    value: Any = read(Path(arguments[0]).read_text())
    options = Options(runtime="container" if "container" in arguments[2:] else "process")
    try:
        sys.exit(run_experiment(value, arguments[1], options=options).exit_code)
    except KeyboardInterrupt:  # the run was about to end
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    serve(sys.argv[1:])
