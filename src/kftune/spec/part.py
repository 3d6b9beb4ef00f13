"""`Part`: the base of everything that a study is made of. Frozen, unknown keys refused, errors with their path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from kftune.errors import StudyError
from kftune.spec.derived import derived
from kftune.validation import Frozen, OwnErrors, findings


class Part(Frozen, BaseModel, metaclass=OwnErrors):
    """One part of a study."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        arbitrary_types_allowed=True,
        ignored_types=(derived,),
    )

    def __deepcopy__(self, memo: object = None) -> Self:
        """Itself: parts are frozen, and pydantic copies every default that it cannot hash."""
        return self

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed, checked like one made anew.

        Raises:
            StudyError: It cannot be.
        """
        return type(self)(**{**{name: getattr(self, name) for name in self.model_fields_set}, **changes})

    def _remedy(self, name: str) -> str:
        return f"{type(self).__name__.lower()}.replace({name}=...)"

    @classmethod
    def own_error(cls, error: ValidationError) -> StudyError:
        """pydantic's findings as one error, a line each."""
        return StudyError("\n".join(map(str, findings(error, cls))))


class PartError(StudyError):
    """A study error that knows which key of the study it is about.

    Args:
        message: What must hold, what was given, what to do.
        path: The keys that lead to the value, from the part that raises it.
        at_key: Whether the last key itself is wrong, not its value.
    """

    def __init__(self, message: str, path: Sequence[str | int] = (), at_key: bool = False) -> None:
        super().__init__(message)
        self.path = tuple(path)
        self.at_key = at_key
        self.args = (message, self.path, at_key)
