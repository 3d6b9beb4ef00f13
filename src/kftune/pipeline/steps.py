"""The kinds of steps, and what each requires."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from kftune.errors import KftuneError
from kftune.hparams import Hparams
from kftune.pipeline.condition import ConditionField
from kftune.pipeline.job import Job
from kftune.pipeline.names import flag
from kftune.pipeline.ports import (
    EXECUTOR_OUTPUT,
    METRICS_TYPES,
    Inputs,
    Output,
    Outputs,
    OutputsField,
)
from kftune.pipeline.references import OutputReference, parse, read_value, refuse_reference, write_value
from kftune.pipeline.shared import SharedFields
from kftune.spec.arguments import Arguments
from kftune.spec.beside import find_file
from kftune.spec.container import Command
from kftune.spec.labels import DnsLabel, LabelValue
from kftune.spec.part import PartError, located
from kftune.study import Study, load_study
from kftune.study.each import refuse_entities
from kftune.study.types import HparamsClass


def _each(change: Callable[[Any], object], value: object) -> object:
    """Returns nested values, each of them changed."""
    return {key: _each(change, inner) for key, inner in value.items()} if isinstance(value, Mapping) else change(value)


def _all_best(value: object) -> object:
    found = parse(value) if isinstance(value, str) else value
    if not isinstance(found, OutputReference) or found.output != BEST:
        raise PartError(
            f"values_from takes all best values of a tune step, ${{steps.NAME.outputs.{BEST}}}, but got {str(value)!r}"
        )
    return found


def _names(value: object) -> object:
    """Returns the names of steps; Python code may give the steps themselves."""
    if not isinstance(value, (list, tuple)):
        return value
    return tuple(step.name if isinstance(step, StepConfig) else step for step in value)


def _outputs(**types: Any) -> Any:
    return Field(
        default_factory=lambda: {name: Output(type=kind) for name, kind in types.items()}, validate_default=True
    )


BEST = "best"
"""The output of a tune step with all best hyperparameters: ``best.learning_rate``."""

TUNE_HAS_NO = ("module", "command", "args", "arguments", "outputs", "hparams", "values_from", "job")
"""The fields that a tune step does not have, because its study has them."""
EXIT_HAS_NO = ("when", "after", "for_each", "values_from", "job", "share")
"""The fields that the exit step does not have, because it always runs, once, at the end, on one node."""

Values = Annotated[
    dict[str, Any], AfterValidator(partial(_each, read_value)), PlainSerializer(partial(_each, write_value))
]


class StepConfig(SharedFields, Command):
    """The base of all kinds of steps: `DataStep`, `TrainStep`, …."""

    NEEDS_COMMAND: ClassVar[bool] = True
    WRITES: ClassVar[tuple[str, ...]] = ()
    """Types of which it must have an output; none for any outputs."""
    WRITES_RULE: ClassVar[str] = ""

    name: SkipJsonSchema[str] = ""
    """Its name; in a file, its key."""
    description: str = ""
    """What it does, in one sentence."""
    job_type: LabelValue = "step"
    """The kind of work, as a label of its pods."""
    inputs: Inputs = Field(default_factory=dict)
    """Its inputs: constants or references, also with a type (``{type: float, value: 1}``)."""
    outputs: OutputsField = Field(default_factory=dict)
    """Its outputs: types, also with a description."""
    hparams: HparamsClass | None = None
    """The class of its hyperparameters: its name in the registry, or ``module:Class``."""
    values: Values = Field(default_factory=dict)
    """Hyperparameters by dotted name: a reference, or a default in place of that of the class."""
    values_from: Annotated[
        OutputReference | None,
        BeforeValidator(_all_best),
        PlainSerializer(write_value),
        WithJsonSchema({"type": "string"}),
    ] = None
    """Hyperparameters from a tune step: ``${steps.tune.outputs.best}``."""
    when: ConditionField | None = None
    """The step runs only if this comparison holds. Otherwise it is skipped, with all steps that need its outputs."""
    after: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """More steps that must end before it starts."""
    for_each: str | None = None
    """Its loop: it runs once for each item."""
    job: Job | None = None
    """The object that runs it on a cluster if ``resources.nodes`` is more than one."""
    share: DnsLabel | None = None
    """A volume with a claim, through which trials, or several nodes, get the input artifacts and give the outputs."""

    @model_validator(mode="before")
    @classmethod
    def _split_instance(cls, data: Any) -> Any:
        """Replaces an instance of hyperparameters, given in Python, by its class and its values."""
        if not isinstance(data, dict) or not isinstance(data.get("hparams"), Hparams):
            return data
        hparams = data["hparams"]
        return {
            **data,
            "hparams": type(hparams),
            "values": {**write_value(hparams.to_dict()), **data.get("values", {})},
        }

    def model_post_init(self, context: Any, /) -> None:
        """Checks rules that concern several fields."""
        if type(self) is StepConfig:
            raise PartError(
                "a step has a kind: make a DataStep, TrainStep, TuneStep, EvaluateStep, RegisterStep or ContainerStep"
            )
        super().model_post_init(context)
        self.__dict__["outputs"] = Outputs(self.name, self.outputs)
        if self.NEEDS_COMMAND:
            self.check_command()
        for field in ("command", "args"):
            for index, text in enumerate(getattr(self, field)):
                refuse_reference(text, "an argument", (field, index))
        self.check_hparams()
        self._check_flags()
        if self.arguments is not None:
            self._check_arguments(self.arguments)
        if self.WRITES and not self.has_output(*self.WRITES):
            raise PartError(self.WRITES_RULE, ("outputs",))

    def check_hparams(self) -> None:
        """Checks that a step with values has a class.

        Raises:
            PartError: It has none.
        """
        for field in ("values", "values_from"):
            if getattr(self, field) and self.hparams is None:
                raise PartError(f"{field} needs a class: give hparams, for example hparams: LstmHparams", (field,))

    def named(self, name: str) -> Self:
        """Returns the same step with a name."""
        step = self.model_copy(update={"name": name})
        step.__dict__["outputs"] = Outputs(name, self.outputs)
        return step

    @property
    def hyperparameters(self) -> type[Hparams] | None:
        """The class of the hyperparameters on its command line."""
        return self.hparams

    @property
    def launches(self) -> bool:
        """Whether kftune's launcher runs in its pod on a cluster, and what it does runs in other pods."""
        return self.resources.nodes > 1

    @property
    def has_executor_output(self) -> bool:
        """Whether it gets the argument ``--executor-output``, because it has metrics to show."""
        return self.has_output(*METRICS_TYPES)

    def to_dict(self) -> dict[str, Any]:
        """Returns the step as in a pipeline file, without defaults."""
        written = self.model_dump(mode="json", exclude_defaults=True, exclude={"name", "kind"})
        for name, given in written.get("inputs", {}).items():
            if set(given) == {"value"} and not isinstance(given["value"], dict):
                written["inputs"][name] = given["value"]
        for name, given in written.get("outputs", {}).items():
            if set(given) == {"type"}:
                written["outputs"][name] = given["type"]
        return {"kind": getattr(self, "kind"), **written}  # noqa: B009  # each kind declares its own

    def has_output(self, *types: str) -> bool:
        """Returns whether it has an output of one of these types."""
        return any(output.type in types for output in self.outputs.values())

    def _check_arguments(self, given: Arguments) -> None:
        hparams = self.hyperparameters
        names = [] if hparams is None else hparams.leaves()
        with located("arguments"):
            self.check_reader(given)
            given.check_names(names, [*self.inputs, *self.outputs], {*self.env, *self.secrets, *self.config_maps})

    def _flags(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        hparams = self.hyperparameters
        yield from ((name, "an input", ("inputs", name)) for name in self.inputs)
        yield from ((name, "an output", ("outputs", name)) for name in self.outputs)
        yield from ((name, "a hyperparameter", ("hparams",)) for name in (hparams.leaves() if hparams else ()))
        if self.has_executor_output:
            yield EXECUTOR_OUTPUT, "the argument for metrics", ()

    def _check_flags(self) -> None:
        seen: dict[str, tuple[str, tuple[str, ...]]] = {}
        for name, what, path in self._flags():
            other, other_path = seen.setdefault(flag(name), (what, path))
            if other_path != path:
                raise PartError(
                    f"--{name} can have one meaning only, but it is {other} and {what}; rename one of them",
                    path if path[:1] != ("hparams",) else other_path,
                    at_key=True,
                )


class DataStep(StepConfig):
    """Creates or fetches data; it writes a dataset."""

    WRITES: ClassVar = ("dataset",)
    WRITES_RULE: ClassVar = "a data step writes data: give it an output of type dataset"

    kind: Literal["data"] = "data"
    job_type: LabelValue = "data"
    outputs: OutputsField = _outputs(data="dataset")


class TrainStep(StepConfig):
    """Trains a model with its hyperparameters; it writes a model."""

    WRITES: ClassVar = ("model",)
    WRITES_RULE: ClassVar = "a train step writes a model: give it an output of type model"

    kind: Literal["train"] = "train"
    job_type: LabelValue = "training"
    outputs: OutputsField = _outputs(model="model")


class EvaluateStep(StepConfig):
    """Evaluates a model; it writes metrics, or numbers that other steps compare."""

    WRITES: ClassVar = (*METRICS_TYPES, "float", "int")
    WRITES_RULE: ClassVar = "an evaluate step writes numbers: give it an output of type metrics or float"

    kind: Literal["evaluate"] = "evaluate"
    job_type: LabelValue = "evaluation"
    outputs: OutputsField = _outputs(metrics="metrics")


class RegisterStep(StepConfig):
    """Registers a model: it writes a model card and a manifest."""

    kind: Literal["register"] = "register"
    job_type: LabelValue = "registration"
    outputs: OutputsField = _outputs(card="markdown", manifest="artifact")

    def model_post_init(self, context: Any, /) -> None:
        """Checks rules that concern several fields."""
        super().model_post_init(context)
        if not self.inputs:
            raise PartError(
                "a register step takes a model: give it an input such as model: ${steps.train.outputs.model}"
            )


class ContainerStep(StepConfig):
    """Runs any other container."""

    kind: Literal["container"] = "container"


def _study(value: object, info: ValidationInfo) -> object:
    """Returns the study of a file; the model checks other values."""
    overrides = info.data.get("overrides", ())
    if not isinstance(value, str):
        if overrides:
            raise PartError("overrides change a study file; change this study instead")
        return value
    path = find_file(value, (info.context or {}).get("folders", ()), "study")
    try:
        return load_study(path, overrides)
    except KftuneError as error:
        raise PartError(f"the study cannot be used: {error}") from error
    except OSError as error:
        raise PartError(f"the study cannot be read: {path}: {error.strerror}") from error


class TuneStep(StepConfig):
    """Searches hyperparameters with a study; it writes the best of them.

    Outputs: ``best.NAME`` for each searched hyperparameter, ``best_trial`` (its name), ``objective`` (its value),
    ``metrics`` (of the best trial) and ``report`` (HTML). With several objectives, the best trial is that in the first
    of them. The step of the study, with the defaults of the pipeline, is
    what the trials run. The fields here are those of the container that watches over the study.
    """

    NEEDS_COMMAND: ClassVar[bool] = False

    kind: Literal["tune"] = "tune"
    job_type: LabelValue = "tuning"
    overrides: tuple[str, ...] = ()
    """Changes to the study file, such as ``budget.max_trials=4``."""
    study: Annotated[Study, BeforeValidator(_study, json_schema_input_type=str | Study)]
    """The study: a file, relative to the pipeline file, or the study itself."""
    study_file: SkipJsonSchema[str | None] = Field(None, exclude=True)
    """The file that the study was read from."""
    delete: Literal["never", "succeeded", "always"] = "never"
    """Which Experiment is deleted from a cluster: none, one that succeeded (together with its run), or each."""

    @model_validator(mode="before")
    @classmethod
    def _remember_file(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("study"), str):
            return {**data, "study_file": data["study"]}
        return data

    def model_post_init(self, context: Any, /) -> None:
        """Checks rules that concern several fields."""
        for field in TUNE_HAS_NO:
            if field in self.model_fields_set:
                raise PartError(
                    f"a tune step cannot have {field}: its study defines what the trials run and search",
                    (field,),
                    at_key=True,
                )
        self.__dict__["outputs"] = self._study_outputs()
        super().model_post_init(context)

    def check_hparams(self) -> None:
        """Checks the study only: the class is its."""
        with located("study"):
            refuse_entities(self.study, "a tune step")

    @property
    def launches(self) -> bool:
        """Always: the launcher runs in its pod, and trials in others."""
        return True

    @property
    def hyperparameters(self) -> type[Hparams]:
        """The class of the study's hyperparameters."""
        return self.study.hparams

    def to_dict(self) -> dict[str, Any]:
        """The step as a pipeline file writes it, without what is left at its default."""
        written = super().to_dict()
        written.pop("outputs", None)
        written["study"] = self.study_file or self.study.to_dict()
        return written

    def _study_outputs(self) -> dict[str, Output]:
        best = {
            f"{BEST}.{name}": Output(type=hparam_type(self.study.hparams, name), description=f"Best value of {name}")
            for name in self.study.searched_arguments
        }
        objectives = len(self.study.objectives)
        several = f", the first of {objectives} objectives" if objectives > 1 else ""
        return {
            **best,
            "best_trial": Output(type="str", description="Name of the best trial"),
            "objective": Output(type="float", description=f"{self.study.objective.metric} of the best trial{several}"),
            "metrics": Output(type="metrics", description="Metrics of the best trial"),
            "report": Output(type="html", description="All trials"),
        }


_PLAIN_TYPES: dict[Any, Any] = {int: "int", float: "float", bool: "bool", str: "str"}


def hparam_type(hparams: type[Hparams], name: str) -> Any:
    """Returns the parameter type for a hyperparameter; ``str``, its text, if no other type fits all its values.

    Args:
        hparams: The class.
        name: The dotted name of the hyperparameter.
    """
    return _PLAIN_TYPES.get(hparams.leaf(name).annotation, "str")


AnyStep = Annotated[
    DataStep | TrainStep | TuneStep | EvaluateStep | RegisterStep | ContainerStep, Field(discriminator="kind")
]
