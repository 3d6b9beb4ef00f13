"""The search algorithm of a study. Katib's suggestion services define the names and the settings of most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, NamedTuple

from pydantic import Field, WithJsonSchema

from kftune.errors import suggestion
from kftune.katib.engines import ALGORITHMS, engine_of
from kftune.katib.engines.settings import SEED, SHARE, Setting, Settings, integer, one_of
from kftune.spec.part import Part, PartError
from kftune.spec.quantities import NO_BOOL


class LocalAlgorithm(NamedTuple):
    """An algorithm that Katib does not have."""

    summary: str
    """The algorithm in a few words."""
    settings: Settings


POPULATION = 20
"""Points of a generation of nsga2 by default. With Optuna's own 50, most studies would end before they learn."""

LOCAL_ONLY: Mapping[str, LocalAlgorithm] = {
    "nsga2": LocalAlgorithm(
        "NSGA-II: generations of points, bred from those that few others are better than",
        # Source: optuna 5.0, NSGAIISampler. Its crossover undx needs three parents.
        {
            "population_size": Setting(
                integer(3),
                meaning=f"Points of a generation; the first generation is drawn at random. Default: {POPULATION}.",
            ),
            "mutation_prob": Setting(
                SHARE, meaning="Probability that a value is drawn anew. Default: 1 / the number of hyperparameters."
            ),
            "crossover_prob": Setting(SHARE, meaning="Probability that a point has several parents. Default: 0.9."),
            "swapping_prob": Setting(
                SHARE,
                meaning="Probability that a value comes from the second parent, for choices and the crossover uniform. "
                "Default: 0.5.",
            ),
            "crossover": Setting(
                one_of("uniform blxalpha spx sbx vsbx undx"), meaning="How numbers are mixed. Default: uniform."
            ),
        },
    ),
}
"""The algorithms that run on this machine only."""

NAMES = (*ALGORITHMS, *LOCAL_ONLY)
"""The algorithms that a study can use."""


def summary_of(algorithm: str) -> str:
    """Returns one of `NAMES` in a few words."""
    return LOCAL_ONLY[algorithm].summary if algorithm in LOCAL_ONLY else engine_of(algorithm).summary


def settings_of(algorithm: str) -> Settings:
    """Returns the settings of one of `NAMES`."""
    return LOCAL_ONLY[algorithm].settings if algorithm in LOCAL_ONLY else engine_of(algorithm).settings


class Algorithm(Part):
    """How the next values are chosen."""

    name: Annotated[str, WithJsonSchema({"type": "string", "enum": [*NAMES]})] = "random"
    """The algorithm's Katib name, or one that runs on this machine only."""
    seed: Annotated[int, Field(ge=0, lt=2**32), NO_BOOL] | None = None
    """Makes the choices repeatable. None draws one when the study starts."""
    settings: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """The algorithm's own settings, by the names that Katib has for them."""

    def model_post_init(self, context: object, /) -> None:
        """Checks what the fields by themselves cannot."""
        if self.name not in NAMES:
            raise PartError(f"unknown algorithm {self.name!r}; {suggestion(self.name, NAMES)}", ("name",))
        declared = settings_of(self.name)
        if not self.settings and declared.keys() <= {SEED}:
            return
        known = {name: setting for name, setting in declared.items() if name != SEED}
        for name, value in self.settings.items():
            path = ("settings", name)
            if name == SEED:
                raise PartError(f"{SEED} is written as the algorithm's seed: {{seed: 7}}", path, at_key=True)
            if name not in known:
                message = f"algorithm {self.name} has no setting {name!r}; {suggestion(name, known)}"
                raise PartError(message, path, at_key=True)
            values = known[name].values
            if not values.has(value):
                raise PartError(f"setting {name} of {self.name} must be {values.rule}, but got {value!r}", path)
        for name, setting in known.items():
            if setting.required and name not in self.settings:
                message = f"algorithm {self.name} needs the setting {name} ({setting.values.rule})"
                raise PartError(message, ("settings",))
