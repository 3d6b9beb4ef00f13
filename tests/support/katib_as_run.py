"""What happens to a trial on a cluster, with our own account of Katib and of the kubelet, and a real shell.

`test_conformance.py` holds that account against recorded runs of Katib's own code.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kftune.katib.go.text import json_text
from kftune.katib.trial.kubelet import expanded, expanded_variables
from kftune.katib.trial.substitution import run_object
from kftune.katib.trial.wrapper import METRICS_LOG, wrap

STDOUT = {"collector": {"kind": "StdOut"}}


def substituted(experiment: Mapping[str, Any], values: Mapping[str, str]) -> Any:
    """The object of a trial of an Experiment.

    Args:
        experiment: The Experiment.
        values: Trial parameter -> value.
    """
    declared = experiment["spec"]["trialTemplate"]["trialParameters"]
    assignments = [(parameter["reference"], values[parameter["name"]]) for parameter in declared]
    return run_object(experiment, assignments, name="trial", namespace="space")


def leftover_placeholders(template: object, names: Sequence[str]) -> list[str]:
    """What the webhook finds to be undeclared."""
    text = json_text(template)
    for name in names:
        text = text.replace(f"${{trialParameters.{name}}}", "test-value")
    return re.findall(r"\$\{trialParameters\..+?\}", text)


def stand_in(folder: Path, name: str = "train") -> Path:
    """A program that writes down its arguments and its environment, and reports a metric."""
    program = folder / name
    code = "import json, os, sys; json.dump([sys.argv[1:], dict(os.environ)], open(os.environ['RECEIVED'], 'w'))"
    program.write_text(f"#!{sys.executable} -SE\n{code}; print('loss=0.5')\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def run_trial(container: Mapping[str, Any], folder: Path, shell: str = "sh") -> tuple[list[str], dict[str, str]]:
    """Runs a trial's container as Katib wraps it; gives the arguments and variables that the stand-in received.

    Args:
        container: The container of the trial's object, placeholders replaced.
        folder: An empty folder; what stands in for the training program is in it.
        shell: The shell that the image calls ``sh``.
    """
    wrapped = wrap(container["command"], container.get("args", []), STDOUT)
    assert wrapped.command == ("sh", "-c")
    variables = expanded_variables((variable["name"], variable["value"]) for variable in container.get("env", []))
    received = folder / "received.json"
    received.unlink(missing_ok=True)
    script = expanded(wrapped.args[0].replace(METRICS_LOG.rpartition("/")[0], str(folder)), variables)
    environment = {
        **variables,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "RECEIVED": str(received),
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run([shell, "-c", script], env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, (script, done)
    assert (done.stdout, done.stderr) == (b"", b""), "the output of the trial goes to the metrics log"
    assert (folder / "metrics.log").read_text(encoding="utf-8") == "loss=0.5\n"
    assert [path.read_text(encoding="utf-8") for path in folder.glob("*.pid")] == ["completed\n"]
    for marker in folder.glob("*.pid"):
        marker.unlink()
    arguments, seen = json.loads(received.read_text(encoding="utf-8"))
    return arguments, seen
