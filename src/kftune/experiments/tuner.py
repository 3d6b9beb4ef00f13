"""`HyperparameterTuner`: an experiment list in Python, and what reads its results."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kftune import json_input, yaml_text
from kftune.errors import ConfigurationError, ExperimentFailedError
from kftune.experiments.file import Experiments, list_from_dict, load_list
from kftune.experiments.results import PATTERN, results_of, stamp, write_results
from kftune.experiments.run import run_list
from kftune.local.views import study_view

OUTPUT = "training_output"
"""The folder of results if none is given."""


class HyperparameterTuner:
    """Runs the experiments of a list, as ``kftune experiments`` does.

    Args:
        config_file: The experiment list.
        output_dir: The folder of results.
        results_file: The file that `save_results` writes; default: a new one in the current folder.

    Raises:
        FileNotFoundError: The file is missing.
        yaml.YAMLError: The file is not YAML; it is a `kftune.errors.YamlError` too.
        ConfigurationError: The list is invalid; it is a ValueError too.

    Attributes:
        config: The content of the file.
        results: What the last run found, in the form of the results file.
    """

    def __init__(
        self,
        config_file: str | Path = "config/phase3_simple_configs.yaml",
        *,
        output_dir: str | Path = OUTPUT,
        results_file: str | Path | None = None,
    ) -> None:
        self.config_file = Path(config_file)
        self.output_dir = Path(output_dir)
        self.timestamp = stamp()
        self.results_file = results_path(results_file, self.timestamp)
        self.config = self.load_config(config_file)
        self._listed = load_list(self.config_file)
        self.results: dict[str, Any] = results_of(self._listed, [], self.timestamp)

    def load_config(self, config_file: str | Path) -> dict[str, Any]:
        """Returns the content of an experiment list, and checks it.

        Args:
            config_file: The file.

        Raises:
            FileNotFoundError: The file is missing.
            yaml.YAMLError: It is not YAML.
            ConfigurationError: The list is invalid, with file, line and column of each mistake.
        """
        path = Path(config_file)
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        load_list(path)
        found = yaml_text.load(text, file=str(path))
        return found if isinstance(found, dict) else {}

    def validate_config(self, config: Mapping[str, Any]) -> None:
        """Checks the content of an experiment list.

        Args:
            config: The content.

        Raises:
            ConfigurationError: It is invalid; the error has all mistakes, and is a ValueError.
        """
        list_from_dict(config, folder=self.config_file.parent)

    def run_experiments(
        self, experiment_names: Iterable[str] | None = None, *, parallel: int = 1, check: bool = False
    ) -> dict[str, Any]:
        """Runs experiments, saves the results after each of them, and returns them.

        An experiment that has finished in an earlier run does not run again: its result is read.

        Args:
            experiment_names: Their names in the list; None for all.
            parallel: How many run at the same time.
            check: Whether failed experiments are an error, after all have ended.

        Raises:
            ConfigurationError: A name is unknown.
            ExperimentFailedError: With `check`, if an experiment has failed.
            KeyboardInterrupt: The run was interrupted; the results of experiments that had ended are saved.
            RunError: The list cannot run here.
            StoreError: Another run writes to the folder, or it holds other results.
        """
        if isinstance(experiment_names, str):
            experiment_names = [experiment_names]
        keys = None if experiment_names is None else list(experiment_names)
        self._run(self._listed, keys, parallel)
        failed = [each for each in self.results["all_results"] if each["status"] == "failed"]
        if check and failed:
            first = failed[0]
            raise ExperimentFailedError(
                f"{len(failed)} of {len(self.results['all_results'])} experiments have failed, the first is "
                f"{first['experiment_name']}: {first['error_message']}"
            )
        return self.results

    def run_single_experiment(self, experiment_name: str, experiment_config: Mapping[str, Any]) -> dict[str, Any]:
        """Runs one experiment, which need not be in the file, and returns its result.

        Args:
            experiment_name: Its name.
            experiment_config: Its values, as in the list.

        Raises:
            ConfigurationError: It is invalid.
            KeyboardInterrupt: The run was interrupted.
            RunError: It cannot run here.
            StoreError: Another run writes to the folder, or it holds other results.
        """
        others = {key: value for key, value in self.config.items() if key != "experiments"}
        content = {**others, "experiments": {experiment_name: experiment_config}}
        listed = list_from_dict(content, self._listed.name, self.config_file.parent)
        results = self._run(listed, None, 1)
        found: dict[str, Any] = results["all_results"][0]
        return found

    def save_results(self) -> str:
        """Writes the results of the last run, and returns the path of the file."""
        write_results(self.results_file, self.results)
        return str(self.results_file)

    def _run(self, listed: Experiments, keys: Sequence[str] | None, parallel: int) -> dict[str, Any]:
        def save(found: Any) -> None:
            self.results = results_of(listed, found, self.timestamp)
            self.save_results()

        with study_view(sys.stdout, plain=True) as view:
            run = run_list(
                listed,
                self.output_dir,
                keys=keys,
                parallel=parallel,
                on_event=view,
                on_found=save,
                results_file=self.results_file,
            )
        if run.outcome.state == "Interrupted":
            raise KeyboardInterrupt
        return self.results


def results_path(given: str | Path | None, timestamp: str) -> Path:
    """Returns the file for results.

    Args:
        given: The file that was asked for.
        timestamp: When the run began.
    """
    return Path(PATTERN.replace("*", timestamp)) if given is None else Path(given)


def load_latest_results(folder: str | Path = ".") -> dict[str, Any] | None:
    """Returns the most recent results in a folder; None if there are none.

    The time in the file's name counts, not the time of the file: a copy is not newer than what it copies.

    Args:
        folder: The folder.

    Raises:
        ConfigurationError: The file is not one of results.
    """
    files = sorted(Path(folder).glob(PATTERN), key=lambda file: file.name)
    if not files:
        return None
    try:
        found = json_input.loads(files[-1].read_bytes())
    except ValueError as error:
        raise ConfigurationError(
            f"a results file holds JSON, but this one does not: {error}", str(files[-1])
        ) from error
    return found if isinstance(found, dict) else None


def get_best_hyperparameters(folder: str | Path = ".") -> dict[str, Any] | None:
    """Returns the hyperparameters of the best experiment in the most recent results; None if there is none.

    Args:
        folder: The folder with the results.
    """
    results = load_latest_results(folder)
    best = results.get("best_result") if results else None
    return best["hyperparameters"] if best else None
