"""Where each hyperparameter of a step has its value from: a constant, a reference, or a parameter of the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kftune.errors import KftuneError, suggestion
from kftune.hparams import Hparams
from kftune.pipeline.names import plain
from kftune.pipeline.plan import Argument
from kftune.pipeline.ports import Parameter, fits, is_artifact
from kftune.pipeline.references import ParameterReference, Reference
from kftune.pipeline.resolving import Path, Resolver
from kftune.pipeline.steps import BEST, StepConfig, TuneStep, hparam_type
from kftune.spec.load import keys_to
from kftune.spec.part import PartError
from kftune.study.values import flat_values


def constants(step: TuneStep) -> dict[str, Any]:
    """The hyperparameters that a tune step sets for all trials before the run, as JSON has them.

    Raises:
        PartError: One is unknown, searched, or has a value that it cannot have; the path begins at the step.
    """
    hparams, found = step.study.hparams, {}
    for name, value in flat_values(hparams, step.values):
        path = ("values", *keys_to(step.values, name))
        if name in step.study.space:
            raise PartError(
                f"a hyperparameter is set or searched, but the study searches {name}; take it out here, or out of the "
                f"search: overrides: [search.{name}=null]",
                path,
                at_key=True,
            )
        if not isinstance(value, Reference):
            found[name] = _jsonable(hparams, name, value, path)
    return found


def hyperparameters(
    step: StepConfig, path: Path, resolver: Resolver, parameters: dict[str, Parameter]
) -> Iterator[Argument]:
    """The hyperparameters on a step's command line.

    Args:
        step: The step, complete.
        path: Where in the file it stands.
        resolver: Follows references.
        parameters: The parameters of the run; those that set hyperparameters are added.

    Raises:
        PartError: A value cannot be, or comes from two places.
    """
    hparams = step.hyperparameters
    if hparams is None:
        return
    given: dict[str, Any] = {}
    for name, value in flat_values(hparams, step.values):
        where = (*path, "values", *keys_to(step.values, name))
        _refuse_unknown(hparams, name, where)
        given[name] = value if isinstance(value, Reference) else _jsonable(hparams, name, value, where)
    best = _best(step, hparams, path, resolver)
    both = next((name for name in best if name in given), None)
    if both is not None:
        raise PartError(
            f"a hyperparameter has one source, but {both} is in values and among the best values of "
            f"{step.values_from}; take it out of values",
            (*path, "values", *keys_to(step.values, both)),
            at_key=True,
        )
    for name in _present(hparams, {**given, **best}):
        if isinstance(source := given.get(name), Reference):
            yield _followed(step, hparams, name, source, (*path, "values", *keys_to(step.values, name)), resolver)
        elif name in best:
            yield _followed(step, hparams, name, best[name], (*path, "values_from"), resolver)
        elif not isinstance(step, TuneStep):
            yield _exposed(step, hparams, name, given, path, parameters)


def _followed(
    step: StepConfig, hparams: type[Hparams], name: str, source: Reference, path: Path, resolver: Resolver
) -> Argument:
    """A hyperparameter that a reference sets."""
    leaf, wanted = hparams.leaf(name), hparam_type(hparams, name)
    found, fan_in, element = resolver.resolve(step, source, path)
    takes_text = wanted == "str" and leaf.annotation is not str and not is_artifact(found)
    if not (fits(found, wanted) or takes_text):
        raise PartError(f"{leaf.declaration} takes no {found}, but {source} is one", path)
    return Argument(name, wanted, source, "hparam", fan_in=fan_in, element=element)


def _best(step: StepConfig, hparams: type[Hparams], path: Path, resolver: Resolver) -> dict[str, Reference]:
    """The hyperparameters that a tune step has found."""
    if step.values_from is None:
        return {}
    where = (*path, "values_from")
    producer = resolver.producer(step, step.values_from, where)
    if not isinstance(producer, TuneStep):
        raise PartError(f"values_from takes a tune step, but {producer.name!r} is none", where)
    missing = next((name for name in producer.study.space if name not in hparams.leaves()), None)
    if missing is not None:
        raise PartError(
            f"{hparams.__name__} must have all that {producer.name!r} searches, but has no {missing!r}; "
            f"name single ones under values: ${{steps.{producer.name}.outputs.{BEST}.NAME}}",
            where,
        )
    return {name: step.values_from[name] for name in producer.study.space}


def _exposed(
    step: StepConfig,
    hparams: type[Hparams],
    name: str,
    given: Mapping[str, Any],
    path: Path,
    parameters: dict[str, Parameter],
) -> Argument:
    """A hyperparameter that no reference sets: a parameter of the run does."""
    leaf, kind = hparams.leaf(name), hparam_type(hparams, name)
    default = None
    if name in given or leaf.has_default:
        value = given.get(name, leaf.default)
        default = value if leaf.annotation is str or kind != "str" else leaf.encode(value)
    parameter = plain(f"{step.name}_{name}")
    if parameter in parameters:
        raise PartError(
            f"the run's parameter {parameter!r} sets {name} of step {step.name!r}, but another has that name; "
            f"rename the parameter or the step",
            (*path, "hparams"),
        )
    parameters[parameter] = Parameter(type=kind, default=default, description=" ".join(leaf.description.split()))
    return Argument(name, kind, ParameterReference(parameter), "hparam")


def _refuse_unknown(hparams: type[Hparams], name: str, path: Path) -> None:
    leaves = hparams.leaves()
    if name not in leaves:
        raise PartError(
            f"{hparams.__name__} has no hyperparameter {name!r}; {suggestion(name, leaves)}", path, at_key=True
        )


def _jsonable(hparams: type[Hparams], name: str, value: Any, path: Path) -> Any:
    """A constant for a hyperparameter, as JSON has it."""
    _refuse_unknown(hparams, name, path)
    try:
        return hparams.leaf(name).jsonable(value)
    except KftuneError as error:
        raise PartError(str(error).removeprefix(f"{name}: "), path) from error


def _present(hparams: type[Hparams], given: Mapping[str, Any]) -> list[str]:
    """The hyperparameters on a command line: all but those of optional groups that are None and stay so."""
    leaves = hparams.leaves()
    absent = tuple(
        f"{name}."
        for name, leaf in leaves.items()
        if leaf.is_group and leaf.default is None and not any(other.startswith(f"{name}.") for other in given)
    )
    return [name for name, leaf in leaves.items() if not leaf.is_group and not name.startswith(absent)]
