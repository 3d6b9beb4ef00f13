"""`Part`: the base of all sections of a file. Parts are frozen and reject unknown keys; errors have a path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from kftune.errors import ConfigurationError, KftuneError, PipelineError, ProjectError, StudyError
from kftune.spec.derived import derived
from kftune.validation import Frozen, OwnErrors, findings

FileError = StudyError | PipelineError | ProjectError | ConfigurationError


class Part(Frozen, BaseModel, metaclass=OwnErrors):
    """One section of a file."""

    ERROR: ClassVar[type[FileError]] = StudyError
    """The class of its errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        arbitrary_types_allowed=True,
        ignored_types=(derived,),
    )

    def __deepcopy__(self, memo: object = None) -> Self:
        """Returns itself. Parts are frozen, and pydantic copies each default that it cannot hash."""
        return self

    def replace(self, **changes: Any) -> Self:
        """Returns a copy with some fields changed, and checks it.

        Raises:
            KftuneError: It is invalid; the class is `ERROR`.
        """
        return type(self)(**{**{name: getattr(self, name) for name in self.model_fields_set}, **changes})

    def _remedy(self, name: str) -> str:
        return f"{type(self).__name__.lower()}.replace({name}=...)"

    @classmethod
    def own_error(cls, error: ValidationError) -> FileError:
        """Returns pydantic's findings as one error, one line each."""
        return cls.ERROR("\n".join(map(str, findings(error, cls))))


class PartError(StudyError):
    """An error with the keys of the value that it is about.

    Args:
        message: What must hold, what was given, what to do.
        path: The keys that lead to the value, from the part that raises the error.
        at_key: Whether the last key itself is wrong, not its value.
    """

    def __init__(self, message: str, path: Sequence[str | int] = (), at_key: bool = False) -> None:
        super().__init__(message)
        self.path = tuple(path)
        self.at_key = at_key
        self.args = (message, self.path, at_key)


class located:  # noqa: N801  # used as a function; a generator would be slower
    """Raises the errors of a `with` block as `PartError`, with the keys that lead to the value.

    Args:
        path: The keys, in front of those that an error has.
    """

    def __init__(self, *path: str | int) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KftuneError):
            message = getattr(error, "message", None) or str(error)
            inner, at_key = (error.path, error.at_key) if isinstance(error, PartError) else ((), False)
            raise PartError(message, (*self._path, *inner), at_key) from error
