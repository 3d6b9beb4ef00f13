"""The parts of Katib and of the kubelet that only tests need; runs trials in a real shell as on a cluster.

`test_conformance.py` compares them with recorded runs of Katib's own code.
"""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kftune.katib.go.numbers import go_int
from kftune.katib.go.text import json_text
from kftune.katib.trial import METRICS_LOG
from kftune.katib.trial.conditions import is_completed, is_restartable, without_condition
from kftune.katib.trial.kubelet import expanded
from kftune.katib.trial.stopping import StoppingError, StopRule
from kftune.katib.trial.substitution import run_object
from kftune.katib.trial.wrapper import metrics_path, wrap

STDOUT = {"collector": {"kind": "StdOut"}}


def substituted(experiment: Mapping[str, Any], values: Mapping[str, str]) -> Any:
    """Returns the object of a trial of an Experiment.

    Args:
        experiment: The Experiment.
        values: Trial parameter -> value.
    """
    declared = experiment["spec"]["trialTemplate"]["trialParameters"]
    assignments = [(parameter["reference"], values[parameter["name"]]) for parameter in declared]
    return run_object(experiment, assignments, name="trial", namespace="space")


def leftover_placeholders(template: object, names: Sequence[str]) -> list[str]:
    """Returns the placeholders that the webhook reports as undeclared."""
    text = json_text(template)
    for name in names:
        text = text.replace(f"${{trialParameters.{name}}}", "test-value")
    return re.findall(r"\$\{trialParameters\..+?\}", text)


def stand_in(folder: Path, name: str = "train") -> Path:
    """Writes a program that records its arguments and its environment, and reports a metric."""
    program = folder / name
    code = "import json, os, sys; json.dump([sys.argv[1:], dict(os.environ)], open(os.environ['RECEIVED'], 'w'))"
    program.write_text(f"#!{sys.executable} -SE\n{code}; print('loss=0.5')\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def run_trial(container: Mapping[str, Any], folder: Path, shell: str = "sh") -> tuple[list[str], dict[str, str]]:
    """Runs a trial's container as Katib wraps it. Returns the arguments and variables that the test program received.

    Args:
        container: The container of the trial's object, placeholders replaced.
        folder: An empty folder for the test program, which replaces the training program.
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


def expanded_variables(given: Iterable[tuple[str, str]], before: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns a container's variables; a value may use the variables above it.

    Args:
        given: (name, value) in their order.
        before: Variables that exist already, such as those of envFrom.
    """
    variables = dict(before or {})
    for name, value in given:
        variables[name] = expanded(value, variables)
    return variables


DEFAULT_FILTER = r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"
"""The collector's filter when none is given."""


def collector_args(
    trial: str,
    objective: Mapping[str, Any],
    collecting: Mapping[str, Any],
    *,
    rules: Sequence[StopRule] = (),
    early_stopping_service: str = "",
    wait_all_processes: bool | None = None,
) -> list[str]:
    """Returns the arguments of the collector's container.

    Args:
        trial: The trial's name.
        objective: spec.objective.
        collecting: spec.metricsCollectorSpec with its defaults.
        rules: The trial's stop rules.
        early_stopping_service: The address of that service, for trials with rules.
        wait_all_processes: The setting of katib-config; None when it is not set there.

    Raises:
        WrapperPanic: The collector's path is missing.
    """
    names = [objective.get("objectiveMetricName", ""), *(objective.get("additionalMetricNames") or ())]
    found = ["-t", trial, "-m", ";".join(names), "-o-type", objective.get("type", "")]
    found += ["-s-db", "katib-db-manager.kubeflow:6789"]
    path = metrics_path(collecting)
    if path:
        found += ["-path", path]
    source = collecting.get("source") or {}
    filters = (source.get("filter") or {}).get("metricsFormat")
    if filters:
        found += ["-f", ";".join(filters)]
    kind = (collecting.get("collector") or {}).get("kind")
    if kind == "File":
        found += ["-format", source["fileSystemPath"].get("format", "")]
    elif kind == "StdOut":
        found += ["-format", "TEXT"]
    if wait_all_processes is not None:
        found += ["-w", "true" if wait_all_processes else "false"]
    for rule in rules:
        found += ["-stop-rule", stop_flag(rule)]
    return [*found, "-s-earlystop", early_stopping_service] if rules else found


def stop_flag(rule: StopRule) -> str:
    """Returns a rule as Katib passes it to the collector."""
    return f"{rule.name};{rule.value};{rule.comparison};{rule.start_step}"


def stop_rule(flag: str) -> StopRule:
    """Reads a rule as the collector reads its argument.

    Raises:
        StoppingError: The argument does not have four parts, or the last one is not a number.
    """
    parts = flag.split(";")
    if len(parts) != 4:
        raise StoppingError(f"Invalid Early Stopping rule: {flag}")
    start_step = go_int(parts[3])
    if start_step is None:
        raise StoppingError(f"Parse start step {parts[3]} to int error: strconv.Atoi: parsing {parts[3]!r}")
    return StopRule(parts[0], parts[1], parts[2], start_step)


def restarted(experiment: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the status with which a completed Experiment resumes; None when it stays completed.

    It resumes when maxTrialCount was raised above its trials and it is restartable. Without maxTrialCount it always
    resumes. The completion time stays.
    """
    spec = experiment.get("spec") or {}
    most, count = spec.get("maxTrialCount"), status.get("trials", 0)
    resumes = count != 0 if most is None else most > count and is_restartable(spec, status)
    if not is_completed(status) or not resumes:
        return None
    after = copy.deepcopy(dict(status))
    for kind in ("Succeeded", "Failed", "Restarting"):
        after["conditions"] = without_condition(after, kind)
    restarting = {"type": "Restarting", "status": "True", "reason": "ExperimentRestarting"}
    after["conditions"].append({**restarting, "message": "Experiment is restarted"})
    return after
