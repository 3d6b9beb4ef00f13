"""`asha`: asynchronous successive halving, which stops all but the best trials at each rung."""

from __future__ import annotations

from typing import ClassVar

from kftune.spec.part import PartError
from kftune.stopping.halving import Halving
from kftune.stopping.rule import Reports
from kftune.stopping.rungs import Ladder, Resource


class Asha(Halving):
    """Ends a trial that is not among the best at a rung: at min_resource, and at each multiple by the factor.

    A trial is judged when it reaches a rung; with the type `stopping` it does not wait for others. The resource is the
    step that the script reports; without steps, the number of the report.

    Source: Optuna, SuccessiveHalvingPruner; Li et al., A system for massively parallel hyperparameter tuning.
    """

    kind: ClassVar[str] = "asha"

    max_resource: Resource | None = None
    """The position at which a trial has all it needs: no rung is there or after it. None for no limit."""
    brackets: Reports = 1
    """The trials are shared among so many brackets, each of which begins one rung later."""

    def model_post_init(self, context: object, /) -> None:
        """Checks that the rungs fit between both resources."""
        if self.max_resource is None:
            return
        if self.max_resource <= self.min_resource:
            raise PartError(
                f"max_resource must be above min_resource, but {self.max_resource} is not above {self.min_resource}",
                ("max_resource",),
            )
        most = self.ladder.most_brackets
        if self.brackets > most:
            raise PartError(
                f"from {self.min_resource} to {self.max_resource} there are at most {most} brackets with a "
                f"reduction_factor of {self.reduction_factor}, but got {self.brackets}",
                ("brackets",),
            )

    @property
    def ladder(self) -> Ladder:
        """The rungs."""
        return Ladder(self.min_resource, self.reduction_factor, self.max_resource, self.brackets)
