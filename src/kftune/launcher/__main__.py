"""``python -m kftune.launcher``: the program of a tune step, and of a step on several nodes, on a cluster.

Exit codes: 0 the outputs are written, 1 the job failed, the cluster refuses, or the next try makes another Experiment,
2 usage error, 3 the Experiment has failed for each further try too, 143 asked to stop (an Experiment continues, and
the next try attaches to it; a job is deleted), or a pod of the job lost its node.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from kftune import json_input, outputs
from kftune.cluster import Namespace
from kftune.errors import ClusterError, KftuneError, StudyFailedError, UsageError
from kftune.files import write_text
from kftune.launcher.best import best_texts
from kftune.launcher.experiment import ExperimentLaunch
from kftune.launcher.job import JobLaunch
from kftune.launcher.launch import name_in_run
from kftune.launcher.objects import assignments, metric_values, objective_value
from kftune.launcher.report import report_page
from kftune.launcher.share import SharedData
from kftune.launcher.shared_outputs import SharedOutputs
from kftune.pipeline import EXECUTOR_OUTPUT
from kftune.pipeline.steps import BEST
from kftune.render.launching import put_in
from kftune.render.trials import KINDS
from kftune.render.tuning import STUDY_FAILED
from kftune.shown import shown

METRICS = "metrics"
# Source: Kubernetes, termination message: the file of each container, of which the last 4 KiB are kept.
_MESSAGE = Path("/dev/termination-log")
_LONGEST_MESSAGE = 4096
_JOBS = tuple(kind for kind, each in KINDS.items() if each.pod_label)
# As a process that SIGTERM ends. Argo retries a step with this code as one that lost its node.
_STOPPED = 143
_PREFIXES = ("value", "artifact", "output")


class _ArgumentParser(argparse.ArgumentParser):
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
    except KftuneError as error:
        _fail(str(error))
        return 2 if isinstance(error, UsageError) else STUDY_FAILED if isinstance(error, StudyFailedError) else 1
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return 1


def _run(argv: Sequence[str], stop: threading.Event) -> int:
    arguments, named = _arguments(argv)
    is_job = arguments.job is not None
    manifest = _json(arguments.job, "--job") if is_job else _json(arguments.experiment, "--experiment")
    namespace = Namespace(arguments.namespace or manifest["metadata"].get("namespace"))
    name = name_in_run(manifest["metadata"]["name"], arguments.run_id)
    # An optional artifact that its step has not written has no path.
    artifacts = {each: Path(path) for each, path in named["artifact"].items() if path}
    data = SharedData(arguments.share or Path(), artifacts, name, say=_say)
    texts = {**named["value"], **named["artifact"], **data.paths}
    return (_run_job if is_job else _run_experiment)(
        _Given(arguments, named, namespace, manifest, data, texts=texts), stop
    )


class _Given(NamedTuple):
    """What the launcher works with."""

    arguments: argparse.Namespace
    named: dict[str, dict[str, str]]
    namespace: Namespace
    manifest: dict[str, Any]
    data: SharedData
    texts: dict[str, str]
    """What replaces the marks of the step's arguments."""


def _run_experiment(given: _Given, stop: threading.Event) -> int:
    arguments, named = given.arguments, given.named
    wanted = _json(arguments.best, "--best")
    filled = put_in(given.manifest, given.texts)
    launch = ExperimentLaunch(given.namespace, filled, arguments.run_id, say=_say, poll=arguments.poll)
    launch.start(stop, given.data.hold)
    written = False
    try:
        found = launch.wait(stop)
        if found is None:
            deleted = arguments.delete == "always"
            _say("stopped" if deleted else f"asked to stop; the Experiment {launch.name} continues")
            return _STOPPED
        _write(found, launch.trials(), wanted, named, arguments.executor_output)
        written = True
    except StudyFailedError as error:
        if arguments.delete == "always":  # the next try makes another Experiment
            raise ClusterError(str(error)) from error
        raise
    finally:
        _clean_up(launch, given.data, arguments.delete, written)
    return 0


def _clean_up(launch: ExperimentLaunch, data: SharedData, delete: str, written: bool) -> None:
    """Removes what the end of the step leaves behind: all of it after a success, and else only for `always`."""
    over = written
    if written and delete != "never":
        launch.delete(with_run=True)
    elif delete == "always":
        over = launch.delete()
    if over:
        data.release()


