"""Reads what the trials of an Experiment report, as each of Katib's collectors does.

The rows are those of `kftune.katib.trial.collector`, exact to the character. There is one difference, unless
`as_katib` is set: a trial whose value is not a finite number has no objective, where Katib may take it for the best.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from kftune import confined
from kftune.errors import KatibError, RunError
from kftune.katib.go.numbers import go_float
from kftune.katib.trial import METRICS_LOG
from kftune.katib.trial.collector import UNAVAILABLE, Collector, Row, as_passed
from kftune.katib.trial.medianstop import Finished
from kftune.katib.trial.stopping import StopRule, StopWatch
from kftune.local.experiment.metrics import Metrics, local_folder
from kftune.local.experiment.push import MetricsServer
from kftune.local.experiment.reported import ReportedRows
from kftune.local.experiment.tally import Tally
from kftune.local.study.failure import end_of
from kftune.local.study.missing_objective import SEARCHED, why_not_read
from kftune.local.study.plan import Reader
from kftune.metrics.curves import Curve
from kftune.metrics.log_scanner import LineCutter
from kftune.metrics.near_lines import NearLine
from kftune.metrics.near_rows import near_rows
from kftune.metrics.values import MetricValues
from kftune.results import RunFolder, State
from kftune.stopping import Report

BETWEEN_LOOKS = 0.5
CHUNK = 1 << 18


def is_finite(text: str) -> bool:
    """Whether a reported value is a finite number."""
    number = go_float(text)
    return number is not None and math.isfinite(number)


class Collection:
    """What the readers of an Experiment's trials share.

    `stopped_by` is the service that stops trials early. `interrupted` says whether the user has asked for the end; then
    nothing more is read of a trial's files.

    Args:
        metrics: The Experiment's metrics.
        folder: Where results go.
        server: Receives pushed metrics; None if none are pushed.
        as_katib: Whether values that are not finite numbers count as on Katib.
        wrapped: Whether the output goes to a file and a mark in a file shows success, as on a cluster.
    """

    def __init__(
        self, metrics: Metrics, folder: RunFolder, server: MetricsServer | None, *, as_katib: bool, wrapped: bool
    ) -> None:
        self.metrics = metrics
        self.server = server
        self.as_katib = as_katib
        self.wrapped = wrapped
        self.stopped_by = "medianstop"
        self.interrupted: Callable[[], bool] = confined.never
        self._folder = folder
        self.has_rules = False
        self._finished: list[Finished] = []

    def tally(self) -> Tally:
        """Returns what takes the rows of one trial."""
        return Tally(self.metrics.names, self.counts, has_rules=self.has_rules)

    def counts(self, row: Row) -> bool:
        """Whether a row counts: not a non-finite value of the objective, unless `as_katib`."""
        return self.as_katib or row.name != self.metrics.objective or is_finite(row.value)

    def remember(self, trial: str, values: Sequence[str], state: State) -> None:
        """Stores a trial's values of the objective, for the rules of later trials.

        Args:
            trial: Its name.
            values: What it reported of the objective.
            state: How it ended.
        """
        self._finished.append(Finished(trial, state == "Succeeded", [*values], stopped=state == "EarlyStopped"))

    def output(self, trial: str) -> Path:
        """Returns the output folder of a trial; what is in it may be anything."""
        return self._folder.output(trial)

    def local_path(self, trial: str) -> Path:
        """Returns the path that is used here for the one at which the collector reads."""
        path, output = self.metrics.path or METRICS_LOG, self.output(trial)
        if self.metrics.is_folder:
            return local_folder(output, path)
        folder, _, name = path.rpartition("/")
        return local_folder(output, folder) / name


class RowsReader(Reader):
    """The base of the readers of all collectors: it turns rows into an observation."""

    def __init__(self, collection: Collection, trial: str) -> None:
        self._rows = collection.tally()
        self._collection = collection
        self._metrics = collection.metrics
        self._trial = trial
        self._failure = ""
        self._values: dict[str, MetricValues] = {}
        self._reported = ReportedRows()

    # -- while it runs -----------------------------------------------------------------------------------------

    def latest(self, metric: str) -> MetricValues | None:
        """Returns the latest report, if it is a finite number."""
        text = self._rows.latest.get(metric)
        if text is None or not is_finite(text):
            return None
        return MetricValues(text, text, text, 1)

    def _take(self, rows: Iterable[Row]) -> list[str]:
        found = list(rows)
        self._rows.take(found)
        self._reported.take(found)
        return list(dict.fromkeys(row.name for row in found))

    def reports(self) -> Sequence[Report]:
        """The finite values that were reported since the last call."""
        return self._reported.take_new()

    # -- when it has ended -------------------------------------------------------------------------------------

    @property
    def curves(self) -> Mapping[str, Curve]:
        """What was reported over time."""
        return self._reported.curves

    def close(self) -> None:
        """Reads the rest, and makes the observation."""
        self._read_rest()
        rows = self._rows
        if not rows.counts[self._metrics.objective]:
            return  # as in Katib, a missing objective drops the other metrics too
        if rows.error is not None:
            self._failure = f"Katib's controller would retry forever: {rows.error}"
            return
        for metric in rows.metrics():
            if metric.latest != UNAVAILABLE:
                count = rows.counts[metric.name]
                self._values[metric.name] = MetricValues(metric.min, metric.max, metric.latest, count)

    def _read_rest(self) -> None:
        """Reads what could not be read while the trial ran."""

    def reread(self, log: Path) -> None:
        """Reads the report of an earlier trial from its files."""
        self._read_rest()

    @property
    def values(self) -> dict[str, MetricValues]:
        """The observation, without unavailable values."""
        return self._values

    @property
    def objective(self) -> float | None:
        """The objective's value by its strategy."""
        values = self._values.get(self._metrics.objective)
        if values is None:
            return None
        text = values.text(self._metrics.strategies.get(self._metrics.objective, "latest"))
        number = go_float(values.latest if text == UNAVAILABLE else text)
        return number if number is not None and math.isfinite(number) else None

    @property
    def objectives(self) -> Sequence[str]:
        """All values of the objective that count, if rules of early stopping need them."""
        return self._rows.objectives

    def why_failed(self) -> str:
        """Returns why a trial with exit code 0 fails on Katib; empty if it does not."""
        return self._failure

    def why_unavailable(self, log: Path) -> str:
        """Returns why there is no objective; empty if there is one."""
        name = self._metrics.objective
        if self.objective is not None or (self._collection.as_katib and name in self._values):
            return ""
        taken = "Katib counts such a trial as succeeded, and may take it for the best"
        if name in self._values:
            latest = self._values[name].latest
            return f"the latest value of the objective {name!r} counts, and {latest!r} is not a finite number; {taken}"
        refused = self._rows.first
        if refused and self._rows.are_numbers:
            texts = ", ".join(dict.fromkeys(refused))
            return f"the objective {name!r} was reported, but never as a finite number ({texts}); {taken}"
        return f"{self._why_missing(log)}{f'; {taken}' if refused else ''}"

    def _why_missing(self, log: Path) -> str:
        metrics = self._metrics

        def near(name: str, lines: Iterable[bytes]) -> Iterator[NearLine]:
            return near_rows(name, lines, metrics.filters, metrics.format)

        return why_not_read(metrics.objective, self._end(log), near, metrics.format)

    def _end(self, log: Path) -> bytes:
        return end_of(log, SEARCHED)

    def ended(self, state: State) -> None:
        """Stores the reports for the rules of later trials."""
        self._collection.remember(self._trial, self.objectives, state)


