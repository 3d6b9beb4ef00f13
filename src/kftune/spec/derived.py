"""`derived`: a property that is computed when first asked for and then kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class derived(Generic[T]):  # noqa: N801  # used as a decorator, like property
    """Like `functools.cached_property`, without the lock that Python 3.11 takes at each first access."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object, owner: type) -> Self | T:
        """The value, kept in the instance so that the next access does not come here."""
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._make(instance)
        return value
