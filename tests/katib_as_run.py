"""What happens to a trial on a cluster, redone here: Katib's substitution, Katib's wrapper, the kubelet, a shell.

`test_render_command.py` holds these against recorded runs of Katib's own code.
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

import yaml

METRICS_LOG = "/var/log/katib/metrics.log"
# Go's encoding/json writes these as escapes wherever they stand in a string.
GO_ESCAPES = {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def go_json(value: object) -> str:
    """JSON as Go's json.Marshal writes it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return "".join(GO_ESCAPES.get(character, character) for character in text)


def substituted(template: object, values: Mapping[str, str]) -> Any:
    """An inline trialSpec with its placeholders replaced, or an error where Katib has one."""
    text = go_json(template)
    for name, value in values.items():
        text = text.replace(f"${{trialParameters.{name}}}", value)
    try:
        return json.loads(text)
    except ValueError:
        return yaml.safe_load(text)


def leftover_placeholders(template: object, names: Sequence[str]) -> list[str]:
    """What the webhook finds to be undeclared."""
    text = go_json(template)
    for name in names:
        text = text.replace(f"${{trialParameters.{name}}}", "test-value")
    return re.findall(r"\$\{trialParameters\..+?\}", text)


def wrapped(command: Sequence[str], args: Sequence[str], log: str = METRICS_LOG) -> tuple[list[str], list[str]]:
    """Command and args of the training container after Katib's pod webhook, collector StdOut."""
    tokens = [*command, *args]
    start = ["sh", "-c"]
    if tokens[0] in ("sh", "bash") and tokens[1:2] == ["-c"]:
        start, tokens = tokens[:2], tokens[2:]
    folder = log.rpartition("/")[0]
    text = " ".join([*tokens, f"1>{log}", "2>&1", "&&", "echo", "completed", ">", f"{folder}/$$$$.pid"])
    return start, [text]


def kubelet_expanded(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` and `$$` as Kubernetes expands them in commands, arguments and values of variables."""

    def replaced(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", replaced, text, flags=re.DOTALL)


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
    (start, *_), args = wrapped(container["command"], container.get("args", []), str(folder / "metrics.log"))
    assert start == "sh"
    variables: dict[str, str] = {}
    for variable in container.get("env", []):
        variables[variable["name"]] = kubelet_expanded(variable["value"], variables)
    received = folder / "received.json"
    received.unlink(missing_ok=True)
    script = kubelet_expanded(args[0], variables)
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
