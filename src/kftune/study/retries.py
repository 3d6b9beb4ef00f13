"""How often a trial that did not succeed runs again: `budget.retries`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, Protocol

from pydantic import BeforeValidator, Field

from kftune.domains import Conditional, Domain
from kftune.domains.domain import is_number
from kftune.domains.listed import Listed
from kftune.errors import DomainError, near_names
from kftune.spec.part import Part, PartError
from kftune.spec.quantities import NO_BOOL, Count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kftune.hparams import Hparams
    from kftune.spec.pod import Preemption
    from kftune.study.algorithm import Algorithm

SMALLER = "smaller"
"""The short form of ``{halve: batch_size}``."""
_BATCH_SIZE = "batch_size"
_TRIES_TO_HALVE = 3


class OutOfMemory(Part):
    """What follows when a trial has run out of memory."""

    retries: Annotated[int, Field(ge=0, le=100), NO_BOOL] | None = None
    """How often it runs again; default: 3 with `halve`."""
    halve: Annotated[str, Field(min_length=1)] | None = None
    """The searched hyperparameter that is halved each time, by its dotted name or the last part of that."""

    def model_post_init(self, context: object, /) -> None:
        """Checks rules that concern several fields."""
        if self.retries is None and self.halve is None:
            raise PartError(
                "out_of_memory is a number of retries, smaller, or a mapping with retries or halve, but the mapping is "
                "empty; for example out_of_memory: {retries: 2, halve: batch_size}"
            )
        if self.retries == 0 and self.halve is not None:
            raise PartError("with 0 retries nothing is halved; set retries to 1 or more, or remove halve", ("retries",))

    @property
    def limit(self) -> int:
        """How often a trial runs again."""
        return _TRIES_TO_HALVE if self.retries is None else self.retries


def _out_of_memory(value: object) -> object:
    if value == SMALLER:
        return {"halve": _BATCH_SIZE}
    if isinstance(value, (bool, int, float)):
        return {"retries": value}
    if isinstance(value, (dict, OutOfMemory)):
        return value
    raise PartError(
        f"out_of_memory is a number of retries, {SMALLER}, or a mapping with retries and halve, but got {value!r}"
    )


class RetryBudget(Part):
    """How often a trial runs again, by what ended it. Each kind is counted for itself."""

    failed: Count = Field(0, ge=0, le=100)
    """After an exit code other than 0, or a signal of its own fault. A trial that reached `trial_timeout`, was stopped
    early or reported no objective does not run again."""
    lost: Annotated[int, Field(ge=0, le=100), NO_BOOL] | None = None
    """After SIGKILL or SIGTERM from outside, or the loss of its node; default: `step.preemption.retries`."""
    out_of_memory: Annotated[
        OutOfMemory, BeforeValidator(_out_of_memory, json_schema_input_type=int | Literal["smaller"] | OutOfMemory)
    ] = OutOfMemory(retries=0)
    """After memory ran out: a number of retries with the same values, ``smaller``, or ``{retries: 2, halve: NAME}``.
    ``smaller`` is short for ``{halve: batch_size}``: each retry has half of the value, rounded down to one of the
    domain, but not less than its lowest."""


class RetryLimits(NamedTuple):
    """How often a trial of one study runs again, by what ended it."""

    failed: int = 0
    lost: int = 0
    out_of_memory: int = 0
    halve: str = ""
    """The hyperparameter that is halved when memory ran out, by its dotted name; empty for none."""


NONE_RUNS_AGAIN = RetryLimits()
"""What a study has by default."""


class Searched(Protocol):
    """What a study searches, and how."""

    @property
    def hparams(self) -> type[Hparams]:
        """The class of hyperparameters."""

    @property
    def space(self) -> Mapping[str, Domain]:
        """The searched hyperparameters."""

    @property
    def algorithm(self) -> Algorithm:
        """How values are chosen."""


def limits_of(retries: RetryBudget, preemption: Preemption, searched: Searched) -> RetryLimits:
    """Returns how often the trials of a study run again.

    Args:
        retries: What the budget says.
        preemption: What the step says about lost nodes.
        searched: The study.

    Raises:
        PartError: `halve` names no hyperparameter that can be halved, or two keys say how often lost trials run again.
    """
    if retries is NO_RETRIES:
        return RetryLimits(lost=preemption.retries) if preemption.retries else NONE_RUNS_AGAIN
    lost = preemption.retries if retries.lost is None else retries.lost
    if "retries" in preemption.model_fields_set and lost != preemption.retries:
        raise PartError(
            f"budget.retries.lost and step.preemption.retries mean the same, but are {lost} and {preemption.retries}; "
            f"remove one of them",
            ("budget", "retries", "lost"),
        )
    memory = retries.out_of_memory
    halve = "" if memory.halve is None else _halved(searched, memory.halve)
    return RetryLimits(retries.failed, lost, memory.limit, halve)


NO_RETRIES = RetryBudget()
"""What a study has that does not write them."""


def _halved(study: Searched, wanted: str) -> str:
    """Returns the hyperparameter that is halved."""
    path = ("budget", "retries", "out_of_memory")
    found = [name for name in study.space if wanted in (name, name.rpartition(".")[2])]
    found = [wanted] if wanted in found else found
    if not found:
        raise PartError(f"out_of_memory halves a searched hyperparameter, but {_why_not(study, wanted)}", path)
    if len(found) > 1:
        raise PartError(
            f"out_of_memory halves one hyperparameter, but {wanted} may be {' or '.join(found)}; "
            f"write halve: {found[0]}",
            path,
        )
    (name,) = found
    domain = study.space[name]
    if not _is_positive(inner(domain)):
        raise PartError(f"only positive numbers can be halved, but {name} is {domain!r}; name another in halve", path)
    for child, other in study.space.items():
        if isinstance(other, Conditional) and name in other.parents:
            raise PartError(
                f"out_of_memory cannot halve {name}: whether a trial has {child} depends on it; name another in halve, "
                f"or give a number of retries",
                path,
            )
    if study.algorithm.name == "grid":
        raise PartError(
            f"a grid tries each point as it is, so it cannot halve {name}; give out_of_memory a number of retries, or "
            f"use another algorithm",
            path,
        )
    return name


def _why_not(study: Searched, wanted: str) -> str:
    named = [name for name in study.hparams.leaves() if wanted in (name, name.rpartition(".")[2])]
    if named:
        return f"{named[0]} has the same value in all trials; give it a domain in search, or name another in halve"
    near = near_names(wanted, study.space)
    known = near or f"searched are {', '.join(study.space)}"
    return f"the study searches none that is named {wanted!r}; {known}; name it in halve, or give a number of retries"


def inner(domain: Domain) -> Domain:
    """Returns the domain without its condition."""
    found = domain.domain if isinstance(domain, Conditional) else domain
    return domain if found is None else found


def _is_positive(domain: Domain) -> bool:
    try:
        ends = domain.grid() if isinstance(domain, Listed) else (domain.quantile(0), domain.quantile(1))
    except DomainError:
        return False
    return all(is_number(value) and value > 0 for value in ends)
