"""What a study or a pipeline costs before it starts: hours, money, pods and objects.

Nothing here guesses. The time of a trial or step is given, or measured in earlier runs; a price stands in the price
table. What is unknown is named, and what depends on it is unknown too.
"""

from __future__ import annotations

from kftune.cost.estimate import Estimate, Line
from kftune.cost.of_pipeline import pipeline_estimate
from kftune.cost.of_study import study_estimate

__all__ = ["Estimate", "Line", "pipeline_estimate", "study_estimate"]
