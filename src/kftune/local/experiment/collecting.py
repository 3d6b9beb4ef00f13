"""Makes the reader of each trial of an Experiment, with its early-stopping rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kftune.confined import end_of
from kftune.earlystopping.fixed import FixedRules
from kftune.earlystopping.names import ALGORITHMS, PREFIX
from kftune.earlystopping.settings import rule_of
from kftune.errors import KatibError, RunError, SettingError, suggestion
from kftune.katib.trial.medianstop import MedianStop
from kftune.katib.trial.stopping import StopRule
from kftune.local.experiment.file_readers import EventReader, FileReader
from kftune.local.experiment.metrics import Metrics
from kftune.local.experiment.push import MetricsServer
from kftune.local.experiment.readers import Collection, OutputReader, PushReader, RowsReader
from kftune.results import RunFolder, Trial


class Readers(Collection):
    """Makes the reader of each trial, with its early-stopping rules.

    Args:
        metrics: The Experiment's metrics.
        stopping: spec.earlyStopping; None for none.
        folder: Where results go.
        server: Receives pushed metrics; None if none are pushed.
        as_katib: Whether values that are not finite numbers count as on Katib.
        wrapped: Whether the output goes to a file and a mark in a file shows success, as on a cluster.
    """

    def __init__(
        self,
        metrics: Metrics,
        stopping: Mapping[str, Any] | None,
        folder: RunFolder,
        server: MetricsServer | None = None,
        *,
        as_katib: bool = False,
        wrapped: bool = False,
    ) -> None:
        super().__init__(metrics, folder, server, as_katib=as_katib, wrapped=wrapped)
        self._service = None if stopping is None else _service(metrics, stopping)
        self.has_rules = self._service is not None
        if stopping is not None and stopping.get("algorithmName", "").startswith(PREFIX):
            self.stopped_by = stopping["algorithmName"]

    def make(self, trial: str) -> RowsReader:
        """Returns the reader of a trial that starts now."""
        kind = self.metrics.kind
        if kind == "Push":
            return PushReader(self, trial)
        if kind == "TensorFlowEvent":
            return EventReader(self, trial)
        rules = self._rules()
        if kind == "File" or self.wrapped:
            return FileReader(self, trial, rules)
        return OutputReader(self, trial, rules)

    def end(self, trial: str, size: int) -> bytes | None:
        """Returns the end of what the collector reads of a trial; None if there is no file.

        Args:
            trial: Its name.
            size: How many bytes, at most.
        """
        if self.metrics.kind == "File" or self.wrapped:
            return end_of(self.output(trial), self.local_path(trial), size)
        return end_of(self._folder.path, self._folder.log(trial), size)

    def recall(self, trials: Iterable[Trial]) -> None:
        """Reads the logs of earlier trials again, if rules depend on them."""
        if self._service is None:
            return
        for trial in trials:
            if trial.state in ("Succeeded", "EarlyStopped"):
                reader = self.make(trial.name)
                reader.reread(self._folder.log(trial.name))
                self.remember(trial.name, reader.objectives, trial.state)

    def _rules(self) -> list[StopRule]:
        if self._service is None:
            return []
        try:
            return self._service.rules(self._finished)
        except KatibError as error:
            raise RunError(f"early stopping fails, and on Katib the Experiment hangs: {error}") from error


def _service(metrics: Metrics, stopping: Mapping[str, Any]) -> MedianStop | FixedRules | None:
    """Returns the service that Katib would ask.

    Raises:
        RunError: It is unknown here, or refuses its settings.
    """
    if metrics.kind not in ("StdOut", "File"):
        return None
    name = stopping.get("algorithmName", "")
    settings = [(each.get("name", ""), each.get("value", "")) for each in stopping.get("algorithmSettings", ())]
    if name == "medianstop":
        return MedianStop(settings, metrics.objective, metrics.direction)
    if not name.startswith(PREFIX):
        raise RunError(
            f"early stopping by {name!r} is unknown here; {suggestion(name, ('medianstop', *ALGORITHMS))}, or remove "
            f"spec.earlyStopping"
        )
    try:
        return FixedRules(rule_of(name, settings), metrics.objective, metrics.direction)
    except SettingError as error:
        raise RunError(f"spec.earlyStopping: {error}; on Katib the Experiment fails") from error
