"""Finds the source of each hyperparameter of a step: a constant, a reference, or a parameter of the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kftune.errors import KftuneError, suggestion
from kftune.hparams import Hparams
from kftune.pipeline.names import plain
from kftune.pipeline.plan import Argument
from kftune.pipeline.ports import Parameter, fits, hparam_type, is_artifact
from kftune.pipeline.references import ParameterReference, Reference
from kftune.pipeline.resolving import Path, Resolver
from kftune.pipeline.steps import BEST, StepConfig, TuneStep
from kftune.spec.load import keys_to
from kftune.spec.part import PartError
from kftune.study.values import flat_values


def constants(step: TuneStep) -> dict[str, Any]:
    """Returns the hyperparameters that a tune step sets for all trials before the run, as JSON values.

    Raises:
        PartError: One is unknown, searched, or has an invalid value; the path begins at the step.
    """
    hparams, found = step.study.hparams, {}
    for name, value in flat_values(hparams, step.values):
        path = ("values", *keys_to(step.values, name))
        if name in step.study.searched_arguments:
            raise PartError(
                f"a hyperparameter is set or searched, but the study searches {name}; remove it here, or from the "
                f"search: overrides: [search.{step.study.entries.get(name, [name])[0]}=null]",
                path,
                at_key=True,
            )
        if not isinstance(value, Reference):
            found[name] = _jsonable(hparams, name, value, path)
    return found


def hyperparameters(
    step: StepConfig, path: Path, resolver: Resolver, parameters: dict[str, Parameter]
) -> Iterator[Argument]:
    """Yields the hyperparameters on a step's command line.

    Args:
        step: The step, complete.
        path: Its keys in the file.
        resolver: Follows references.
        parameters: The parameters of the run; those that set hyperparameters are added.

    Raises:
        PartError: A value is invalid, or has two sources.
    """
    if step.hyperparameters is not None:
        yield from _Hyperparameters(step, step.hyperparameters, path, resolver, parameters).arguments()


@dataclass(frozen=True)
class _Hyperparameters:
    step: StepConfig
    hparams: type[Hparams]
    path: Path
    resolver: Resolver
    parameters: dict[str, Parameter]

    def arguments(self) -> Iterator[Argument]:
        step, given = self.step, {}
        for name, value in flat_values(self.hparams, step.values):
            where = self._place(name)
            _check_known(self.hparams, name, where)
            given[name] = value if isinstance(value, Reference) else _jsonable(self.hparams, name, value, where)
        best = self._best()
        both = next((name for name in best if name in given), None)
        if both is not None:
            raise PartError(
                f"a hyperparameter has one source, but {both} is in values and among the best values of "
                f"{step.values_from}; remove it from values",
                self._place(both),
                at_key=True,
            )
        for name in _present(self.hparams, {**given, **best}):
            if isinstance(source := given.get(name), Reference):
                yield self._followed(name, source, self._place(name))
            elif name in best:
                yield self._followed(name, best[name], (*self.path, "values_from"))
            elif not isinstance(step, TuneStep):
                yield self._exposed(name, given)

    def _place(self, name: str) -> Path:
        return (*self.path, "values", *keys_to(self.step.values, name))

    def _best(self) -> dict[str, Reference]:
        """Returns references to the values that a tune step finds."""
        found = self.step.values_from
        if found is None:
            return {}
        where = (*self.path, "values_from")
        producer = self.resolver.producer(self.step, found, where)
        if not isinstance(producer, TuneStep):
            raise PartError(f"values_from names a tune step, but {producer.name!r} is not one", where)
        missing = next((name for name in producer.study.searched_arguments if name not in self.hparams.leaves()), None)
        if missing is not None:
            raise PartError(
                f"{self.hparams.__name__} must have all hyperparameters that {producer.name!r} searches, but has no "
                f"{missing!r}; name single ones under values: ${{steps.{producer.name}.outputs.{BEST}.NAME}}",
                where,
            )
        return {name: found[name] for name in producer.study.searched_arguments}

    def _followed(self, name: str, source: Reference, path: Path) -> Argument:
        """Returns a hyperparameter that a reference sets."""
        leaf, wanted = self.hparams.leaf(name), hparam_type(self.hparams, name)
        found, fan_in, element = self.resolver.resolve(self.step, source, path)
        takes_text = wanted == "str" and leaf.annotation is not str and not is_artifact(found)
        if not (fits(found, wanted) or takes_text):
            raise PartError(f"{leaf.declaration} cannot be of type {found}, which {source} is", path)
        return Argument(name=name, type=wanted, source=source, role="hparam", fan_in=fan_in, element=element)

    def _exposed(self, name: str, given: Mapping[str, Any]) -> Argument:
        """Returns a hyperparameter that a parameter of the run sets, as no reference does."""
        leaf, kind = self.hparams.leaf(name), hparam_type(self.hparams, name)
        default = {}
        if name in given or leaf.has_default:
            value = given.get(name, leaf.default)
            default = {"default": value if leaf.annotation is str or kind != "str" else leaf.encode(value)}
        parameter = plain(f"{self.step.name}_{name}")
        if parameter in self.parameters:
            raise PartError(
                f"the run's parameter {parameter!r} sets {name} of step {self.step.name!r}, but another parameter has "
                f"that name; rename it or the step",
                (*self.path, "hparams"),
            )
        description = " ".join(leaf.description.split())
        self.parameters[parameter] = Parameter(type=kind, description=description, **default)
        return Argument(name=name, type=kind, source=ParameterReference(parameter), role="hparam")


def _check_known(hparams: type[Hparams], name: str, path: Path) -> None:
    leaves = hparams.leaves()
    if name not in leaves:
        raise PartError(
            f"{hparams.__name__} has no hyperparameter {name!r}; {suggestion(name, leaves)}", path, at_key=True
        )


def _jsonable(hparams: type[Hparams], name: str, value: Any, path: Path) -> Any:
    """Returns a constant for a hyperparameter as a JSON value."""
    _check_known(hparams, name, path)
    try:
        return hparams.leaf(name).jsonable(value)
    except KftuneError as error:
        raise PartError(str(error).removeprefix(f"{name}: "), path) from error


def _present(hparams: type[Hparams], given: Mapping[str, Any]) -> list[str]:
    """Returns the hyperparameters on a command line: all but those of optional groups that stay None."""
    leaves = hparams.leaves()
    absent = tuple(
        f"{name}."
        for name, leaf in leaves.items()
        if leaf.is_group and leaf.default is None and not any(other.startswith(f"{name}.") for other in given)
    )
    return [name for name, leaf in leaves.items() if not leaf.is_group and not name.startswith(absent)]
