"""Creates the Experiment of a run or attaches to it, and follows it until it ends."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from kftune.cluster import Namespace
from kftune.errors import ClusterError, StudyFailedError
from kftune.launcher.endings import Endings
from kftune.launcher.objects import condition_of
from kftune.render.names import LONGEST

_CONTENT = "kftune.io/content"
_RUN = "kftune.io/run-id"
# After this many seconds without a change, the log says why.
_LONG_SILENCE = 300.0
# How many failed trials are named, and with how many of their logs.
_MOST_TRIALS, _MOST_LOGS = 10, 2


def experiment_name(base: str, run_id: str) -> str:
    """Returns the Experiment's name in a run, which is the same for each try of the step.

    Args:
        base: Its name in the manifest.
        run_id: The ID of the step in this run.
    """
    mark = hashlib.sha256(run_id.encode()).hexdigest()[:10]
    return f"{base[: LONGEST - len(mark) - 1].rstrip('-')}-{mark}"


class Launch:
    """One Experiment of one run.

    Args:
        namespace: Its namespace.
        experiment: The object; its name in this run begins with its own name.
        run_id: Distinguishes this tuning from all others.
        say: Called with each line for the log.
        poll: Seconds between two requests.
    """

    def __init__(
        self,
        namespace: Namespace,
        experiment: dict[str, Any],
        run_id: str,
        say: Callable[[str], object] = print,
        poll: float = 10.0,
    ) -> None:
        self._namespace = namespace
        self._say = say
        self._poll = poll
        self.name = experiment_name(experiment["metadata"]["name"], run_id)
        spec = json.dumps(experiment["spec"], sort_keys=True)
        content = hashlib.sha256(spec.encode()).hexdigest()
        metadata = {**experiment["metadata"], "name": self.name, "namespace": namespace.name}
        metadata["annotations"] = {**metadata.get("annotations", {}), _RUN: run_id, _CONTENT: content}
        self._experiment = {**experiment, "metadata": metadata}
        self._attached = False
        # Source: katib v0.19.0, the default of primaryContainerName.
        container = experiment["spec"].get("trialTemplate", {}).get("primaryContainerName", "training-container")
        self._endings = Endings(namespace, self.name, container, say)

    def start(self, stop: threading.Event, prepare: Callable[[], object] = lambda: None) -> None:
        """Creates the Experiment, or attaches to the one that an earlier try has created.

        Args:
            stop: Set when the step is to stop.
            prepare: Called before an Experiment is created, to get ready what its trials read.

        Raises:
            ClusterError: The cluster refuses it, another Experiment has the name, or `stop` was set while an earlier
                try's Experiment was being deleted.
        """
        while True:
            found = self._namespace.experiment(self.name)
            if found is None:
                prepare()
                if self._namespace.create_experiment(self._experiment):
                    self._say(f"created Experiment {self._namespace.name}/{self.name}")
                    return
                continue
            if "deletionTimestamp" not in found["metadata"]:
                self._attach(found)
                return
            self._say(f"waiting until the Experiment {self.name} of an earlier try is gone")
            if stop.wait(self._poll):
                raise ClusterError(f"asked to stop before the Experiment {self.name} of an earlier try was gone")

    def _attach(self, found: dict[str, Any]) -> None:
        annotations = found["metadata"].get("annotations", {})
        if annotations.get(_CONTENT) != self._experiment["metadata"]["annotations"][_CONTENT]:
            raise ClusterError(
                f"the Experiment {self._namespace.name}/{self.name} already exists, and differs from the one of this "
                f"step; delete it, or start a new run"
            )
        self._attached = True
        self._say(f"attached to Experiment {self._namespace.name}/{self.name}, which an earlier try created")

    def wait(self, stop: threading.Event) -> dict[str, Any] | None:
        """Waits until the Experiment has succeeded and returns it; None when `stop` was set before.

        Raises:
            StudyFailedError: It has failed.
            ClusterError: It no longer exists.
        """
        said, said_at, watched = "", time.monotonic(), False
        while True:
            found = self._namespace.experiment(self.name)
            if found is None:
                raise ClusterError(f"the Experiment {self._namespace.name}/{self.name} was deleted")
            state = condition_of(found)
            if state.get("type") == "Succeeded":
                self._say(f"succeeded: {_counts(found)}")
                return found
            if state.get("type") == "Failed":
                raise StudyFailedError("\n  ".join([*self._why_failed(state, watched), *self._failures()]))
            if not watched:
                self._endings.start()
                watched = True
            counts = _counts(found)
            if counts != said:
                self._say(counts)
                said, said_at = counts, time.monotonic()
            elif time.monotonic() - said_at >= _LONG_SILENCE:
                self._say("\n  ".join(["nothing has changed for a while", *self.obstacles()]))
                said_at = time.monotonic()
            if stop.wait(self._poll):
                return None

    def delete(self, with_run: bool = False) -> bool:
        """Deletes the Experiment. If the cluster refuses, the log says so; the result is not affected.

        Args:
            with_run: The cluster deletes it together with the run that this step belongs to; outside a run, it is
                deleted now. Argo and KFP store the step's outputs after this process ends. If that fails, the next try
                needs the Experiment.

        Returns:
            Whether it is deleted, or will be.
        """
        try:
            owner = self._namespace.owner() if with_run else None
            if owner is None:
                self._namespace.delete_experiment(self.name)
            else:
                self._namespace.own_experiment(self.name, owner)
        except ClusterError as error:
            self._say(f"the Experiment {self.name} stays: {error}")
            return False
        if owner is None:
            self._say(f"deleted Experiment {self.name}")
        else:
            self._say(f"the Experiment {self.name} stays until the {owner['kind']} {owner['name']} is deleted")
        return True

    def trials(self) -> list[dict[str, Any]]:
        """Returns its trials."""
        return self._namespace.trials(self.name)

    def obstacles(self) -> list[str]:
        """Returns known reasons why it makes no progress."""
        try:
            return list(self._obstacles())
        except ClusterError as error:
            return [f"the reason is unknown: {error}"]

    def _obstacles(self) -> Iterator[str]:
        suggestion = self._namespace.suggestion(self.name)
        if suggestion is None:
            yield "there is no Suggestion: Katib has not processed the Experiment, or does not know its algorithm"
            return
        for condition in suggestion.get("status", {}).get("conditions", []):
            if condition.get("type") == "Failed" and condition.get("status") == "True":
                yield f"the algorithm has failed: {_reason(condition)}"
            if condition.get("type") == "DeploymentReady" and condition.get("status") == "False":
                yield f"the algorithm's service is not ready: {_reason(condition)}"
        for name, reason in self._namespace.waiting_pods(self.name):
            yield f"pod {name}: {reason}"
        for trial in self.trials():
            state = condition_of(trial)
            if state.get("type") == "MetricsUnavailable":
                yield f"trial {trial['metadata']['name']}: it ended, but its output does not contain the objective"

    def _why_failed(self, state: dict[str, Any], watched: bool) -> Iterator[str]:
        if self._attached and not watched:
            yield f"the Experiment {self.name} of an earlier try has failed: {_reason(state)}"
            yield (
                "a retry does not search again, for which it needs another Experiment: start a new run, or set delete: "
                "always on the step; budget.max_failed of the study says how many trials may fail"
            )
        else:
            yield f"the Experiment has failed: {_reason(state)}"

    def _failures(self) -> Iterator[str]:
        failed = [(each, condition_of(each)) for each in self.trials()]
        failed = [(each, state) for each, state in failed if state.get("type") in ("Failed", "MetricsUnavailable")]
        for number, (trial, state) in enumerate(failed[:_MOST_TRIALS]):
            name = trial["metadata"]["name"]
            why, lines = self._endings.of(name)
            yield f"trial {name}: " + "; ".join(filter(None, (_reason(state), why)))
            yield from (f"  {line}" for line in lines if number < _MOST_LOGS)
        if len(failed) > _MOST_TRIALS:
            yield f"and {len(failed) - _MOST_TRIALS} more trials"


def _reason(condition: dict[str, Any]) -> str:
    return ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))


def _counts(found: dict[str, Any]) -> str:
    status = found.get("status", {})
    names = ("trialsRunning", "trialsPending", "trialsSucceeded", "trialsEarlyStopped", "trialsFailed", "trialsKilled")
    counts = Counter({name.removeprefix("trials").lower(): status.get(name, 0) for name in names})
    text = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    best = status.get("currentOptimalTrial", {}).get("bestTrialName")
    return f"trials: {text or 'none yet'}" + (f"; best so far {best}" if best else "")
