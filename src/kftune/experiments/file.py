"""Experiment lists: a YAML file to `Experiments`. All mistakes of a file are found before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, model_validator

from kftune.errors import ConfigurationError, KftuneError, UnknownNameError
from kftune.experiments.entries import Experiment, read_entry
from kftune.experiments.targets import EPOCHS, SECONDS, Target, read_target
from kftune.hparams import Hparams
from kftune.hparams.models.ocr import OcrHparams
from kftune.hparams.registry import HPARAMS_REGISTRY, name_of
from kftune.spec.classes import load_class
from kftune.spec.load import FileType, load_part, part_from_dict
from kftune.spec.part import Part, PartError
from kftune.spec.quantities import Seconds
from kftune.spec.schema import file_schema
from kftune.study import Objective, Step
from kftune.study.objective import MetricSpec, Reduce
from kftune.study.objectives import definitions_of, reductions_of
from kftune.study.targets import KatibTarget
from kftune.study.types import HparamsClass, Metric
from kftune.validation import InputProblem

# What a list of OcrHparams has if it does not say otherwise: the metrics, targets and results of its first experiments.
_OCR_OBJECTIVE = Objective(metric="val_char_accuracy", direction="maximize")
_OCR_METRICS = (MetricSpec(name="val_seq_accuracy", reduce="max"), MetricSpec(name="train_loss"))
_OCR_TARGETS = {"character_accuracy": "val_char_accuracy", "sequence_accuracy": "val_seq_accuracy"}
_OCR_SHOWN = (
    *("model_name", "batch_size", "learning_rate", "weight_decay", "loss_type", "scheduler_type", "optimizer_type"),
)


class ExperimentList(Part):
    """The keys of an experiment list. Without `hparams` and `step`, its experiments train models that read numbers."""

    ERROR: ClassVar[type[ConfigurationError]] = ConfigurationError

    name: str = Field("", max_length=200)
    """The name of the list; default: that of the file."""
    description: str = ""
    """What it is about, in one sentence."""
    hparams: HparamsClass = Field(default_factory=lambda: OcrHparams)
    """The class of hyperparameters: its name in the registry, or ``module:Class``."""
    step: Step
    """What each experiment runs; default: ``python -m kftune.training`` with the class's model type."""
    objective: Objective | None = None
    """The metric by which the best experiment is chosen. OcrHparams: val_char_accuracy."""
    metrics: tuple[Metric, ...] | None = None
    """More metrics for the results; a text is the name of one. OcrHparams: val_seq_accuracy and train_loss."""
    hyperparameters: tuple[str, ...] | None = None
    """The hyperparameters in the results; default: all."""
    trial_timeout: Seconds | None = None
    """Longest duration of one experiment."""
    katib: KatibTarget = KatibTarget()
    """Options of the rendered Experiment."""
    experiments: dict[str, Any] = Field(min_length=1)
    """Name -> the values of an experiment: those of its fields, or groups of them."""
    targets: dict[str, Any] = Field(default_factory=dict)
    """What an experiment should reach: metric -> number, or at_least and at_most."""

    @model_validator(mode="before")
    @classmethod
    def _complete_step(cls, data: Any, info: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        step, hparams = data.get("step", {}), _class_of(data, (info.context or {}).get("folders", ()))
        if hparams is None or not isinstance(step, Mapping) or {"module", "command"} & step.keys():
            return data
        model = name_of(hparams)
        if model not in HPARAMS_REGISTRY:
            return data
        own = {"module": "kftune.training", "args": [HPARAMS_REGISTRY[model]["model_type"], *step.get("args", ())]}
        return {**data, "step": {**step, **own}}


def _class_of(data: Mapping[str, Any], folders: Sequence[Path]) -> type[Hparams] | None:
    """Returns the class of a list; None if it has none, which is reported elsewhere."""
    given = data.get("hparams", OcrHparams)
    if isinstance(given, type) and issubclass(given, Hparams):
        return given
    try:
        return load_class(given, folders) if isinstance(given, str) else None
    except KftuneError:
        return None


def _further(data: Mapping[str, Any], folders: Sequence[Path]) -> list[InputProblem]:
    """Returns what is wrong with the experiments, and with what they need."""
    hparams, experiments = _class_of(data, folders), data.get("experiments")
    if hparams is None:
        return []
    found: list[InputProblem] = []
    if "objective" not in data and not issubclass(hparams, OcrHparams):
        text = f"a list of {hparams.__name__} needs an objective: {{metric: val_loss, direction: minimize}}"
        found.append(InputProblem((), text))
    shown = data.get("hyperparameters")
    for index, name in enumerate(shown if isinstance(shown, (list, tuple)) else ()):
        if isinstance(name, str) and name not in hparams.leaves():
            unknown = str(UnknownNameError("hyperparameter", name, hparams.leaves()))
            found.append(InputProblem(("hyperparameters", index), unknown))
    if isinstance(experiments, Mapping):
        for key, value in experiments.items():
            found += read_entry(hparams, str(key), value).problems
        found += _repeated(hparams, experiments)
    return found + _about_targets(data, hparams)


def _repeated(hparams: type[Hparams], experiments: Mapping[Any, Any]) -> list[InputProblem]:
    """Returns a problem for each experiment with the name of an earlier one."""
    first: dict[str, str] = {}
    found = []
    for key, value in experiments.items():
        name = read_entry(hparams, str(key), value).name
        other = first.setdefault(name, str(key))
        if other != str(key):
            text = f"each experiment needs its own experiment_name, but {name!r} is that of {other!r} too"
            found.append(InputProblem(("experiments", str(key), "experiment_name"), text))
    return found


def _about_targets(data: Mapping[str, Any], hparams: type[Hparams]) -> list[InputProblem]:
    targets = data.get("targets")
    try:
        objective, metrics = _measured(data, hparams)
    except (ValueError, TypeError):  # the fields of the class say what is wrong with them
        return []
    try:
        reductions = _reductions(objective, metrics)
    except PartError as error:
        return [InputProblem(error.path, error.message)]
    names = _names_of_targets(reductions, hparams)
    found = []
    for name, value in targets.items() if isinstance(targets, Mapping) else ():
        problem = read_target(str(name), value, names, reductions).problem
        if problem is not None:
            found.append(InputProblem(("targets", str(name)), problem.message, problem.at_key))
    return found


def _measured(data: Mapping[str, Any], hparams: type[Hparams]) -> tuple[Objective, tuple[MetricSpec, ...]]:
    """Returns the objective and the metrics of a list, which may come from a file."""
    objective, metrics = data.get("objective"), data.get("metrics")
    is_ocr = issubclass(hparams, OcrHparams)
    if objective is None and is_ocr:
        objective = _OCR_OBJECTIVE
    if metrics is None:
        own = _OCR_METRICS if is_ocr else ()
        metrics = tuple(each for each in own if each.name != getattr(objective, "metric", None))
    specs = [MetricSpec(name=each) if isinstance(each, str) else each for each in metrics]
    return (
        Objective.model_validate(objective),
        tuple(MetricSpec.model_validate(each) for each in specs),
    )


def _reductions(objective: Objective, metrics: Sequence[MetricSpec]) -> dict[str, Reduce]:
    return reductions_of((objective,), metrics)


def _names_of_targets(reductions: Iterable[str], hparams: type[Hparams]) -> dict[str, str]:
    """Returns the names of targets: name -> what is measured."""
    others = {name: metric for name, metric in _OCR_TARGETS.items() if metric in reductions}
    own = others if issubclass(hparams, OcrHparams) else {}
    return {**own, SECONDS: SECONDS, EPOCHS: EPOCHS, **{name: name for name in reductions}}


LIST = FileType(
    name="experiment list", keys="experiments:", model=ExperimentList, named=("experiments",), further=_further
)


@dataclass(frozen=True)
class Experiments:
    """What an experiment list describes.

    Attributes:
        name: Its name.
        file: What it has.
        place: The folder in which its experiments run.
        objective: The metric by which the best experiment is chosen.
        metrics: Further metrics.
        experiments: Key -> experiment, in the order of the file.
        targets: What an experiment should reach.
        shown: The hyperparameters in the results.
    """

    name: str
    file: ExperimentList
    place: Path
    objective: Objective
    metrics: tuple[MetricSpec, ...]
    experiments: Mapping[str, Experiment]
    targets: tuple[Target, ...]
    shown: tuple[str, ...]

    @property
    def reductions(self) -> dict[str, Reduce]:
        """Name of each metric, the objective first -> which value of an experiment is used."""
        return _reductions(self.objective, self.metrics)

    def chosen(self, keys: Iterable[str] | None) -> list[Experiment]:
        """Returns experiments by the names that the file has for them.

        Args:
            keys: The names; None for all.

        Raises:
            ConfigurationError: A name is unknown.
        """
        if keys is None:
            return [*self.experiments.values()]
        wanted = dict.fromkeys(keys)
        known = self.experiments
        unknown = [UnknownNameError("experiment", key, known) for key in wanted if key not in known]
        if unknown:
            raise ConfigurationError("\n".join(map(str, unknown)))
        return [self.experiments[key] for key in wanted]


def load_list(path: str | Path, overrides: Sequence[str] = ()) -> Experiments:
    """Returns what a file describes.

    Args:
        path: The YAML file.
        overrides: ``step.image=…`` sets a key, ``~targets`` removes one; values are YAML.

    Raises:
        ConfigurationError: The list is invalid; the error has all mistakes, with file, line and column.
        YamlError: The file is not YAML.
        UsageError: An override has another form.
        OSError: The file cannot be read.
    """
    file = Path(path)
    made = load_part(file, LIST, overrides)
    return _list(made, made.name or file.stem, file.resolve().parent)


def list_from_dict(data: Mapping[str, Any], name: str = "experiments", folder: Path | None = None) -> Experiments:
    """Returns the list that nested values describe, as a file would.

    Args:
        data: The values.
        name: The name of the list, if the values have none.
        folder: The folder of that file; None takes the current folder.

    Raises:
        ConfigurationError: They are invalid; the error has all mistakes.
    """
    if not isinstance(data, Mapping):
        raise ConfigurationError(f"an experiment list is a mapping with the key experiments, but got {data!r}")
    folder = (folder or Path.cwd()).resolve()
    made = part_from_dict(data, LIST, tuple(dict.fromkeys((folder, Path.cwd()))))
    return _list(made, made.name or name, folder)


def _list(file: ExperimentList, name: str, folder: Path) -> Experiments:
    hparams = file.hparams
    # A list that names a class or a step is like a study, with its script in its folder. Otherwise its paths are those
    # of the person who starts it.
    own = "hparams" in file.model_fields_set or file.step.module != "kftune.training"
    measured = {field: getattr(file, field) for field in ("objective", "metrics")}
    objective, metrics = _measured(measured, hparams)
    reductions = _reductions(objective, metrics)
    definitions_of((objective,), metrics)
    names = _names_of_targets(reductions, hparams)
    targets = [read_target(key, value, names, reductions).target for key, value in file.targets.items()]
    shown = file.hyperparameters or (_OCR_SHOWN if issubclass(hparams, OcrHparams) else tuple(hparams.leaves()))
    return Experiments(
        name=name,
        file=file,
        place=folder if own else Path.cwd(),
        objective=objective,
        metrics=metrics,
        experiments={key: read_entry(hparams, key, value).experiment for key, value in file.experiments.items()},
        targets=tuple(target for target in targets if target is not None),
        shown=shown,
    )


def experiments_schema() -> dict[str, Any]:
    """Returns the JSON Schema (draft 2020-12) of an experiment list."""
    schema = file_schema(ExperimentList, "kftune experiment list")
    schema["required"].remove("step")  # a class of the registry has one
    return schema
