"""Rules of a study that concern several of its fields."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from kftune.domains import Conditional, Domain
from kftune.errors import DomainError, HparamsError, suggestion
from kftune.hparams.fields import Leaf, check_condition, has_field_validators, holder_of, put
from kftune.spec.load import keys_to
from kftune.spec.part import PartError, located
from kftune.validation import findings

if TYPE_CHECKING:
    from kftune.study.model import Study

# The points of a larger grid are not counted one by one: a class may have a slow validator.
_MOST_COUNTED = 20_000


def unknown(study: Study, name: str, section: str) -> PartError:
    """Returns the error for a hyperparameter that the class does not have.

    Args:
        study: The study.
        name: The hyperparameter.
        section: The key of the study that names it.
    """
    return PartError(
        f"{study.hparams.__name__} has no hyperparameter {name!r}; {suggestion(name, study.hparams.leaves())}",
        (section, *keys_to(getattr(study, section), name)),
        at_key=True,
    )


def check_arguments(study: Study) -> None:
    """Checks that no two hyperparameters have the same place, where the step says how it takes them.

    Raises:
        PartError: They have.
    """
    step = study.step
    if step.arguments is not None:
        with located("step", "arguments"):
            step.check_reader(step.arguments)
            step.arguments.check_names(study.argument_names, (), {*step.env, *step.secrets, *step.config_maps})


def check_space(study: Study) -> None:
    """Checks that the domains fit the class, and that each hyperparameter has a value or a domain.

    Raises:
        PartError: They do not.
    """
    leaves = study.leaves
    for name, domain in study.search.items():
        leaf = leaves.get(name)
        if leaf is None and domain is None and holder_of(leaves, name) is not None:
            continue  # an override has removed the domain of a key
        if leaf is None:
            raise unknown(study, name, "search")
        if domain is not None:
            _check_domain(study, leaf, domain)
    fixed, space = study.fixed_values, study.space
    if study.entries:
        study.mappings.check(study.encode({name: domain.quantile(0.5) for name, domain in space.items()}))
    for name in (name for name in fixed if study.search.get(name) is not None):
        raise PartError(
            f"a hyperparameter is fixed or searched, but {name} is in values and in search; "
            f"remove it from one of them (on a command line: ~search.{name})",
            ("search", name),
        )
    if not space:
        raise PartError(
            f"a study needs something to search, but neither {study.hparams.__name__} nor search has a domain; "
            f"for example search: {{{_example(leaves)}}}",
            ("search",),
        )
    for name, leaf in leaves.items():
        if not leaf.has_default and name not in space and name not in fixed and not study.is_left_out(leaf):
            raise PartError(f"{leaf.declaration} has no default, so it needs a value or a domain", ("values",))


def _example(leaves: Mapping[str, Leaf]) -> str:
    """Returns a domain that a study could have, for the first hyperparameter that fits one."""
    for name, leaf in leaves.items():
        example = _EXAMPLES.get(type(leaf.default)) if leaf.has_default else None
        if example:
            return f"{name}: {example}"
    return "NAME: {choice: [VALUE, OTHER]}"


_EXAMPLES = {bool: "{choice: [true, false]}", int: "{int: [1, 10]}", float: "{uniform: [0, 1]}"}


def _check_domain(study: Study, leaf: Leaf, domain: Domain) -> None:
    try:
        leaf.check_domain(domain)
    except (HparamsError, DomainError) as error:  # not `located`, which takes longer than the check
        raise PartError(str(error), ("search", leaf.name)) from error
    if type(domain) is Conditional:
        if domain.domain is None:
            raise PartError(f"{leaf.name}: a condition in a study needs a domain too", ("search", leaf.name))
        leaves, fixed = study.hparams.leaves(), study.fixed_values
        searched = {name: study.search.get(name, each.domain) for name, each in leaves.items() if name not in fixed}
        with located("search", leaf.name, "when"):
            check_condition(leaf.name, domain, leaves, searched)
        if not leaf.has_default:
            raise PartError(f"{leaf.declaration} is conditional, so it needs a default", ("search", leaf.name))


def check_ends(study: Study) -> None:
    """Checks the fixed values and both ends of each domain with the validators of the class.

    Only errors about single fields count: two fields that do not fit together here may fit elsewhere.
    """
    if not has_field_validators(study.hparams):
        return
    for u in (0, 1):
        point = study.active({name: domain.quantile(u) for name, domain in study.space.items()})
        values: dict[str, Any] = {}
        for name, value in {**study.fixed_values, **point}.items():
            put(values, study.leaves[name].path, value)
        try:
            study.hparams.model_validate(values, strict=False)
        except ValidationError as error:
            for finding in findings(error, study.hparams):
                _check_end(study, ".".join(map(str, finding.path)), finding.message, point)


def _check_end(study: Study, name: str, message: str, point: Mapping[str, Any]) -> None:
    if name in study.fixed_values:
        raise PartError(message, ("values", *keys_to(study.values, name)))
    if name in point:
        refused = f"{study.hparams.__name__} refuses {name}={point[name]!r} of {study.space[name]!r}: {message}"
        raise PartError(refused, ("search", name) if name in study.search else ("hparams",))


def check_algorithm(study: Study) -> None:
    """Checks that the algorithm can search the space within the budget.

    Raises:
        PartError: It cannot.
    """
    if study.algorithm.name == "grid":
        endless = next((name for name, domain in study.space.items() if math.isinf(domain.size)), None)
        if endless:
            raise PartError(
                f"a grid needs a finite number of points, but {endless} is {study.space[endless]!r}; give it a step "
                f"(quniform, int) or a list (choice), or use the algorithm random",
                ("search", endless) if endless in study.search else ("algorithm", "name"),
            )
        size, most = study.size, study.budget.max_trials
        if size > most and size <= _MOST_COUNTED and study.feasibility.restricted:
            size = sum(1 for _ in _allowed_points(study))
        if size > most:
            raise PartError(
                f"a grid tries every point, but it has {size} and max_trials={most}; "
                f"set max_trials to {size}, make the grid smaller, or use the algorithm random",
                ("budget", "max_trials") if "max_trials" in study.budget.model_fields_set else ("algorithm", "name"),
            )


def _allowed_points(study: Study) -> Iterator[dict[str, Any]]:
    """Yields the points of a finite space that a trial may have, each once."""
    seen = set()
    for values in product(*(domain.grid() for domain in study.space.values())):
        point = study.active(dict(zip(study.space, values, strict=True)))
        key = json.dumps(point, sort_keys=True)
        if key not in seen:
            seen.add(key)
            if study.feasibility.refusal(point) is None:
                yield point


def check_map(study: Study, names: Mapping[str, str]) -> None:
    """Checks that `apply.map` names searched hyperparameters.

    Args:
        study: The study.
        names: The keys of the map.

    Raises:
        PartError: One is not searched.
    """
    for name in names:
        if name not in study.space:
            known = suggestion(name, study.space)
            raise PartError(
                f"apply.map names searched hyperparameters, but {name!r} is not searched; {known}",
                ("apply", "map", name),
                at_key=True,
            )


def check_point(study: Study, point: Mapping[str, Any], index: int) -> None:
    """Checks a first point.

    Args:
        study: The study.
        point: Its values by dotted name.
        index: Its place among the first points.

    Raises:
        PartError: It is not in the space, or a value is missing.
    """
    for name, value in point.items():
        if name not in study.space:
            known = suggestion(name, study.space)
            raise PartError(
                f"a first point sets searched values, but {name!r} is not searched; {known}",
                ("points", index, name),
                at_key=True,
            )
        if not study.space[name].contains(value):
            raise PartError(
                f"a first point must be in the space, but {name}={value!r} is not in {study.space[name]!r}",
                ("points", index, name),
            )
    for name in study.active({name: point.get(name, study.class_defaults.get(name)) for name in study.space}):
        leaf = study.leaves[name]
        if name not in point and not (leaf.has_default and study.space[name].contains(leaf.default)):
            raise PartError(
                f"a first point must set {name}, whose default is not in {study.space[name]!r}", ("points", index)
            )
    why = study.feasibility.refusal(study.filled(point))
    if why is not None:
        raise PartError(f"a first point must be one that a trial may have, but {why}", ("points", index))
