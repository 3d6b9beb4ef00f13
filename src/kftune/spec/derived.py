"""`derived`: a property that is computed at its first access and then kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class derived(Generic[T]):  # noqa: N801  # used as a decorator, like property
    """Like `functools.cached_property`, without the lock of Python 3.11."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object, owner: type) -> Self | T:
        """Returns the value, and stores it in the instance, where the next access finds it."""
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._make(instance)
        return value
