"""``python -m kftune.launcher``: the program of a tune step on a cluster.

Exit codes: 0 the best values are written, 1 the Experiment has failed, 2 wrong use or no cluster, 143 asked to stop
(the Experiment goes on, and the next try attaches to it).
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from kftune import outputs
from kftune.cluster import Namespace
from kftune.errors import ClusterError, KftuneError, UsageError
from kftune.files import write_text
from kftune.launcher.best import best_texts
from kftune.launcher.launch import Launch, experiment_name
from kftune.launcher.objects import assignments, metric_values, objective_value
from kftune.launcher.report import report_page
from kftune.pipeline.steps import BEST
from kftune.render.tuning import put_in

METRICS = "metrics"
_PREFIXES = ("value", "artifact", "output")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def main(argv: Sequence[str]) -> int:
    """Runs the launcher.

    Args:
        argv: The arguments, without the program.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        return _run(argv, stop)
    except UsageError as error:
        _tell(str(error))
        return 2
    except KftuneError as error:
        _tell(str(error))
        return 1
    except OSError as error:
        _tell(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return 1


def _run(argv: Sequence[str], stop: threading.Event) -> int:
    arguments, named = _arguments(argv)
    experiment = _json(arguments.experiment, "--experiment")
    wanted = _json(arguments.best, "--best")
    values = named["value"]
    namespace = Namespace(arguments.namespace or experiment["metadata"].get("namespace"))
    name = experiment_name(experiment["metadata"]["name"], arguments.run_id)
    paths = {each: _shared(Path(path), arguments.share, name, each) for each, path in named["artifact"].items()}
    launch = Launch(
        namespace, put_in(experiment, {**values, **paths}), arguments.run_id, say=_tell, poll=arguments.poll
    )
    launch.start(stop)
    try:
        found = launch.wait(stop)
        if found is None:
            _tell(f"asked to stop; the Experiment {launch.name} goes on" if arguments.delete != "always" else "stopped")
            return 143
        _write(found, launch.trials(), wanted, values, named["output"], arguments.executor_output)
    finally:
        if arguments.delete == "always":
            launch.delete()
    if arguments.delete == "succeeded":
        launch.delete()
    return 0


def _arguments(argv: Sequence[str]) -> tuple[argparse.Namespace, dict[str, dict[str, str]]]:
    """The launcher's own arguments, and those that name something of the step: ``--output-best_trial=/path``."""
    parser = _Parser(prog="python -m kftune.launcher", allow_abbrev=False)
    parser.add_argument("--experiment", required=True, help="the Experiment: JSON, or a file that holds it")
    parser.add_argument("--run-id", required=True, help="the same for each try of one step of one run")
    parser.add_argument("--best", required=True, help="how best values are made of Katib's texts: JSON")
    parser.add_argument("--executor-output", help="where KFP wants to be told what its page shows")
    parser.add_argument("--share", type=Path, help="a volume that the trials see under the same path")
    parser.add_argument("--namespace", help="where the Experiment is created (default: the Experiment's, the pod's)")
    parser.add_argument("--poll", type=float, default=10.0, help="seconds between two looks (default: 10)")
    parser.add_argument("--delete", choices=("never", "succeeded", "always"), default="never")
    named: dict[str, dict[str, str]] = {prefix: {} for prefix in _PREFIXES}
    own = []
    for token in argv:
        flag, equals, text = token.partition("=")
        prefix, _, name = flag.removeprefix("--").partition("-")
        if equals and name and prefix in named:
            named[prefix][name] = text
        else:
            own.append(token)
    arguments = parser.parse_args(own)
    if named["artifact"] and arguments.share is None:
        raise UsageError("trials run in pods of their own and see artifacts only over a shared volume; give --share")
    return arguments, named


def _json(text: str, flag: str) -> dict[str, Any]:
    source = text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8")
    try:
        value = json.loads(source)
    except ValueError as error:
        raise UsageError(f"{flag} must be a JSON object, but it cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise UsageError(f"{flag} must be a JSON object, but got {source[:80]!r}")
    return value


def _shared(path: Path, share: Path | None, experiment: str, name: str) -> str:
    """The path of an artifact's copy on the volume that trials see; made whole or not at all."""
    if share is None:  # checked before; tells a type checker
        raise UsageError("--share is missing")
    copy = share / "kftune" / experiment / name
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        half = copy.with_name(f".{name}.half")
        if half.is_dir():
            shutil.rmtree(half)
        if path.is_dir():
            shutil.copytree(path, half)
        else:
            shutil.copyfile(path, half)
        half.rename(copy)
    return str(copy)


def _write(
    found: Mapping[str, Any],
    trials: Sequence[Mapping[str, Any]],
    wanted: Mapping[str, Any],
    fixed: Mapping[str, str],
    paths: Mapping[str, str],
    executor_output: str | None,
) -> None:
    optimal = found.get("status", {}).get("currentOptimalTrial") or {}
    if not optimal.get("bestTrialName"):
        raise ClusterError("the Experiment has succeeded without a best trial: no trial reported its objective")
    best = best_texts(wanted, assignments(optimal.get("parameterAssignments", [])), fixed)
    value = objective_value(optimal.get("observation"), found["spec"]["objective"])
    texts = {f"{BEST}.{name}": text for name, text in best.items()}
    texts |= {"best_trial": optimal["bestTrialName"], "objective": str(value), "report": report_page(found, trials)}
    for name, path in paths.items():
        if name == METRICS:
            outputs.write_metrics(path, metric_values(optimal.get("observation")), executor_output)
        elif name in texts:
            write_text(Path(path), texts[name])
        else:
            raise UsageError(f"--output-{name} is none of {', '.join([*texts, METRICS])}")
    for name, text in best.items():
        _tell(f"best {name}: {text}")


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