def _run_job(given: _Given, stop: threading.Event) -> int:
    """Runs a job. It stays until its run is deleted, for its logs, unless this process is asked to stop."""
    arguments, targets = given.arguments, dict(given.named["output"])
    if arguments.executor_output is not None:
        targets[EXECUTOR_OUTPUT] = arguments.executor_output
    name = name_in_run(given.manifest["metadata"]["name"], arguments.run_id)
    outputs = SharedOutputs(arguments.share, name, targets, frozenset({EXECUTOR_OUTPUT}), say=_say)
    filled = put_in(given.manifest, {**given.texts, **outputs.paths})
    launch = JobLaunch(given.namespace, filled, arguments.run_id, outputs, say=_say, poll=arguments.poll)

    def prepare() -> None:
        given.data.hold()
        outputs.prepare()

    launch.start(stop, prepare)
    try:
        if launch.wait(stop) is None:
            launch.delete()
            return _STOPPED
        outputs.take()
    except ClusterError as error:
        if not launch.has_lost_node:
            raise
        _fail(str(error))
        return _STOPPED
    except OSError:
        # The next try takes them, instead of training again.
        launch.is_over = False
        raise
    finally:
        if launch.is_over:
            outputs.remove()
            given.data.release()
    return 0


def _arguments(argv: Sequence[str]) -> tuple[argparse.Namespace, dict[str, dict[str, str]]]:
    """Returns the launcher's own arguments, and the step's values, artifacts and outputs by name."""
    parser = _ArgumentParser(
        prog="python -m kftune.launcher",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Creates an Experiment or a job, waits until it ends, and writes the best values or its outputs.",
        epilog="arguments of the step:\n"
        "  --value-NAME=TEXT       text to fill into the Experiment or job\n"
        "  --artifact-NAME=PATH    artifact to copy to --share; its new path is filled into the Experiment or job\n"
        f"  --output-NAME=PATH      what to write: {BEST}.HYPERPARAMETER, best_trial, objective, report or {METRICS}\n"
        "                          of an Experiment, and any that a job writes to --share\n",
    )
    objects = parser.add_mutually_exclusive_group(required=True)
    objects.add_argument("--experiment", help="the Experiment: JSON, or the path of a JSON file")
    objects.add_argument("--job", help=f"the job ({' or '.join(_JOBS)}): JSON, or the path of a JSON file")
    parser.add_argument("--run-id", required=True, help="ID that is the same for each try of a step in a run")
    parser.add_argument("--best", help="with --experiment: how to convert Katib's texts to the best values: JSON")
    parser.add_argument("--executor-output", help="file to write: the metrics in the form that KFP's page reads")
    parser.add_argument("--share", type=Path, help="volume that the other pods mount at the same path")
    parser.add_argument("--namespace", help="namespace of the object (default: its own, or that of the pod)")
    parser.add_argument("--poll", type=float, default=10.0, help="seconds between two requests (default: 10)")
    parser.add_argument(
        "--delete",
        choices=("never", "succeeded", "always"),
        default="never",
        help="when to delete the Experiment at the end (default: never); a job is deleted with its run",
    )
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
    if (arguments.best is None) != (arguments.experiment is None):
        raise UsageError("--best belongs to --experiment; give both of them, or --job only")
    shared = [*named["artifact"], *(named["output"] if arguments.job is not None else ())]
    if shared and arguments.share is None:
        raise UsageError("other pods share files with this one only on a volume; give --share")
    return arguments, named


def _json(text: str, flag: str) -> dict[str, Any]:
    source = text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8")
    try:
        value = json_input.loads(source)
    except ValueError as error:
        raise UsageError(f"{flag} must be a JSON object, but is invalid: {error}") from None
    if not isinstance(value, dict):
        raise UsageError(f"{flag} must be a JSON object, but got {source[:80]!r}")
    return value


def _write(
    found: Mapping[str, Any],
    trials: Sequence[Mapping[str, Any]],
    wanted: Mapping[str, Any],
    named: Mapping[str, Mapping[str, str]],
    executor_output: str | None,
) -> None:
    optimal = found.get("status", {}).get("currentOptimalTrial") or {}
    if not optimal.get("bestTrialName"):
        raise StudyFailedError("the Experiment has succeeded without a best trial: no trial reported its objective")
    best = best_texts(wanted, assignments(optimal.get("parameterAssignments", [])), named["value"])
    value = objective_value(optimal.get("observation"), found["spec"]["objective"])
    texts = {f"{BEST}.{name}": text for name, text in best.items()}
    texts |= {"best_trial": optimal["bestTrialName"], "objective": str(value), "report": report_page(found, trials)}
    for name, path in named["output"].items():
        if name == METRICS:
            outputs.write_metrics(path, metric_values(optimal.get("observation")), executor_output)
        elif name in texts:
            write_text(Path(path), texts[name])
        else:
            raise UsageError(f"--output-{name} must be one of {', '.join([*texts, METRICS])}")
    for name, text in best.items():
        _say(f"best {name}: {text}")


def _fail(why: str) -> None:
    _say(why)
    # Only the cluster makes this file; Argo and KFP show its text as the step's message.
    with suppress(OSError), _MESSAGE.open("r+b") as file:
        file.write(why.encode("utf-8", "replace")[:_LONGEST_MESSAGE].decode("utf-8", "ignore").encode())


def _say(line: str) -> None:
    print(f"{shown(line)}\n", end="", flush=True)  # one write: lines of several threads do not mix


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
