"""The searched parameters of an Experiment, as samplers ask for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kftune.domains import Domain
from kftune.errors import RunError
from kftune.katib.engines.sampling import SearchedParameter


class ParameterSpace:
    """The searched parameters of an Experiment.

    Args:
        parameters: How each is searched.

    Raises:
        RunError: Two have the same name.
    """

    def __init__(self, parameters: Sequence[SearchedParameter]) -> None:
        ordered = sorted(parameters, key=lambda parameter: parameter.late)
        self.space: dict[str, Domain] = {parameter.name: parameter.domain for parameter in ordered}
        self._texts = {parameter.name: parameter.text for parameter in parameters}
        if len(self.space) < len(parameters):
            names = [parameter.name for parameter in parameters]
            twice = next(name for name in names if names.count(name) > 1)
            raise RunError(f"parameter names must differ, but {twice!r} is there twice; rename one")

    def active(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Returns all of `point`: an Experiment has no conditions."""
        return dict(point)

    def typed(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Returns all of `point` as it is."""
        return dict(point)

    def assignment(self, point: Mapping[str, Any]) -> dict[str, str]:
        """Returns the texts that a trial gets, in the order of the Experiment."""
        return {name: text(point[name]) for name, text in self._texts.items() if name in point}

    @property
    def restricted(self) -> bool:
        """False: Katib runs every point."""
        return False

    def refusal(self, point: Mapping[str, Any]) -> None:
        """Returns None: Katib runs every point."""

    def first_points(self) -> list[dict[str, Any]]:
        """Returns nothing: an Experiment has no points to try first."""
        return []