class LinesReader(RowsReader):
    """Reads a text line by line, and checks the rules of early stopping."""

    def __init__(self, collection: Collection, trial: str, rules: Sequence[StopRule]) -> None:
        super().__init__(collection, trial)
        metrics = collection.metrics
        names, filters = as_passed(metrics.names, metrics.filters)
        self._collector = Collector(names, filters, metrics.format, keep=False)
        self._cutter = LineCutter()
        watch = partial(StopWatch, objective=metrics.objective, objective_type=metrics.direction, filters=filters)
        self._watch = watch(rules, format=metrics.format) if rules else None
        self._rules = rules

    def _lines(self, chunk: bytes) -> list[str]:
        block = self._cutter.feed(chunk)
        if not block or self._failure:
            return []
        return self._block(block[:-1] if block.endswith(b"\n") else block)

    def _block(self, block: bytes) -> list[str]:
        found: list[Row] = []
        for line in block.split(b"\n"):
            try:
                found += self._collector.line(line)
            except KatibError as error:
                self._fail(error)
                break
            if self._watch is not None:
                self._look_at_rules(self._watch, line)
        return self._take(found)

    def _look_at_rules(self, watch: StopWatch, line: bytes) -> None:
        try:
            if watch.line(line):
                self._stop()
        except KatibError as error:
            # A rule that cannot be evaluated ends the trial on Katib, and is dropped here.
            self._watch = None
            if self._collection.as_katib:
                self._fail(error)

    def _stop(self) -> None:
        self._watch = None
        rules = " and ".join(f"{rule.name} {rule.comparison} than {rule.value}" for rule in self._rules)
        count = self._rules[0].start_step
        step = f" after {count} report{'' if count == 1 else 's'}" if count else ""
        self.stop_rule = self._collection.stopped_by
        self.stop = f"stopped early by {self._collection.stopped_by}: {rules}{step}"

    def _fail(self, error: KatibError) -> None:
        self._failure = f"Katib's collector ends with an error, and the trial fails: {error}"

    def _rest_of_lines(self) -> None:
        rest = self._cutter.close()
        if rest and not self._failure:
            self._block(rest)


class OutputReader(LinesReader):
    """StdOut: what the trial prints."""

    def feed(self, chunk: bytes) -> Sequence[str]:
        """Takes a piece of the trial's output; returns the metrics reported in it."""
        return self._lines(chunk)

    def _read_rest(self) -> None:
        self._rest_of_lines()

    def reread(self, log: Path) -> None:
        """Reads an earlier trial's log."""
        with log.open("rb") as file:
            while chunk := file.read(CHUNK):
                self._lines(chunk)
        self._rest_of_lines()


class PushReader(RowsReader):
    """Push: what the trial sends by Katib's `report_metrics`."""

    def __init__(self, collection: Collection, trial: str) -> None:
        super().__init__(collection, trial)
        if collection.server is None:
            raise RunError("metrics that are pushed need a server")
        self._server = collection.server
        self._server.forget(trial)
        self.next_look = time.monotonic() + BETWEEN_LOOKS

    def look(self) -> Sequence[str]:
        """Reads what was pushed since."""
        self.next_look = time.monotonic() + BETWEEN_LOOKS
        new = [Row(*row) for row in self._server.take_new(self._trial) if row.name in self._metrics.names]
        self._reported.take(new)
        # A trial may remove rows from the server, and add some for other trials' metrics.
        self._rows = self._collection.tally()
        self._rows.take(Row(*row) for row in self._server.rows(self._trial) if row.name in self._metrics.names)
        return list(dict.fromkeys(row.name for row in new))

    def _read_rest(self) -> None:
        self.look()

    def _why_missing(self, log: Path) -> str:
        return (
            f"exit code 0, but {self._metrics.objective!r} was never pushed; report it with report_metrics of "
            f"kubeflow.katib (it needs no address here)"
        )
