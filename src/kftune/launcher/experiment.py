"""The Experiment of a tune step: how far it is, and why it fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from kftune.cluster import SUGGESTION, PodsOf
from kftune.errors import ClusterError, StudyFailedError
from kftune.launcher.launch import Launch
from kftune.launcher.objects import condition_of, reason_of

# How many failed trials are named, and with how many of their logs.
_MOST_TRIALS, _MOST_LOGS = 10, 2


class ExperimentLaunch(Launch):
    """One Experiment of one run."""

    _FAILED = StudyFailedError

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
                self._namespace.delete(self._kind, self.name)
            else:
                self._namespace.own(self._kind, self.name, owner)
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

    def _what_runs(self) -> tuple[PodsOf, str]:
        # Source: katib v0.19.0, the default of primaryContainerName.
        template = self._manifest["spec"].get("trialTemplate", {})
        return PodsOf.experiment(self.name), template.get("primaryContainerName", "training-container")

    def _obstacles(self) -> Iterator[str]:
        suggestion = self._namespace.find(SUGGESTION, self.name)
        if suggestion is None:
            yield "there is no Suggestion: Katib has not processed the Experiment, or does not know its algorithm"
            return
        for condition in suggestion.get("status", {}).get("conditions", []):
            if condition.get("type") == "Failed" and condition.get("status") == "True":
                yield f"the algorithm has failed: {reason_of(condition)}"
            if condition.get("type") == "DeploymentReady" and condition.get("status") == "False":
                yield f"the algorithm's service is not ready: {reason_of(condition)}"
        yield from super()._obstacles()
        for trial in self.trials():
            state = condition_of(trial)
            if state.get("type") == "MetricsUnavailable":
                yield f"trial {trial['metadata']['name']}: it ended, but its output does not contain the objective"

    def _why_failed(self, state: Mapping[str, Any], watched: bool) -> Iterator[str]:
        if self._attached and not watched:
            yield f"the Experiment {self.name} of an earlier try has failed: {reason_of(state)}"
            yield (
                "a retry does not search again, for which it needs another Experiment: start a new run, or set delete: "
                "always on the step; budget.max_failed of the study says how many trials may fail"
            )
        else:
            yield from super()._why_failed(state, watched)

    def _failures(self) -> Iterator[str]:
        failed = [(each, condition_of(each)) for each in self.trials()]
        failed = [(each, state) for each, state in failed if state.get("type") in ("Failed", "MetricsUnavailable")]
        for number, (trial, state) in enumerate(failed[:_MOST_TRIALS]):
            name = trial["metadata"]["name"]
            why, lines = self._endings.of(name)
            yield f"trial {name}: " + "; ".join(filter(None, (reason_of(state), why)))
            yield from (f"  {line}" for line in lines if number < _MOST_LOGS)
        if len(failed) > _MOST_TRIALS:
            yield f"and {len(failed) - _MOST_TRIALS} more trials"

    def _counts(self, found: Mapping[str, Any]) -> str:
        status = found.get("status", {})
        names = (
            "trialsRunning",
            "trialsPending",
            "trialsSucceeded",
            "trialsEarlyStopped",
            "trialsFailed",
            "trialsKilled",
        )
        counts = Counter({name.removeprefix("trials").lower(): status.get(name, 0) for name in names})
        text = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        best = status.get("currentOptimalTrial", {}).get("bestTrialName")
        return f"trials: {text or 'none yet'}" + (f"; best so far {best}" if best else "")
