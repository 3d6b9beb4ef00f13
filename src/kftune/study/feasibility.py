"""Which points a study may try: the ones that its constraints and the validators of its class accept."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kftune.domains import Conditional
from kftune.domains.listed import Listed
from kftune.errors import ExpressionError, HparamsError, KftuneError, near_names
from kftune.hparams.fields import Leaf, may_refuse
from kftune.spec.part import PartError
from kftune.study.expression import Expression, NoValueError
from kftune.study.kinds import NULL, NUMBER, Kinds, check_kinds, kind_of

if TYPE_CHECKING:
    from kftune.study.model import Study

_LONGEST_REASON = 200
# How YAML writes what an expression writes as Python does.
_CONSTANTS = {"true": "True", "false": "False", "null": "None"}


class Refusal(NamedTuple):
    """Why no trial may have a point."""

    by: str
    """The constraint, or the name of the class."""
    why: str

    def __str__(self) -> str:
        return f"{self.by}: {self.why}"


class Feasibility:
    """Says why a study may not try a point.

    Args:
        study: The study; its fields and domains are valid.

    Attributes:
        restricted: Whether there is anything that can refuse a point.

    Raises:
        PartError: A constraint is not an expression, names what the class does not have, or always refuses.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._validates = may_refuse(study.hparams)
        self.restricted = bool(study.constraints) or self._validates
        self._constraints = [self._read(text, index) for index, text in enumerate(study.constraints)]
        self._base: dict[str, Any] = self._values_without_search() if self._constraints else {}
        for index, constraint in enumerate(self._constraints):
            if not any(name in study.space for name in constraint.names):
                why = _violated(constraint, self._base)
                if why is not None:
                    raise PartError(f"{why}, and none of its names is searched", ("constraints", index))

    def refusal(self, point: Mapping[str, Any]) -> Refusal | None:
        """Returns what refuses a point; None if a trial may have it.

        Args:
            point: JSON-able value by dotted name. Values that their condition excludes count as missing.
        """
        if self._constraints:
            values = {**self._base, **self._study.typed(self._study.active(point))}
            for constraint in self._constraints:
                why = _violated(constraint, values)
                if why is not None:
                    return why
        return self.class_refusal(point) if self._validates else None

    def class_refusal(self, point: Mapping[str, Any]) -> Refusal | None:
        """Returns why the class refuses the values of a trial; None if it accepts them.

        Args:
            point: JSON-able value by dotted name.
        """
        hparams = self._study.hparams
        try:
            with warnings.catch_warnings(action="ignore"):
                hparams.from_assignments(self._study.assignment(point))
        except HparamsError as error:
            why = " ".join(str(error).split())
        except (Exception, SystemExit) as error:  # a user's validator may raise anything
            why = f"it raises {type(error).__name__}: {' '.join(str(error).split())}"
        else:
            return None
        return Refusal(hparams.__name__, why if len(why) <= _LONGEST_REASON else f"{why[:_LONGEST_REASON]}…")

    # -- reading a constraint ----------------------------------------------------------------------------------

    def _read(self, text: str, index: int) -> Expression:
        """Returns a constraint with names that are known, and operations that fit them."""
        try:
            constraint = Expression(text)
            if not constraint.names:
                raise PartError(f"{text!r} is a constraint of no hyperparameter; name one", ("constraints", index))
            kinds = {name: self._kinds(constraint, name) for name in constraint.names}
            check_kinds(constraint, kinds, self._why_no_text)
        except ExpressionError as error:
            raise PartError(str(error), ("constraints", index)) from error
        return constraint

    def _kinds(self, constraint: Expression, name: str) -> Kinds:
        study = self._study
        leaf = study.leaves.get(name)
        if leaf is None:
            raise constraint.unknown(name, self._hint(constraint, name))
        domain = study.space.get(name)
        if domain is not None:
            found = self._kinds_of_domain(leaf, domain)
        elif name in study.fixed_values or leaf.has_default:
            found = kind_of(self._value(leaf))
        else:
            found = NULL
        if leaf.is_group or not found:
            what = "a group; name a field of it" if leaf.is_group else "a list or a mapping, which has no comparison"
            raise ExpressionError(f"{constraint.text!r}: {name} is {what}")
        return found

    def _kinds_of_domain(self, leaf: Leaf, domain: Any) -> Kinds:
        inner = domain.domain if isinstance(domain, Conditional) else domain
        conditional = NULL if isinstance(domain, Conditional) else frozenset()
        if not isinstance(inner, Listed):
            return NUMBER | conditional
        found = [kind_of(leaf.typed(value)) for value in inner.grid()]
        return frozenset().union(conditional, *found) if all(found) else frozenset()

    def _hint(self, constraint: Expression, name: str) -> str:
        """Returns what an unknown name was probably meant to be: a text without quotes, or another name."""
        if name in _CONSTANTS:
            return f"write {_CONSTANTS[name]}"
        leaves = self._study.leaves
        near = near_names(name, leaves)
        others = [leaves[other] for other in constraint.names if other in leaves]
        if not near and any(leaf.form == "text" and not self._why_no_text(leaf.name, name) for leaf in others):
            return f"a text has quotes: '{name}'"
        known = ", ".join([each for each, leaf in leaves.items() if not leaf.is_group][:20])
        return near or f"known: {known}"

    def _why_no_text(self, name: str, text: str) -> str:
        """Returns why a hyperparameter cannot be a text; empty if it can."""
        leaf = self._study.leaves[name]
        searched = _listed(self._study.space.get(name))
        # A study that tries fewer values than its class may keep constraints about the others.
        if text in searched or text in _listed(leaf.domain):
            return ""
        try:
            taken = leaf.jsonable(text)
        except KftuneError as error:
            return str(error).removeprefix(f"{name}: ")
        if taken != text:
            return f"it would become {taken!r}"
        known = [each for each in searched if isinstance(each, str)]
        return f"the study tries {', '.join(map(repr, known))}; {near_names(text, known)}".rstrip("; ") if known else ""

    # -- values ------------------------------------------------------------------------------------------------

    def _value(self, leaf: Leaf) -> Any:
        return leaf.typed(self._study.fixed_values.get(leaf.name, leaf.default))

    def _values_without_search(self) -> dict[str, Any]:
        """Returns the values that a constraint sees of hyperparameters that are not searched."""
        study = self._study
        return {
            name: self._value(leaf)
            for name, leaf in study.leaves.items()
            if name not in study.space
            and (name in study.fixed_values or (leaf.has_default and not study.is_left_out(leaf)))
        }


def _listed(domain: Any) -> Sequence[Any]:
    """Returns the values of a domain that lists them; nothing for another one, or none."""
    inner = domain.domain if isinstance(domain, Conditional) else domain
    return inner.grid() if isinstance(inner, Listed) else ()


def _violated(constraint: Expression, values: Mapping[str, Any]) -> Refusal | None:
    """Returns why values violate a constraint; None if they do not."""
    try:
        if constraint.holds(values):
            return None
        why = "it does not hold"
    except NoValueError as error:
        why = str(error)
    given = ", ".join(f"{name}={values.get(name)!r}" for name in constraint.names)
    return Refusal(constraint.text, f"{why} for {given}")
