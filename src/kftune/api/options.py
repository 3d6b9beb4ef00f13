"""The keyword arguments of `tune` and `ask_tell`: parts of a study file, under short names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

from kftune.api.tuned import Tuned
from kftune.domains import Domain
from kftune.errors import UsageError, no_such_file, suggestion
from kftune.hparams import Hparams
from kftune.spec.part import Part
from kftune.study import Algorithm, Budget, Objective, Study, load_study

Start = str | Path | Mapping[str, Any] | Tuned[Any]
"""What a study can start from."""


class Options(TypedDict, total=False):
    """What may be given beside the study, the file, the function or the class; all of it is optional.

    Attributes:
        name: The name of the study, and of the folder of its results.
        values: Hyperparameters with a fixed value, by dotted name.
        search: Domains in place of those of the class, by dotted name; None removes one.
        constraints: Conditions that each point must meet, such as ``layers * units <= 512``.
        objective: The metric, or all settings of an objective as in a study file.
        direction: ``minimize`` (the default) or ``maximize``.
        objectives: Several objectives, each with the settings of a study file.
        metrics: More metrics to store.
        algorithm: Its name, or its name and settings as in a study file.
        seed: The seed of the algorithm.
        max_trials: How many trials.
        parallel: How many at the same time.
        max_failed: How many may fail.
        trial_timeout: The longest that a trial may take: seconds, or a text such as ``30m``.
        wall_clock: The longest that the study may take.
        retries: How often a trial runs again, such as ``{"failed": 1}``.
        stopping: Rules that end trials early, as in a study file.
        points: Values to try first, by dotted name.
        start_from: Past trials to start from: a folder, a file, the results of another call, settings as in a study
            file, or several of these.
    """

    name: str
    values: Mapping[str, Any]
    search: Mapping[str, Domain | Mapping[str, Any] | None]
    constraints: Sequence[str]
    objective: str | Mapping[str, Any] | Objective
    direction: Literal["minimize", "maximize"]
    objectives: Sequence[Mapping[str, Any] | Objective]
    metrics: Sequence[str | Mapping[str, Any]]
    algorithm: str | Mapping[str, Any] | Algorithm
    seed: int
    max_trials: int
    parallel: int
    max_failed: int
    trial_timeout: float | str
    wall_clock: float | str
    retries: Mapping[str, Any] | None
    stopping: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    points: Sequence[Mapping[str, Any]]
    start_from: Start | Sequence[Start]


_BUDGET = tuple(name for name in Options.__annotations__ if name in Budget.model_fields)
_SHORT = {*_BUDGET, "direction", "seed", "algorithm", "objective"}


def study_at(path: Path) -> Study:
    """Returns the study of a file.

    Args:
        path: The file.

    Raises:
        UsageError: There is no such file.
        StudyError: The study is invalid.
        YamlError: The file is not YAML.
    """
    if not path.is_file():
        raise no_such_file(path)
    return load_study(path)


def changed(study: Study, options: Mapping[str, Any]) -> Study:
    """Returns a study with the options in place of its own settings.

    Args:
        study: The study.
        options: The options.

    Raises:
        UsageError: An option is unknown, or two exclude each other.
        StudyError: The study is invalid with them.
    """
    return study.replace(**_parts(options, study)) if options else study


def study_of(hparams: type[Hparams], name: str, step: Mapping[str, Any], options: Mapping[str, Any]) -> Study:
    """Returns a study of a class.

    Args:
        hparams: The class.
        name: Its name, unless the options have one.
        step: What its trials run.
        options: The options.

    Raises:
        UsageError: An option is unknown, or two exclude each other.
        StudyError: The study is invalid.
    """
    parts = {"name": name, "step": step, **_parts(options)}
    if "objectives" not in options:
        parts.setdefault("objective", _objective(None, options))
    return Study(hparams=hparams, **parts)


def _parts(options: Mapping[str, Any], study: Study | None = None) -> dict[str, Any]:
    """Returns the keys of a study file that the options stand for."""
    _check(options)
    parts = {name: _as_in_a_file(value) for name, value in options.items() if name not in _SHORT}
    if "start_from" in options:
        given = options["start_from"]
        several = given if isinstance(given, list | tuple) else [given]
        parts["start_from"] = tuple([str(each.folder) if isinstance(each, Tuned) else each for each in several])
    for name in ("values", "search"):
        if study and name in parts:
            parts[name] = {**getattr(study, name), **options[name]}
    budget = {name: options[name] for name in _BUDGET if name in options}
    if budget:
        parts["budget"] = {**(_given(study.budget) if study else {}), **budget}
    if "algorithm" in options or "seed" in options:
        parts["algorithm"] = _algorithm(study, options)
    if "objective" in options or "direction" in options:
        parts["objective"] = _objective(study, options)
    return parts


def _check(options: Mapping[str, Any]) -> None:
    for name in options:
        if name not in Options.__annotations__:
            raise UsageError(f"unknown option {name!r}; {suggestion(name, Options.__annotations__)}")
    for name in ("objective", "direction"):
        if name in options and "objectives" in options:
            raise UsageError(
                f"each of several objectives has its own direction, so {name} is not given with objectives"
            )


def _algorithm(study: Study | None, options: Mapping[str, Any]) -> dict[str, Any]:
    given = options.get("algorithm")
    found = _settings(given, "name") if given is not None else _given(study.algorithm) if study else {}
    return {**found, **({"seed": options["seed"]} if "seed" in options else {})}


def _objective(study: Study | None, options: Mapping[str, Any]) -> dict[str, Any]:
    given = options.get("objective")
    if given is None and study is not None:
        if len(study.objectives) > 1:
            raise UsageError("the study has several objectives; give all of them with objectives=[...]")
        found = _given(study.objective)
    else:
        found = {"metric": "objective", **_settings(given, "metric")}
        found.setdefault("direction", study.objective.direction if study else "minimize")
    return {**found, **({"direction": options["direction"]} if "direction" in options else {})}


def _settings(given: object, key: str) -> dict[str, Any]:
    """Returns settings that are given as a text, a mapping or a part of a study."""
    if given is None:
        return {}
    if isinstance(given, Part):
        return _given(given)
    return dict(given) if isinstance(given, Mapping) else {key: given}


def _given(part: Part) -> dict[str, Any]:
    return {name: getattr(part, name) for name in part.model_fields_set}


def _as_in_a_file(value: object) -> object:
    """Returns a value in the types that a study takes: dicts and tuples."""
    if isinstance(value, Mapping):
        return dict(value)
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else value
