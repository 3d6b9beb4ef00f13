"""`Tuned`: the results of a study, as scripts and notebooks use them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kftune.errors import MissingExtraError, RunError
from kftune.hparams import Hparams
from kftune.results import State, Trial, Trials, open_results
from kftune.results.columns import LAST, counted_value, typed_columns
from kftune.results.page import results_page

if TYPE_CHECKING:
    import pandas

H_co = TypeVar("H_co", bound=Hparams, covariant=True)


@dataclass(frozen=True)
class Best(Generic[H_co]):
    """The best trial of a study.

    Attributes:
        trial: The trial, as it is stored.
        hparams: Its hyperparameters.
        metrics: The value that counts of each metric that it reported.
    """

    trial: Trial
    hparams: H_co
    metrics: dict[str, float]

    @property
    def name(self) -> str:
        """The name of the trial."""
        return self.trial.name

    @property
    def value(self) -> float:
        """Its value of the objective, the first one of several."""
        return float(self.trial.objective or 0.0)

    def __repr__(self) -> str:
        return f"<Best {self.name}: {self.value:g}; {self.hparams}>"


class Tuned(Generic[H_co]):
    """The results of a study, read from its folder when they are asked for.

    Args:
        folder: The folder.
        hparams: The class of its hyperparameters.

    Attributes:
        folder: The folder with the results, logs and outputs; `kftune results` and the other commands take it too.
    """

    def __init__(self, folder: Path, hparams: type[H_co]) -> None:
        self.folder = folder.resolve()
        self._hparams = hparams

    @contextmanager
    def open(self) -> Iterator[Trials]:
        """Opens the results for reading: curves, times, what proposed each trial.

        Raises:
            StoreError: They are gone, or cannot be read.
        """
        with open_results(self.folder) as results:
            yield results

    @property
    def name(self) -> str:
        """The name of the study."""
        with self.open() as results:
            return results.meta.name

    @property
    def reason(self) -> str | None:
        """What ended the study, such as ``MaxTrialsReached``; None while it runs."""
        with self.open() as results:
            return results.reason()

    @property
    def best(self) -> Best[H_co]:
        """The best trial; with several objectives, the trial of the Pareto set that is the best in the first one.

        Raises:
            RunError: No trial has succeeded.
        """
        with self.open() as results:
            trial = results.best()
            if trial is None:
                raise RunError(f"no trial of {results.meta.name} has succeeded; see kftune logs {self.folder}")
            return self._best(trial, results)

    @property
    def pareto(self) -> list[Best[H_co]]:
        """With several objectives, the trials of the Pareto set; with one, its best trial."""
        with self.open() as results:
            return [self._best(trial, results) for trial in results.pareto()]

    def _best(self, trial: Trial, results: Trials) -> Best[H_co]:
        found = {each.name: counted_value(trial, each.name, each.reduce) for each in results.meta.metrics}
        metrics = {name: value for name, value in found.items() if value is not None}
        return Best(trial, self._hparams.from_assignments(trial.assignment), metrics)

    def trials(self) -> list[Trial]:
        """Returns every trial, by number."""
        with self.open() as results:
            return results.trials()

    def counts(self) -> dict[State, int]:
        """Returns state -> number of trials."""
        with self.open() as results:
            return results.counts()

    def to_dataframe(self) -> pandas.DataFrame:
        """Returns one row for each trial: trial, state, the metrics, the hyperparameters, duration, started, message.

        A hyperparameter with the name of another column gets the prefix ``hparams.``.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MissingExtraError("pandas", "pandas", "use trials()") from error
        with self.open() as results:
            return pandas.DataFrame(_columns(results)).astype({"state": "category"})

    def _repr_html_(self) -> str:
        """Returns the page of the results in a frame of its own: no script runs, and no style leaks into a notebook."""
        with self.open() as results:
            page = escape(results_page(results), quote=True)
        return f'<iframe sandbox title="results" srcdoc="{page}" style="width:100%;height:32rem;border:0"></iframe>'

    def __repr__(self) -> str:
        with self.open() as results:
            best, counts = results.best(), results.counts()
            name = results.meta.objective.name
            found = "none has succeeded" if best is None else f"best {name}={best.objective:g} by {best.name}"
            return f"<Tuned {results.meta.name}: {sum(counts.values())} trials, {found}; {self.folder}>"


def _columns(results: Trials) -> dict[str, list[Any]]:
    """Returns the columns of the table."""
    found = typed_columns(results)
    last = {name: found[name] for name in ("duration", "started", "message")}
    return {name: values for name, values in found.items() if name not in (*last, *LAST, "pareto")} | last
